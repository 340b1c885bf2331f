"""Samples for training and validation, and their order.

The order and every random draw are functions of (seed, epoch, position), so that a run that was
killed goes on with exactly the samples it would have seen, whatever the number of workers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from aggpose.data.augment import AugmentRecipe, Crop, augment_pixels, sample_crop
from aggpose.data.coco import People, Person
from aggpose.data.pictures import read_rgb, warp_picture
from aggpose.errors import UserError
from aggpose.geometry import (
    apply_affine,
    box_to_crop,
    crop_affine,
    heatmap_to_picture,
    turned_box,
    upright_rotation,
)
from aggpose.meta import HEATMAP_STRIDE
from aggpose.skeleton import Skeleton

NOWHERE = -1e4
"""Heat-map px: where the points of nobody lie."""


@dataclass(frozen=True)
class SampleKey:
    """One draw: which person, and the (seed, epoch, position) that its randomness comes from."""

    index: int
    seed: int
    epoch: int
    position: int
    input_size: tuple[int, int]


class PeopleDataset(Dataset[dict[str, Any]]):
    """Augmented training samples of one or several `People` with a common skeleton.

    A sample is a dict of ``image`` (3, H, W) uint8 RGB, ``points`` (K, 2) float32 in heat-map px,
    ``weights`` (K,) float32, 1 where the point is labelled; it may lie outside of the map, and does
    so in pictures of nobody.
    """

    def __init__(self, people: Sequence[People], recipe: AugmentRecipe) -> None:
        self.skeleton: Skeleton = people[0].skeleton
        if any(p.skeleton != self.skeleton for p in people):
            raise ValueError("all data sets of one training must be read for one skeleton")
        self.records: list[Person] = [r for p in people for r in p.records]
        self.recipe = recipe
        self._in_picture = Counter(r.image_path for r in self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: SampleKey) -> dict[str, Any]:
        person = self.records[key.index]
        return make_sample(
            read_rgb(person.image_path),
            person,
            self.skeleton,
            self.recipe,
            np.random.default_rng([key.seed, key.epoch, key.position]),
            key.input_size,
            self.alone(person),
        )

    def alone(self, person: Person) -> bool:
        """Whether nobody else is labelled in the picture of a person."""
        return self._in_picture[person.image_path] == 1 and not person.nobody


def make_sample(
    image: np.ndarray,
    person: Person,
    skeleton: Skeleton,
    recipe: AugmentRecipe,
    rng: np.random.Generator,
    input_size: tuple[int, int],
    alone: bool = True,
) -> dict[str, Any]:
    """One augmented training sample, as `PeopleDataset` describes it.

    image: (H, W, 3) uint8 RGB. input_size: (width, height). alone: whether nobody else is in the
    picture.
    """
    crop = draw_crop(
        person, (image.shape[1], image.shape[0]), skeleton, recipe, rng, input_size, alone
    )
    pixels = warp_picture(image, crop.affine(input_size), input_size)
    pixels = augment_pixels(pixels, recipe, rng)
    points, weights = labels_of(person, crop, skeleton, input_size)
    return {
        "image": torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))),
        "points": torch.from_numpy(points.astype(np.float32)),
        "weights": torch.from_numpy(weights),
    }


def draw_crop(
    person: Person,
    picture_size: tuple[int, int],
    skeleton: Skeleton,
    recipe: AugmentRecipe,
    rng: np.random.Generator,
    input_size: tuple[int, int],
    alone: bool,
) -> Crop:
    """Where a sample is cut; sizes are (width, height) px, the rest as in `make_sample`."""
    return sample_crop(
        _random_box(*picture_size, rng) if person.nobody else person.box,
        person.keypoints,
        person.visibility,
        skeleton,
        input_size[0] / input_size[1],
        recipe,
        rng,
        picture_size if alone else None,
    )


def labels_of(
    person: Person, crop: Crop, skeleton: Skeleton, input_size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """``points`` (K, 2) heat-map px and ``weights`` (K,) of a crop, mirrored where it is."""
    width, height = input_size
    points = apply_affine(
        crop.affine((width // HEATMAP_STRIDE, height // HEATMAP_STRIDE)), person.keypoints
    )
    weights = (person.visibility > 0).astype(np.float32)
    if person.nobody or crop.wrong_way:
        return np.full_like(points, NOWHERE), np.ones_like(weights)
    if crop.mirrored:
        points, weights = points[skeleton.mirror], weights[skeleton.mirror]
    return points, weights


def _random_box(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """(4,) xywh px: some part of a picture, from a quarter of its sides to all of it."""
    sides = np.array([width, height]) * rng.uniform(0.25, 1.0, 2)
    corner = rng.uniform(0, 1, 2) * (np.array([width, height]) - sides)
    return np.concatenate([corner, sides])


class ValidationDataset(Dataset[dict[str, Any]]):
    """Plain crops of labelled boxes, with what is needed to bring key points back to the picture.

    A sample is ``image`` (3, H, W) uint8, ``index`` of the record, and ``to_picture`` (2, 3), the
    affine from heat-map px to picture px. upright: turned by the labels so that the trunk points
    up, for networks that know people so; `aggpose evaluate` finds the turn without labels.
    """

    def __init__(self, people: People, input_size: tuple[int, int], upright: bool = False) -> None:
        self.records, self.skeleton = people.records, people.skeleton
        self.input_size, self.upright = input_size, upright

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> dict[str, Any]:
        person = self.records[index]
        width, height = self.input_size
        turn = 0.0
        if self.upright:
            labelled = person.visibility > 0
            turn = upright_rotation(person.keypoints, labelled, self.skeleton) or 0.0
        center, size = box_to_crop(turned_box(person.box, turn), width / height)
        affine = crop_affine(center, size, turn, self.input_size)
        pixels = warp_picture(read_rgb(person.image_path), affine, self.input_size)
        heatmap_size = (width // HEATMAP_STRIDE, height // HEATMAP_STRIDE)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))),
            "index": index,
            "to_picture": torch.from_numpy(heatmap_to_picture(center, size, heatmap_size, turn)),
        }


class EpochBatches(Sampler[list[SampleKey]]):
    """Batches of `SampleKey`, the same for every run of one seed, split over processes.

    lengths, weights: size of each data set and how often each of its people is drawn an epoch; a
    fraction draws a random part. The k-th batch of all processes together is one slice of the
    epoch's order, so 2 processes with batches of n see what 1 process with batches of 2n sees. The
    last, incomplete batch is left out.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        weights: Sequence[float],
        batch_size: int,
        seed: int,
        sizes: Sequence[tuple[int, tuple[int, int]]],
        rank: int = 0,
        world: int = 1,
    ) -> None:
        """sizes: (first epoch, input size (width, height)), ascending, beginning with epoch 0."""
        self.lengths, self.weights = list(lengths), list(weights)
        self.batch_size, self.seed, self.sizes = batch_size, seed, list(sizes)
        self.rank, self.world = rank, world
        self.sampler = self  # where Lightning looks for set_epoch
        self.epoch = 0
        self.start_batch = 0
        if len(self) == 0:
            raise UserError(
                f"training.batch_size: {self._draws()} samples an epoch do not fill one batch of "
                f"{batch_size * world}; lower it"
            )

    def _draws(self) -> int:
        return sum(round(n * w) for n, w in zip(self.lengths, self.weights, strict=True))

    def __len__(self) -> int:
        return self._draws() // (self.batch_size * self.world)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def order(self, epoch: int) -> np.ndarray:
        """Indices of the people drawn in an epoch, in order."""
        rng = np.random.default_rng([self.seed, epoch])
        drawn, offset = [], 0
        for length, weight in zip(self.lengths, self.weights, strict=True):
            wanted = round(length * weight)
            rounds = -(-wanted // length) if length else 0
            indices = [rng.permutation(length) for _ in range(rounds)]
            drawn.append(offset + np.concatenate(indices)[:wanted] if indices else np.zeros(0, int))
            offset += length
        return rng.permutation(np.concatenate(drawn).astype(np.int64))

    def input_size(self, epoch: int) -> tuple[int, int]:
        return [size for first, size in self.sizes if first <= epoch][-1]

    def __iter__(self) -> Iterator[list[SampleKey]]:
        epoch, order, size = self.epoch, self.order(self.epoch), self.input_size(self.epoch)
        start, self.start_batch = self.start_batch, 0
        for batch in range(start, len(self)):
            first = (batch * self.world + self.rank) * self.batch_size
            positions = range(first, first + self.batch_size)
            yield [SampleKey(int(order[p]), self.seed, epoch, p, size) for p in positions]


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(B, 3, H, W) uint8 RGB -> float32, (value / 255 - mean) / std, on the images' device."""
    offset = torch.tensor([255 * m for m in mean], device=images.device)[:, None, None]
    factor = torch.tensor([1 / (255 * s) for s in std], device=images.device)[:, None, None]
    return (images.float() - offset) * factor
