"""Crops of a whole batch drawn and cut on the training device, from tables of packed people.

The same augmentation as `augment.sample_crop`, batched: nothing waits for the processor.
Frames of reference and formulas are those of `aggpose.geometry`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from aggpose.data.augment import HALF_PADDING, WRONG_WAY_DEG, AugmentRecipe
from aggpose.data.dataset import NOWHERE
from aggpose.geometry import BOX_PADDING
from aggpose.meta import HEATMAP_STRIDE
from aggpose.skeleton import Skeleton


@dataclass(frozen=True)
class Crops:
    """Where B samples are cut: center, size (B, 2) px of the picture, rotation (B,) degrees,
    mirrored, nowhere (B,) bool: nobody is to be found in it."""

    center: Tensor
    size: Tensor
    rotation: Tensor
    mirrored: Tensor
    nowhere: Tensor

    def affine(self, output: tuple[int, int]) -> Tensor:
        """(B, 2, 3) from picture px to px of an output (width, height), as `Crop.affine`."""
        width, height = output
        factor = (width - 1) / (self.size[:, 0] - 1)
        angle = torch.deg2rad(self.rotation)
        cos, sin = factor * torch.cos(angle), factor * torch.sin(angle)
        side = torch.where(self.mirrored, -1.0, 1.0)
        x = (self.center[:, 0] * cos + self.center[:, 1] * sin) * -1 + (width - 1) * 0.5
        y = (self.center[:, 1] * cos - self.center[:, 0] * sin) * -1 + (height - 1) * 0.5
        x = torch.where(self.mirrored, width - 1 - x, x)
        rows = (side * cos, side * sin, x, -sin, cos, y)
        return torch.stack(rows, dim=1).unflatten(1, (2, 3))


def draw_crops(
    people: Mapping[str, Tensor],
    skeleton: Skeleton,
    aspect: float,
    recipe: AugmentRecipe,
    generator: torch.Generator,
) -> Crops:
    """Draw the crops of B samples. people: rows of a pack's tables (`packs.Pack`) on the device.
    aspect: width / height of the network's input."""
    boxes, sizes = people["boxes"], people["sizes"].float()
    device, count = boxes.device, len(boxes)

    def uniform(low: float = 0.0, high: float = 1.0, columns: int = 0) -> Tensor:
        shape = (count, columns) if columns else (count,)
        draw = torch.rand(shape, generator=generator, device=device)
        return low + (high - low) * draw

    def happens(probability: float) -> Tensor:
        return uniform() < probability

    turned = happens(recipe.upright) & ~people["upright"].isnan()
    wrong = turned & happens(recipe.wrong_way)
    turn = torch.where(turned, people["upright"], 0.0)
    turn = turn + torch.where(wrong, uniform(WRONG_WAY_DEG, 360 - WRONG_WAY_DEG), 0.0)

    sides = sizes * uniform(0.25, 1.0, 2)
    random_box = torch.cat([uniform(columns=2) * (sizes - sides), sides], dim=1)
    boxes = torch.where(people["nobody"][:, None], random_box, boxes)
    padding = torch.full((count,), BOX_PADDING, device=device)
    labelled = people["visibility"] > 0
    half, known = _half_boxes(people["keypoints"], labelled, skeleton, happens(0.5))
    halved = known & (labelled.sum(1) > recipe.half_body_above) & happens(recipe.half_body)
    boxes = torch.where(halved[:, None], half, boxes)
    padding = torch.where(halved, HALF_PADDING, padding)
    whole = people["whole"] & happens(recipe.whole_picture)
    everything = torch.cat([torch.zeros_like(sizes), sizes], dim=1)
    boxes = torch.where(whole[:, None], everything, boxes)
    padding = torch.where(whole, 1.0, padding)
    center, size = _crops_of(boxes, turn, aspect, padding)

    limit = 2 * recipe.rotation
    normal = torch.randn((count, 2), generator=generator, device=device)
    rotation = (normal[:, 0] * recipe.rotation).clamp(-limit, limit)
    rotation = torch.where(happens(recipe.rotation_probability), rotation, 0.0)
    anyhow = happens(recipe.full_rotation)
    rotation = torch.where(anyhow, uniform(-180, 180), rotation)
    rotation = torch.where(wrong, 0.0, rotation)
    factor = (normal[:, 1] * recipe.scale + 1).clamp(1 - recipe.scale, 1 + recipe.scale)
    offset = uniform(-recipe.shift, recipe.shift, 2) * size / BOX_PADDING
    return Crops(
        center + offset,
        size * factor[:, None],
        turn + rotation,
        happens(recipe.flip),
        wrong | people["nobody"],
    )


