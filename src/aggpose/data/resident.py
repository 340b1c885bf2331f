"""Training data that stays in the device's memory, augmented there.

Pictures are decoded once. For each sample the processor only draws the crop (`augment.sample_crop`,
the same as for files) and the numbers of the pixel changes; a GPU cuts and changes a whole batch at
once. Made for small pictures, such as `shrink` writes: they are kept padded to the largest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from aggpose.data.augment import AugmentRecipe
from aggpose.data.coco import People
from aggpose.data.dataset import PeopleDataset, SampleKey, draw_crop, labels_of
from aggpose.data.pictures import read_rgb

_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


class ResidentPeople(Dataset[dict[str, Any]]):
    """What `PeopleDataset` holds, as numbers without pixels; `Album` has the pictures.

    A sample is a dict of ``picture`` (index in the album), ``to_picture`` (2, 3) float32 from
    crop px to picture px, ``points`` (K, 2), ``weights`` (K,), ``size`` (2,) width and height of
    the crop, ``seed``, and ``numbers`` of the pixel changes (`pixel_numbers`).
    from_files: the same people with pixels.
    """

    def __init__(self, people: Sequence[People], recipe: AugmentRecipe) -> None:
        self.from_files = PeopleDataset(people, recipe)
        self.skeleton, self.recipe = self.from_files.skeleton, recipe
        self.records = self.from_files.records
        paths = dict.fromkeys(record.image_path for record in self.records)
        self.paths = list(paths)
        self._number = {path: i for i, path in enumerate(paths)}

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: SampleKey) -> dict[str, Any]:
        person = self.records[key.index]
        rng = np.random.default_rng([key.seed, key.epoch, key.position])
        alone = self.from_files.alone(person)
        crop = draw_crop(
            person, person.image_size, self.skeleton, self.recipe, rng, key.input_size, alone
        )
        points, weights = labels_of(person, crop, self.skeleton, key.input_size)
        affine = np.vstack([crop.affine(key.input_size), [0, 0, 1]])
        return {
            "picture": self._number[person.image_path],
            "to_picture": torch.from_numpy(np.linalg.inv(affine)[:2].astype(np.float32)),
            "points": torch.from_numpy(points.astype(np.float32)),
            "weights": torch.from_numpy(weights),
            "size": torch.tensor(key.input_size),
            "numbers": torch.from_numpy(pixel_numbers(self.recipe, rng)),
            "seed": int(rng.integers(2**62)),
        }


def pixel_numbers(recipe: AugmentRecipe, rng: np.random.Generator) -> np.ndarray:
    """(26,) float32: brightness, contrast, saturation, hue (turns), blur (sigma, px of a crop 256
    high, 0: none), noise (grey levels), then `_OCCLUDERS` times x, y, width, height (shares of the
    crop; width 0: none) and grey."""
    numbers = np.zeros(6 + 5 * _OCCLUDERS, np.float32)
    numbers[:3] = 1.0
    if rng.random() < recipe.colour_probability:
        numbers[:3] = [rng.uniform(max(0, 1 - r), 1 + r) for r in recipe.colour[:3]]
        numbers[3] = rng.uniform(-recipe.colour[3], recipe.colour[3])
    if rng.random() < recipe.blur:
        numbers[4] = rng.uniform(0.3, 2.0)
    if rng.random() < recipe.noise:
        numbers[5] = rng.uniform(0, recipe.noise_sigma)
    if rng.random() < recipe.occluders:
        for i in range(int(rng.integers(1, min(_OCCLUDERS, recipe.max_occluders) + 1))):
            width, height = rng.uniform(0.08, 0.35, 2)
            place = rng.uniform(0, 1, 2) * (1 - width, 1 - height)
            numbers[6 + 5 * i : 11 + 5 * i] = (*place, width, height, rng.uniform(0, 255))
    return numbers


_OCCLUDERS = 4


class Album:
    """Pictures in the device's memory: (N, 3, S, S) uint8 RGB, at the top left of their squares."""

    def __init__(self, paths: Sequence[Any], device: torch.device | str) -> None:
        sizes = [read_rgb(path).shape[:2] for path in paths]
        side = max(max(size) for size in sizes)
        self.pictures = torch.zeros((len(paths), 3, side, side), dtype=torch.uint8, device=device)
        self.sizes = torch.tensor([size[::-1] for size in sizes], device=device)
        for i, path in enumerate(paths):
            image = torch.from_numpy(read_rgb(path)).permute(2, 0, 1)
            self.pictures[i, :, : image.shape[1], : image.shape[2]] = image.to(device)

    def cut(self, batch: dict[str, Tensor]) -> Tensor:
        """(B, 3, H, W) float32, 0 to 255: the crops of a batch, black outside of the pictures."""
        width, height = batch["size"][0].tolist()
        pictures = self.pictures[batch["picture"]].float()
        side = pictures.shape[-1]
        x = torch.arange(width, device=pictures.device, dtype=torch.float32)
        y = torch.arange(height, device=pictures.device, dtype=torch.float32)
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)  # (H, W, 2)
        affine = batch["to_picture"]
        places = torch.einsum("hwc,bdc->bhwd", grid, affine[:, :, :2]) + affine[:, None, None, :, 2]
        crops = F.grid_sample(
            pictures, 2 * places / (side - 1) - 1, mode="bilinear", align_corners=True
        )
        limit = self.sizes[batch["picture"]].float()[:, None, None]
        inside = ((places > -1) & (places < limit)).all(dim=-1)
        return crops * inside[:, None]


