"""What watches a training: the place to resume from, the best weights, plain lines of progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from aggpose.network import AggPose
from aggpose.training.module import PoseModule


class PlaceKeeper(Callback):
    """Writes ``last.ckpt`` every so many steps and at each epoch's end, atomically."""

    def __init__(self, path: Path, every_steps: int) -> None:
        self.path, self.every_steps = path, every_steps
        self._saved_step = -1

    def _save(self, trainer: L.Trainer) -> None:
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        trainer.save_checkpoint(temporary)  # every process takes part, the first one writes
        if trainer.is_global_zero:
            temporary.replace(self.path)
        trainer.strategy.barrier()
        self._saved_step = trainer.global_step

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return  # gradients that are still gathered are in no checkpoint
        if batch_idx + 1 == trainer.num_training_batches:
            return  # validation comes first; the end of the epoch saves
        step = trainer.global_step
        if step % self.every_steps == 0 and step != self._saved_step:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._save(trainer)


class BestWeights(Callback):
    """Keeps ``best.safetensors``, the weights of the highest validation AP so far."""

    def __init__(self, path: Path, write: Callable[[AggPose, Path], None]) -> None:
        self.path, self.write = path, write
        self.best_ap = -1.0

    def state_dict(self) -> dict[str, Any]:
        return {"best_ap": self.best_ap}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_ap = state_dict["best_ap"]

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        ap = trainer.callback_metrics.get("val_ap")
        if trainer.sanity_checking or ap is None or float(ap) <= self.best_ap:
            return
        self.best_ap = float(ap)
        if trainer.is_global_zero:
            assert isinstance(pl_module, PoseModule)
            self.write(pl_module.best_net, self.path)


class ProgressLines(Callback):
    """A line every so many seconds, for terminals that show no bar, and after each validation."""

    def __init__(self, say: Callable[[str], None], seconds: float = 30.0) -> None:
        self.say, self.seconds = say, seconds
        self._time, self._step = 0.0, 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._time, self._step = time.monotonic(), trainer.global_step

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        passed = time.monotonic() - self._time
        if passed < self.seconds or not trainer.is_global_zero:
            return
        assert isinstance(pl_module, PoseModule)
        training = pl_module.recipe.training
        batch = training.batch_size * training.accumulate * trainer.world_size
        rate = (trainer.global_step - self._step) * batch / passed
        loss = float(trainer.callback_metrics.get("loss", float("nan")))
        total = pl_module.steps_per_epoch * training.epochs
        self.say(
            f"epoch {trainer.current_epoch + 1}/{training.epochs} "
            f"step {trainer.global_step}/{total} "
            f"loss {loss:.4f} {rate:.1f} samples/s"
        )
        self._time, self._step = time.monotonic(), trainer.global_step

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        ap = trainer.callback_metrics.get("val_ap")
        if ap is not None and not trainer.sanity_checking and trainer.is_global_zero:
            self.say(f"epoch {trainer.current_epoch + 1}: validation AP {100 * float(ap):.2f}")
