"""Synthetic infants rendered while a network trains, without a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from aggpose.data.augment import AugmentRecipe
from aggpose.data.coco import Person
from aggpose.data.dataset import make_sample
from aggpose.skeleton import INFANT24, Skeleton
from aggpose.synthetic.picture import Kit, Picture, make_pictures


class SyntheticInfants(IterableDataset[dict[str, Any]]):
    """An endless stream of training samples, each of a picture that is made for it.

    The n-th sample is a function of (seed, first + n) alone. Workers of a ``DataLoader`` share the
    numbers: worker w of W takes every W-th. A sample is what `data.dataset.PeopleDataset` gives:
    ``image`` (3, H, W) uint8 RGB, ``points`` (K, 2) heat-map px, ``weights`` (K,).

    size: (width, height) px of the rendered picture; input_size: of the crop. first: number to
    begin with, to go on after a stop. batch: pictures rendered together (a GPU wants many).
    photos: (H, W, 3) uint8 RGB backgrounds. device: of the renderer.
    """

    def __init__(
        self,
        seed: int,
        recipe: AugmentRecipe,
        input_size: tuple[int, int] = (192, 256),
        skeleton: Skeleton = INFANT24,
        size: tuple[int, int] = (256, 256),
        first: int = 0,
        batch: int = 8,
        photos: Sequence[np.ndarray] = (),
        device: str = "cpu",
    ) -> None:
        self.seed, self.recipe, self.input_size = seed, recipe, input_size
        self.skeleton, self.size, self.first = skeleton, size, first
        self.batch, self.photos, self.device = batch, photos, device

    def __iter__(self) -> Iterator[dict[str, Any]]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        kit = Kit(self.device, self.photos)
        number = self.first + worker
        while True:
            numbers = [number + workers * i for i in range(self.batch)]
            for index, picture in make_pictures(kit, self.seed, numbers, self.size):
                yield self._sample(index, picture)
            number += workers * self.batch

    def _sample(self, index: int, picture: Picture) -> dict[str, Any]:
        return make_sample(
            picture.image,
            person_of(picture, self.skeleton),
            self.skeleton,
            self.recipe,
            np.random.default_rng([self.seed, 5, index]),
            self.input_size,
        )


def person_of(picture: Picture, skeleton: Skeleton = INFANT24) -> Person:
    """A picture's infant as the people of annotation files are; points outside of the picture keep
    their places, and count as labelled, for they are known."""
    order = [INFANT24.index(name) for name in skeleton.keypoints]
    height, width = picture.image.shape[:2]
    return Person(
        image_path=Path(),
        image_id=0,
        annotation_id=0,
        image_size=(width, height),
        box=np.array(picture.box),
        area=float(picture.mask.sum()),
        keypoints=picture.keypoints[order].astype(np.float32),
        visibility=np.maximum(picture.visibility[order], 1).astype(np.int8),
    )
