"""Training for so many seconds on a GPU that holds all of its data.

    python -m aggpose.training.timed RECIPE --packs runs/packs --out runs/gpu --seconds 600 \\
        --stage 96x128:0.55:256 --stage 160x192:1:256

For a machine that is there for minutes: pictures come as packs (`training.packs`), also while
it runs; crops are drawn, cut and changed on the device; the learning rate falls with the time that
has gone by, so that the end comes when the time is up. Of the recipe count skeleton, network,
initialise, augment, loss, schedule (warm-up and ``final``) and training's optimiser, learning
rate, weight decay, clip, ema and seed. Stages are input width x height, the share of the time at
which they end, and the batch size. OUT/seconds, a file with a number, changes the time while it
runs.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from aggpose.data.device_crops import cut, draw_crops, labels_of
from aggpose.data.device_pixels import PixelChanges
from aggpose.errors import UserError
from aggpose.meta import IMAGENET_MEAN, IMAGENET_STD
from aggpose.network import AggPose, save_checkpoint
from aggpose.network.layers import Block
from aggpose.skeleton import get_skeleton
from aggpose.training.album import Album, PackFolder
from aggpose.training.ema import WeightAverage
from aggpose.training.losses import heatmap_loss
from aggpose.training.recipe import Recipe, read_recipe
from aggpose.training.start import make_network, make_optimiser, training_meta

SAVE_EVERY = 45.0
"""Seconds between files of what has been learnt so far."""


def use_kernels(net: AggPose) -> None:
    """Kernels of our own for what the library is slow at; UserError without Triton."""
    try:
        from aggpose.training.fused import fuse
    except ImportError:
        raise UserError("--speedup kernels needs Triton; use --speedup blocks or none") from None
    fuse(net)


SPEEDUPS = ("kernels", "blocks", "whole", "none")
SPEEDUPS_HELP = "kernels of our own (aggpose.training.fused), or what torch.compile compiles"


@dataclass(frozen=True)
class Stage:
    """input_size: (width, height). until: share of the time. batch_size: samples a step."""

    input_size: tuple[int, int]
    until: float
    batch_size: int

    @classmethod
    def parse(cls, text: str) -> Stage:
        size, until, batch = text.split(":")
        width, height = size.split("x")
        return cls((int(width), int(height)), float(until), int(batch))


def compile_blocks(net: AggPose, backend: str = "inductor") -> None:
    """Compile the transformer blocks alone: those of one width and map size share one graph, so
    that it takes seconds instead of minutes."""
    for module in net.modules():
        if isinstance(module, Block):
            module.compile(dynamic=False, backend=backend)


class TimedTraining:
    """One run. say: where lines go."""

    def __init__(
        self,
        recipe: Recipe,
        packs: Path,
        out: Path,
        seconds: float,
        stages: Sequence[Stage],
        device: torch.device,
        speedup: Literal["kernels", "blocks", "whole", "none"],
        capacity: int = 80_000,
        side: int = 224,
        say: Callable[[str], None] = print,
    ) -> None:
        self.recipe, self.out, self.seconds, self.stages = recipe, out, seconds, stages
        self.device, self.say = device, say
        self.began = time.monotonic()
        self.skeleton = get_skeleton(recipe.skeleton)
        self.generator = torch.Generator(device=device).manual_seed(recipe.training.seed)
        rng = np.random.default_rng(recipe.training.seed)
        self.pixels = PixelChanges(recipe.augment, self.generator, rng)
        self.mirror = torch.as_tensor(self.skeleton.mirror, device=device)
        self.album = Album(capacity, side, device)
        self.folder = PackFolder(packs, self.album, say)
        if self.album.count == 0:
            raise UserError(f"{packs}: no packs (*.npz); make them with aggpose.training.packs")
        net = make_network(recipe, say)
        self.meta = training_meta(recipe, net, self.skeleton.keypoints)
        self.net = net.to(device).train()
        self.average = WeightAverage(self.net, recipe.training.ema)
        self.optimiser = make_optimiser(self.net, recipe.training, fused=True)
        self.mean = 255 * torch.tensor(IMAGENET_MEAN, device=device)[:, None, None]
        self.std = 255 * torch.tensor(IMAGENET_STD, device=device)[:, None, None]
        self._loss = self.loss
        if speedup == "whole":
            self._loss = torch.compile(self.loss, dynamic=False)
        elif speedup == "blocks":
            compile_blocks(self.net)
        elif speedup == "kernels":
            use_kernels(self.net)
        self.steps, self.samples = 0, 0

    def loss(self, crops: Tensor, points: Tensor, weights: Tensor) -> Tensor:
        images = (crops - self.mean) / self.std
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            maps = self.net.raw(images)
        size = self.recipe.data.input_size
        return heatmap_loss(maps.float(), points, weights, self.recipe.loss, size)

    def batch(self, stage: Stage) -> tuple[Tensor, Tensor, Tensor]:
        """crops (B, 3, H, W) 0 to 255, points (B, K, 2) heat-map px, weights (B, K)."""
        width, height = stage.input_size
        pictures, people = self.album.draw(stage.batch_size, self.generator)
        crops = draw_crops(
            people, self.skeleton, width / height, self.recipe.augment, self.generator
        )
        images = cut(pictures, people["sizes"], crops, stage.input_size)
        points, weights = labels_of(people, crops, self.mirror, stage.input_size)
        return self.pixels(images), points, weights

    def step(self, stage: Stage, factor: float) -> Tensor:
        with torch.no_grad():
            crops, points, weights = self.batch(stage)
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.training.learning_rate * factor
        loss = self._loss(crops, points, weights)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if self.recipe.training.clip:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.recipe.training.clip)
        self.optimiser.step()
        self.average.update(self.net)
        self.steps += 1
        self.samples += stage.batch_size
        return loss.detach()

    def part(self) -> float:
        """Share of the time that has gone by."""
        return (time.monotonic() - self.began) / self.seconds

    def factor(self, part: float) -> float:
        """Of the learning rate: linear warm-up by steps, cosine by time."""
        schedule = self.recipe.schedule
        warm = min(1.0, (self.steps + 1) / max(1, schedule.warmup_steps))
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, part)))
        return warm * (schedule.final + (1 - schedule.final) * cosine)

    def run(self) -> None:
        """Train until the time is up."""
        self.folder.watch()
        saved = said = time.monotonic()
        recent, said_samples = [], 0
        while (part := self.part()) < 1:
            stage = next(s for s in self.stages if part < s.until or s is self.stages[-1])
            recent.append(self.step(stage, self.factor(part)))
            now = time.monotonic()
            if len(recent) >= 200 or self.steps in (1, 20):
                loss = float(torch.stack(recent).mean())
                now = time.monotonic()
                speed = (self.samples - said_samples) / (now - said)
                self.say(
                    f"{now - self.began:6.1f} s step {self.steps} samples {self.samples} loss "
                    f"{loss:.4f} {stage.input_size} {speed:.0f}/s rate {self.factor(part):.3f} "
                    f"of {self.album.count} pictures"
                )
                if not math.isfinite(loss):
                    raise SystemExit("the loss is not finite: lower training.learning_rate")
                recent, said, said_samples = [], now, self.samples
                self.folder.check()
                self._new_time()
            if now - saved > SAVE_EVERY:
                self.save()
                saved = now
        self.folder.stop()
        self.save()
        self.say(f"done: {self.steps} steps, {self.samples} samples")

    def profile(self, steps: int = 3) -> None:
        """Say what a step of the last stage spends its time on, kernel by kernel."""
        activity, on_gpu = torch.profiler.ProfilerActivity, self.device.type == "cuda"
        kinds = [activity.CUDA if on_gpu else activity.CPU]
        with torch.profiler.profile(activities=kinds) as profiler:
            for _ in range(steps):
                self.step(self.stages[-1], 0.0)
            next(self.net.parameters()).detach().flatten()[0].item()  # waits for the last step
        order = "self_device_time_total" if on_gpu else "self_cpu_time_total"
        self.say(profiler.key_averages().table(order, row_limit=40))

    def _new_time(self) -> None:
        file = self.out / "seconds"
        if file.is_file():
            self.seconds = float(file.read_text())

    def save(self) -> None:
        """The running mean of the weights, in 16 bits: ``weights.safetensors``."""
        file = self.out / "weights.safetensors"
        save_checkpoint(self.average.net, file, self.meta, half=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Training by the clock, all data on the device.")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("changes", nargs="*", help="KEY=VALUE, as of aggpose train")
    parser.add_argument("--packs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--stage", type=Stage.parse, action="append", required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--speedup", choices=SPEEDUPS, help=SPEEDUPS_HELP)
    parser.add_argument("--profile", action="store_true", help="at the end, where the time goes")
    parser.add_argument("--capacity", type=int, default=80_000)
    parser.add_argument("--side", type=int, default=224)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)

    def say(text: str) -> None:
        print(text, flush=True)

    try:
        training = TimedTraining(
            read_recipe(options.recipe, options.changes),
            options.packs,
            options.out,
            options.seconds,
            options.stage,
            torch.device(options.device),
            options.speedup or ("blocks" if options.device.startswith("cuda") else "none"),
            options.capacity,
            options.side,
            say,
        )
        training.run()
        if options.profile:
            training.profile()
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