def _crops_of(boxes: Tensor, turn: Tensor, aspect: float, padding: Tensor) -> tuple[Tensor, Tensor]:
    """`turned_box`, then `box_to_crop`: centre and size (B, 2)."""
    angle = torch.deg2rad(turn)
    cos, sin = torch.cos(angle), torch.sin(angle)
    center = boxes[:, :2] + boxes[:, 2:] / 2
    width, height = boxes[:, 2], boxes[:, 3]
    wide = torch.hypot(width * cos, height * sin)
    high = torch.hypot(width * sin, height * cos)
    flat = wide > aspect * high
    size = torch.stack(
        [torch.where(flat, wide, high * aspect), torch.where(flat, wide / aspect, high)], dim=1
    )
    return center, size * padding[:, None]


def _half_boxes(
    keypoints: Tensor, labelled: Tensor, skeleton: Skeleton, upper_first: Tensor
) -> tuple[Tensor, Tensor]:
    """(B, 4) xywh boxes of the upper or lower points, and (B,) whether either has three."""
    upper = _upper(skeleton, keypoints.device)
    first = torch.where(upper_first[:, None], upper, ~upper)
    enough = (labelled & first).sum(1) > 2
    other = (labelled & ~first).sum(1) > 2
    chosen = labelled & torch.where(enough[:, None], first, ~first)
    low = keypoints.masked_fill(~chosen[..., None], math.inf).amin(1)
    high = keypoints.masked_fill(~chosen[..., None], -math.inf).amax(1)
    known = enough | other
    box = torch.cat([low, (high - low).clamp(min=4.0)], dim=1)
    return torch.where(known[:, None], box, 1.0), known


@lru_cache
def _upper(skeleton: Skeleton, device: torch.device) -> Tensor:
    """(K,) bool. Kept, for every copy to a device waits for it."""
    return torch.tensor([name in skeleton.upper for name in skeleton.keypoints], device=device)


def labels_of(
    people: Mapping[str, Tensor], crops: Crops, mirror: Tensor, input_size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """``points`` (B, K, 2) heat-map px and ``weights`` (B, K), as `dataset.labels_of`. mirror:
    (K,) the skeleton's, on the device."""
    width, height = input_size
    affine = crops.affine((width // HEATMAP_STRIDE, height // HEATMAP_STRIDE))
    # not as a matrix product, which GPUs may round to 10 bits
    points = (people["keypoints"][:, :, None] * affine[:, None, :, :2]).sum(-1)
    points = points + affine[:, None, :, 2]
    weights = (people["visibility"] > 0).float()
    side = crops.mirrored[:, None]
    points = torch.where(side[..., None], points[:, mirror], points)
    weights = torch.where(side, weights[:, mirror], weights)
    nowhere = crops.nowhere[:, None]
    points = torch.where(nowhere[..., None], NOWHERE, points)
    return points, torch.where(nowhere, 1.0, weights)


def cut(pictures: Tensor, sizes: Tensor, crops: Crops, input_size: tuple[int, int]) -> Tensor:
    """(B, 3, H, W) float32, 0 to 255: crops of pictures (B, 3, S, S) uint8, each of size (B, 2)
    (width, height) at the top left of its square; black outside."""
    width, height = input_size
    a, b, left, c, d, top = crops.affine(input_size).flatten(1)[..., None, None].unbind(1)
    device, side = pictures.device, pictures.shape[-1]
    x = torch.arange(width, device=device, dtype=torch.float32)[None, None, :] - left
    y = torch.arange(height, device=device, dtype=torch.float32)[None, :, None] - top
    determinant = a * d - b * c
    places = torch.stack(
        [(d * x - b * y) / determinant, (a * y - c * x) / determinant], dim=-1
    )  # (B, H, W, 2)
    crops_cut = F.grid_sample(
        pictures.float(), 2 * places / (side - 1) - 1, mode="bilinear", align_corners=True
    )
    inside = ((places > -1) & (places < sizes[:, None, None].float())).all(dim=-1)
    return crops_cut * inside[:, None]
