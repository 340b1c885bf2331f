"""The people of a recipe, and the loaders that hand them to the trainer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightning as L
import numpy as np
import torch
from torch.utils.data import DataLoader

from aggpose.data.coco import People, read_nobody, read_people
from aggpose.data.dataset import EpochBatches, PeopleDataset, ValidationDataset
from aggpose.errors import UserError
from aggpose.skeleton import get_skeleton
from aggpose.training.recipe import DataSource, NobodySource, Recipe, validated_skeleton


@dataclass(frozen=True)
class TrainingData:
    """People to learn from, people to validate on (or None), and the order's generator.

    lengths: people of each data set. labelled: names of the key points that any of them labels.
    """

    dataset: PeopleDataset
    validation: People | None
    lengths: tuple[int, ...]
    labelled: tuple[str, ...]

    def batches(self, recipe: Recipe, rank: int = 0, world: int = 1) -> EpochBatches:
        data, training = recipe.data, recipe.training
        sizes = [(0, data.input_size)]
        if data.low_resolution:
            low = data.low_resolution
            sizes = [(0, low.input_size), (low.epochs, data.input_size)]
        sources: tuple[DataSource | NobodySource, ...] = (*data.train, *data.nobody)
        weights = [source.weight for source in sources]
        return EpochBatches(
            self.lengths, weights, training.batch_size, training.seed, sizes, rank, world
        )


def read_training_data(recipe: Recipe, say: Callable[[str], None] = print) -> TrainingData:
    """Read the recipe's annotation files; what is left out is counted and said."""
    skeleton = get_skeleton(recipe.skeleton)

    def read(source: DataSource) -> People:
        annotations, images = recipe.data.located(source)
        people = read_people(annotations, images, skeleton)
        skipped = ", ".join(f"{n} {why}" for why, n in people.skipped.items()) or "none"
        say(f"{annotations}: {len(people.records)} people, left out: {skipped}")
        if not people.records:
            raise UserError(f"{annotations}: no usable person (left out: {skipped})")
        return people

    if recipe.data.validation:
        validated_skeleton(recipe)
    train = [read(source) for source in recipe.data.train]
    validation = read(recipe.data.validation) if recipe.data.validation else None
    taught = np.any([p.labelled for p in train], axis=0)
    labelled = tuple(n for n, known in zip(skeleton.keypoints, taught, strict=True) if known)
    for nobody in recipe.data.nobody:
        pictures = read_nobody(recipe.data.root / nobody.images, skeleton, nobody.held_out)
        say(f"{recipe.data.root / nobody.images}: {len(pictures.records)} pictures of nobody")
        train.append(pictures)
    dataset = PeopleDataset(train, recipe.augment)
    return TrainingData(dataset, validation, tuple(len(p.records) for p in train), labelled)


class PeopleLoaders(L.LightningDataModule):
    """Loaders that know which process they serve and where a resumed epoch goes on."""

    def __init__(self, data: TrainingData, recipe: Recipe) -> None:
        super().__init__()
        self.data, self.recipe = data, recipe

    def train_dataloader(self) -> DataLoader[Any]:
        trainer = self.trainer
        assert trainer is not None
        batches = self.data.batches(self.recipe, trainer.global_rank, trainer.world_size)
        # not current_epoch, which a checkpoint of an epoch's end still has one too low
        epochs: Any = trainer.fit_loop.epoch_progress.current
        batches.set_epoch(epochs.processed)
        progress: Any = trainer.fit_loop.epoch_loop.batch_progress.current
        batches.start_batch = progress.processed % len(batches)
        workers = self.recipe.data.workers
        return DataLoader(
            self.data.dataset,
            batch_sampler=batches,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def val_dataloader(self) -> Any:
        if self.data.validation is None:
            return []
        trainer = self.trainer
        assert trainer is not None
        people = ValidationDataset(
            self.data.validation,
            self.recipe.data.input_size,
            self.recipe.augment.upright > 0,
        )
        sampler: Any = None
        if trainer.world_size > 1:
            # everyone once: DistributedSampler would repeat some to fill up
            sampler = range(trainer.global_rank, len(people), trainer.world_size)
        return DataLoader(people, batch_size=self.recipe.training.batch_size, sampler=sampler)