def change_pixels(crops: Tensor, numbers: Tensor, seeds: Tensor) -> Tensor:
    """Pixel changes of crops (B, 3, H, W), 0 to 255, by `pixel_numbers` (B, 26); seeds: (B,) of the
    noise, of which the first counts for the batch."""
    crops = _occlude(crops, numbers[:, 6:])
    brightness, contrast, saturation, hue = (n[:, None, None, None] for n in numbers[:, :4].T)
    crops = crops * brightness
    mean = crops.mean(dim=(1, 2, 3), keepdim=True)
    crops = ((crops - mean) * contrast + mean).clamp(0, 255)
    crops = _tint(crops, saturation[:, 0], hue[:, 0]).clamp(0, 255)
    crops = _blur(crops, numbers[:, 4])
    noise = numbers[:, 5]
    if bool((noise > 0).any()):
        generator = torch.Generator(device=crops.device).manual_seed(int(seeds[0]) % 2**62)
        grain = torch.randn(crops.shape, generator=generator, device=crops.device)
        crops = crops + grain * noise[:, None, None, None]
    return crops.clamp(0, 255)


def _occlude(crops: Tensor, numbers: Tensor) -> Tensor:
    height, width = crops.shape[2:]
    x = torch.linspace(0, 1, width, device=crops.device)[None, None]
    y = torch.linspace(0, 1, height, device=crops.device)[None, :, None]
    for part in numbers.unflatten(1, (_OCCLUDERS, 5)).unbind(1):
        left, top, wide, high, grey = (n[:, None, None] for n in part.T)
        hidden = (wide > 0) & (x >= left) & (x < left + wide) & (y >= top) & (y < top + high)
        crops = torch.where(hidden[:, None], grey[:, None], crops)
    return crops


def _tint(crops: Tensor, saturation: Tensor, hue: Tensor) -> Tensor:
    """Saturation and a turn of the hue, in YIQ. saturation, hue: (B, 1, 1)."""
    yiq = _YIQ.to(crops.device)
    angle = hue * 2 * torch.pi
    c, s = saturation * torch.cos(angle), saturation * torch.sin(angle)
    one, zero = torch.ones_like(c), torch.zeros_like(c)
    rows = [(one, zero, zero), (zero, c, -s), (zero, s, c)]
    turn = torch.cat([torch.cat(row, dim=2) for row in rows], dim=1)  # (B, 3, 3)
    matrix = torch.linalg.inv(yiq) @ turn @ yiq
    return torch.einsum("bij,bjhw->bihw", matrix, crops)


def _blur(crops: Tensor, sigmas: Tensor) -> Tensor:
    which = (sigmas > 0).nonzero()[:, 0]
    if len(which) == 0:
        return crops
    height = crops.shape[2]
    chosen, sigma = crops[which], sigmas[which] * height / 256
    reach = 6
    offsets = torch.arange(-reach, reach + 1, device=crops.device)
    kernel = torch.exp(-0.5 * (offsets / sigma[:, None].clamp(min=0.15)) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(3, 0)[
        :, None
    ]  # (3n,1,13)
    flat = chosen.flatten(0, 1)[None]
    pad = F.pad(flat, (reach, reach, reach, reach), mode="replicate")
    rows = F.conv2d(pad, kernel[:, :, None, :], groups=kernel.shape[0])
    done = F.conv2d(rows, kernel[:, :, :, None], groups=kernel.shape[0])
    return crops.index_copy(0, which, done[0].unflatten(0, (len(which), 3)))
