"""Pixel changes of a whole batch on the training device.

Every change happens to a part of the batch, as large as its probability says: a slice that begins
anywhere. As samples are drawn independently, that is as good as a draw for each of them, and
nothing waits for the processor.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from aggpose.data.augment import AugmentRecipe

_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_REACH = 6


class PixelChanges:
    """Changes crops (B, 3, H, W), 0 to 255, by a recipe; the same shape returns.

    generator: of the device's numbers. rng: of the slices.
    """

    def __init__(
        self, recipe: AugmentRecipe, generator: torch.Generator, rng: np.random.Generator
    ) -> None:
        self.recipe, self.generator, self.rng = recipe, generator, rng
        self._yiq = _YIQ.to(generator.device)
        self._back = torch.linalg.inv(_YIQ).to(generator.device)

    def __call__(self, crops: Tensor) -> Tensor:
        recipe = self.recipe
        steps = (
            (recipe.low_resolution, self._coarse),
            (recipe.occluders, self._occlude),
            (recipe.colour_probability, self._colour),
            (recipe.white_balance, self._white),
            (recipe.grey, self._grey),
            (recipe.blur, self._blur),
            (recipe.noise, self._noise),
        )
        for probability, change in steps:
            which = self._slice(len(crops), probability)
            if which is not None:
                crops = crops.index_copy(0, which, change(crops, which))
        return crops.clamp(0, 255)

    def _slice(self, count: int, probability: float) -> Tensor | None:
        wanted = count * probability
        chosen = int(wanted) + int(self.rng.random() < wanted - int(wanted))
        if chosen == 0:
            return None
        start = int(self.rng.integers(count))
        return (torch.arange(chosen, device=self.generator.device) + start) % count

    def _uniform(self, count: int, low: float, high: float) -> Tensor:
        draw = torch.rand(count, 1, 1, 1, generator=self.generator, device=self.generator.device)
        return low + (high - low) * draw

    def _coarse(self, crops: Tensor, which: Tensor) -> Tensor:
        factor = float(self.rng.uniform(1.3, 3.0))
        chosen = crops[which]
        small = F.interpolate(chosen, scale_factor=1 / factor, mode="area")
        return F.interpolate(small, size=chosen.shape[2:], mode="bilinear", align_corners=False)

    def _occlude(self, crops: Tensor, which: Tensor) -> Tensor:
        """Rectangles and ellipses of one colour or of another sample of the batch."""
        chosen = crops[which]
        others = crops.roll(1, 0)[which]
        count, height, width = len(which), *crops.shape[2:]
        x = torch.linspace(0, 1, width, device=crops.device)[None, None, None]
        y = torch.linspace(0, 1, height, device=crops.device)[None, None, :, None]
        for number in range(self.recipe.max_occluders):
            wide, high = self._uniform(count, 0.08, 0.35), self._uniform(count, 0.08, 0.35)
            left = self._uniform(count, 0, 1) * (1 - wide)
            top = self._uniform(count, 0, 1) * (1 - high)
            u, v = (x - left) / wide * 2 - 1, (y - top) / high * 2 - 1
            round_ = self._uniform(count, 0, 1) < 0.5
            inside = torch.where(round_, u**2 + v**2 < 1, (u.abs() < 1) & (v.abs() < 1))
            # the k-th one is there in as many samples as draw k or more
            there = self._uniform(count, 0, 1) < 1 - number / self.recipe.max_occluders
            colour = self._uniform(3 * count, 0, 255).view(count, 3, 1, 1)
            plain = self._uniform(count, 0, 1) < 0.5
            filling = torch.where(plain, colour, others)
            chosen = torch.where(inside & there, filling, chosen)
        return chosen

    def _colour(self, crops: Tensor, which: Tensor) -> Tensor:
        brightness, contrast, saturation, hue = self.recipe.colour
        chosen, count = crops[which], len(which)
        chosen = chosen * self._uniform(count, max(0.0, 1 - brightness), 1 + brightness)
        mean = chosen.mean(dim=(1, 2, 3), keepdim=True)
        stretch = self._uniform(count, max(0.0, 1 - contrast), 1 + contrast)
        chosen = ((chosen - mean) * stretch + mean).clamp(0, 255)
        angle = self._uniform(count, -hue, hue)[:, 0] * 2 * torch.pi
        factor = self._uniform(count, max(0.0, 1 - saturation), 1 + saturation)[:, 0]
        c, s = factor * torch.cos(angle), factor * torch.sin(angle)
        one, zero = torch.ones_like(c), torch.zeros_like(c)
        rows = [(one, zero, zero), (zero, c, -s), (zero, s, c)]
        turn = torch.cat([torch.cat(row, dim=2) for row in rows], dim=1)  # (n, 3, 3)
        return torch.einsum("bij,bjhw->bihw", self._back @ turn @ self._yiq, chosen)

    def _white(self, crops: Tensor, which: Tensor) -> Tensor:
        """Another light: gains of the three colours, and a gamma."""
        chosen, count = crops[which].clamp(0, 255) / 255, len(which)
        gains = self._uniform(3 * count, 0.75, 1.3).view(count, 3, 1, 1)
        gamma = torch.exp(self._uniform(count, -0.4, 0.4))
        return 255 * (chosen * gains).clamp(1e-4, 1) ** gamma

    def _grey(self, crops: Tensor, which: Tensor) -> Tensor:
        chosen = crops[which]
        return torch.einsum("c,bchw->bhw", self._yiq[0], chosen)[:, None].expand_as(chosen)

    def _blur(self, crops: Tensor, which: Tensor) -> Tensor:
        """Gaussian, of 0.3 to 2 px of a crop 256 high; half of them along one direction only."""
        chosen, count = crops[which], len(which)
        sigma = self._uniform(count, 0.3, 2.0) * crops.shape[2] / 256
        other = torch.where(self._uniform(count, 0, 1) < 0.5, sigma, 3 * sigma)
        angle = self._uniform(count, 0, math.pi)
        offsets = torch.arange(-_REACH, _REACH + 1, device=crops.device, dtype=torch.float32)
        x, y = offsets[None, None, None, :], offsets[None, None, :, None]
        along = (x * torch.cos(angle) + y * torch.sin(angle)) / other.clamp(min=0.15)
        across = (y * torch.cos(angle) - x * torch.sin(angle)) / sigma.clamp(min=0.15)
        kernel = torch.exp(-0.5 * (along**2 + across**2))
        kernel = (kernel / kernel.sum(dim=(2, 3), keepdim=True)).repeat_interleave(3, 0)
        flat = F.pad(chosen.flatten(0, 1)[None], (_REACH,) * 4, mode="replicate")
        return F.conv2d(flat, kernel, groups=len(kernel))[0].unflatten(0, (count, 3))

    def _noise(self, crops: Tensor, which: Tensor) -> Tensor:
        chosen = crops[which]
        grain = torch.randn(chosen.shape, generator=self.generator, device=crops.device)
        return chosen + grain * self._uniform(len(which), 0, self.recipe.noise_sigma)
