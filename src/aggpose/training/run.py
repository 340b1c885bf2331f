"""From a recipe to weights: data, trainer, checkpoints, the final file."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from aggpose.errors import UserError
from aggpose.network import (
    AggPose,
    save_checkpoint,
    select_keypoints,
)
from aggpose.training.callbacks import BestWeights, PlaceKeeper, ProgressLines
from aggpose.training.module import PoseModule
from aggpose.training.people import PeopleLoaders, TrainingData, read_training_data
from aggpose.training.recipe import PROCESSES, Recipe, refuse_changed
from aggpose.training.start import make_network, training_meta

LAST = "last.ckpt"

_NOT_OURS = (
    ".*does not have many workers.*",
    ".*overridden `on_after_batch_transfer`.*",
    ".*(re-)?instantiate your .*sampler.*",
    ".*dataloader is not resumable.*",  # `EpochBatches.start_batch` resumes it
    ".*in eval mode at the start of training.*",  # the running mean stays so
    ".*isinstance\\(treespec, LeafSpec\\).*",
)
"""Lightning's warnings that do not hold here."""


def train(
    recipe: Recipe,
    resume: bool = False,
    devices: int = 1,
    nodes: int = 1,
    say: Callable[[str], None] = print,
) -> Path | None:
    """Train by a recipe; returns the path of the final weights (``weights.safetensors``), None in
    all processes but the first.

    Writes into ``recipe.out``: ``recipe.json``, ``logs/`` (CSV and TensorBoard), ``checkpoints/``
    (``last.ckpt`` to resume from, the best by validation AP), ``weights.safetensors``, all
    atomically.
    resume: go on from ``last.ckpt``: same data order, optimiser, average and schedule.
    devices, nodes: processes a machine and machines, for DDP (under torchrun or SLURM too).
    """
    checkpoints = recipe.out / "checkpoints"
    last = checkpoints / LAST
    rank = int(os.environ.get("LOCAL_RANK", 0))
    if resume and not last.is_file():
        raise UserError(f"{last}: no checkpoint to resume from; start without --resume")
    if not resume and last.is_file() and rank == 0:
        raise UserError(
            f"{last}: a run is already there; give --resume to go on, or out=FOLDER for a new one"
        )
    written = recipe.out / "recipe.json"
    if resume and written.is_file():
        before = json.loads(written.read_text(encoding="utf-8"))
        refuse_changed(recipe, devices * nodes, before, written)
    if recipe.training.threads:
        torch.set_num_threads(recipe.training.threads)
    data = read_training_data(recipe, say if rank == 0 else _silent)
    net = make_network(recipe, say if rank == 0 else _silent)
    # the last, short window of an epoch makes a step too
    steps = -(-len(data.batches(recipe, 0, devices * nodes)) // recipe.training.accumulate)
    module = PoseModule(net, recipe, steps)
    module.validation_people = data.validation
    _prepare_folder(recipe, devices * nodes)

    def write(net: AggPose, path: Path) -> None:
        write_weights(net, path, recipe, data)

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # no tips
    trainer = _trainer(recipe, devices, nodes, steps, say, write)
    with warnings.catch_warnings():
        for words in _NOT_OURS:
            warnings.filterwarnings("ignore", message=words)
        trainer.fit(
            module,
            datamodule=PeopleLoaders(data, recipe),
            ckpt_path=str(last) if resume else None,
            weights_only=False if resume else None,
        )
    final = recipe.out / "weights.safetensors"
    if trainer.is_global_zero:
        left = [n for n in data.dataset.skeleton.keypoints if n not in data.labelled]
        if left:
            say(f"left out of the weights, for no training picture labels them: {', '.join(left)}")
        write_weights(module.best_net, final, recipe, data)
        return final
    return None


def write_weights(net: AggPose, path: Path, recipe: Recipe, data: TrainingData) -> None:
    """Write a network with only the key points that the training data labels: the maps of the
    others were never taught and would be invented."""
    skeleton = data.dataset.skeleton
    which = [i for i, name in enumerate(skeleton.keypoints) if name in data.labelled]
    chosen = select_keypoints(net, which)
    save_checkpoint(chosen, path, training_meta(recipe, chosen, data.labelled))


def _trainer(
    recipe: Recipe,
    devices: int,
    nodes: int,
    steps: int,
    say: Callable[[str], None],
    write: Callable[[AggPose, Path], None],
) -> L.Trainer:
    training = recipe.training
    folder = recipe.out / "checkpoints"
    on_terminal = sys.stderr.isatty()
    callbacks: list[Callback] = [
        BestWeights(folder / "best.safetensors", write),
        PlaceKeeper(folder / LAST, training.checkpoint_every_steps),
    ]
    if not on_terminal:
        callbacks.append(ProgressLines(say))
    accelerator = training.accelerator
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return _make_trainer(recipe, accelerator, devices, nodes, steps, callbacks, on_terminal)
    except MisconfigurationException as error:
        raise UserError(
            f"--devices {devices} of accelerator {accelerator} cannot be used: {error}"
        ) from None


def _make_trainer(
    recipe: Recipe,
    accelerator: str,
    devices: int,
    nodes: int,
    steps: int,
    callbacks: list[Callback],
    on_terminal: bool,
) -> L.Trainer:
    training = recipe.training
    return L.Trainer(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy="ddp" if devices * nodes > 1 else "auto",
        precision=training.precision,
        max_epochs=training.epochs,
        accumulate_grad_batches=training.accumulate,
        gradient_clip_val=training.clip or None,
        check_val_every_n_epoch=training.validate_every_epochs,
        num_sanity_val_steps=0,
        limit_val_batches=1.0 if recipe.data.validation else 0,
        use_distributed_sampler=False,
        callbacks=callbacks,
        enable_checkpointing=False,
        enable_progress_bar=on_terminal,
        enable_model_summary=False,
        log_every_n_steps=min(20, steps),
        logger=[
            CSVLogger(recipe.out, name="logs", version=_csv_version(recipe.out / "logs")),
            TensorBoardLogger(recipe.out, name="logs", version="tensorboard"),
        ],
    )


def _csv_version(logs: Path) -> str:
    """``csv``, then ``csv-2`` and so on for resumed runs: Lightning's logger begins anew each time
    and would drop the lines from before."""
    number = len(list(logs.glob("csv*"))) + 1
    return "csv" if number == 1 else f"csv-{number}"


def _silent(text: str) -> None:
    del text


def _prepare_folder(recipe: Recipe, processes: int) -> None:
    try:
        recipe.out.mkdir(parents=True, exist_ok=True)
        temporary = recipe.out / f".recipe.{os.getpid()}.tmp"
        content = recipe.model_dump(mode="json") | {PROCESSES: processes}
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
        temporary.replace(recipe.out / "recipe.json")
    except OSError as error:
        raise UserError(f"{recipe.out}: cannot be written ({error.strerror})") from None
