"""One training step, one validation, optimiser and schedule, as a LightningModule."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from aggpose.data.coco import People
from aggpose.data.dataset import normalise
from aggpose.decoding import decode_maps
from aggpose.errors import UserError
from aggpose.geometry import apply_affine
from aggpose.meta import IMAGENET_MEAN, IMAGENET_STD, ModelMeta
from aggpose.network import AggPose
from aggpose.skeleton import get_skeleton
from aggpose.training.ema import WeightAverage
from aggpose.training.losses import heatmap_loss
from aggpose.training.recipe import Recipe
from aggpose.training.start import make_optimiser, training_meta


class PoseModule(L.LightningModule):
    """Trains `AggPose` by a `Recipe`.

    Checkpoints hold network, average, optimiser, schedule and the place in the epoch. Randomness of
    the network (stochastic depth) is drawn anew from (seed, step, process) at every step, so that
    a resumed run draws the same.
    """

    def __init__(self, net: AggPose, recipe: Recipe, steps_per_epoch: int) -> None:
        super().__init__()
        self.net = net
        self.recipe = recipe
        self.steps_per_epoch = steps_per_epoch
        ema = recipe.training.ema
        self.average = WeightAverage(net, ema) if ema else None
        self.validation_people: People | None = None
        self._results: list[dict[str, Any]] = []
        self._raw = torch.compile(net.raw) if recipe.training.compile else net.raw

    @property
    def best_net(self) -> AggPose:
        """The network that validation scores and that is saved: the average where there is one."""
        return self.average.net if self.average is not None else self.net

    @cached_property
    def meta(self) -> ModelMeta:
        """What the network says of itself, for decoding."""
        return training_meta(self.recipe, self.net, get_skeleton(self.recipe.skeleton).keypoints)

    def training_step(self, batch: dict[str, Tensor], batch_index: int) -> Tensor:
        images = normalise(batch["image"], IMAGENET_MEAN, IMAGENET_STD)
        with attention_for_training(images.device):
            maps = self._raw(images)
        loss = heatmap_loss(
            maps,
            batch["points"],
            batch["weights"],
            self.recipe.loss,
            self.recipe.data.input_size,
        )
        if not torch.isfinite(loss):
            raise UserError(
                f"the loss is {loss.item()} at step {self.global_step}: lower "
                "training.learning_rate, or set training.clip, and begin anew"
            )
        self.log("loss", loss, prog_bar=True, batch_size=len(images))
        return loss

    def on_train_batch_start(self, batch: Any, batch_index: int) -> None:
        epoch_seed = self.recipe.training.seed * 1_000_003 + self.current_epoch
        seed = (epoch_seed * 1_000_003 + batch_index) * 64 + self.global_rank
        torch.manual_seed(seed % 2**63)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        # here and not at the batch's end: a checkpoint written there must hold this step's average
        if self.average is not None:
            self.average.update(self.net)

    def validation_step(self, batch: dict[str, Tensor], batch_index: int) -> None:
        images = normalise(batch["image"], IMAGENET_MEAN, IMAGENET_STD)
        # in full precision whatever the training's, as the finished network will run
        with torch.autocast(images.device.type, enabled=False):
            maps = self.best_net(images.float()).cpu().numpy()
        coords, scores = decode_maps(maps, self.meta)
        to_picture = batch["to_picture"].cpu().numpy()
        assert self.validation_people is not None
        for i, index in enumerate(batch["index"].tolist()):
            person = self.validation_people.records[index]
            points = apply_affine(to_picture[i], coords[i])
            triples = np.concatenate([points, scores[i][:, None]], axis=1)
            self._results.append({"image_id": person.image_id, "keypoints": triples})

    def on_validation_epoch_end(self) -> None:
        results, self._results = self._results, []
        if self.trainer.world_size > 1:
            gathered: list[Any] = [None] * self.trainer.world_size
            torch.distributed.all_gather_object(gathered, results)
            results = [result for part in gathered for result in part]
        if self.trainer.sanity_checking:
            return
        from aggpose.training.validation import validation_ap

        assert self.validation_people is not None
        ap = validation_ap(self.recipe, self.validation_people.skeleton, results)
        self.log("val_ap", ap, prog_bar=True, rank_zero_only=False, sync_dist=False)

    def configure_optimizers(self) -> Any:
        training = self.recipe.training
        # with mixed precision Lightning refuses to clip what a fused optimiser could un-scale
        fused = training.precision == "32-true" or not training.clip
        optimiser = make_optimiser(self.net, training, fused)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: learning_rate_factor(step, self.recipe, self.steps_per_epoch)
        )
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def attention_for_training(device: torch.device) -> AbstractContextManager[None]:
    """On a CPU the plain form of torch's attention: with the few keys that AggPose reduces to, the
    gradient of the fused form takes three times as long (`benchmarks/loader.py`)."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


def learning_rate_factor(step: int, recipe: Recipe, steps_per_epoch: int) -> float:
    """The schedule's factor of the learning rate at an optimiser step."""
    schedule = recipe.schedule
    if step < schedule.warmup_steps:
        return (step + 1) / schedule.warmup_steps
    if schedule.kind == "step":
        epoch = step / steps_per_epoch
        return schedule.factor ** sum(epoch >= milestone for milestone in schedule.milestones)
    total = max(1, recipe.training.epochs * steps_per_epoch - schedule.warmup_steps)
    part = min(1.0, (step - schedule.warmup_steps) / total)
    return schedule.final + (1 - schedule.final) * 0.5 * (1 + math.cos(math.pi * part))
