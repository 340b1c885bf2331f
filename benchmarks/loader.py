"""Training samples a second: the loader alone, the network alone, and both together; plain (fp32,
eager, torch's own choice of attention, AdamW one tensor at a time) and as `aggpose train` runs it.

    python benchmarks/loader.py recipes/people-t_256x192.yaml [KEY=VALUE ...]

Both ways take turns in one process on the same batches. The ratio is that of "together": reading,
augmentation and training steps. With a recipe of synthetic infants their pictures are read from
files as `aggpose synthesize` wrote them; rendering is not in it (`benchmarks/synthesize.py`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from machine import machine
from torch.utils.data import DataLoader

from aggpose.data.dataset import normalise
from aggpose.meta import IMAGENET_MEAN, IMAGENET_STD
from aggpose.training.module import attention_for_training, heatmap_loss, parameter_groups
from aggpose.training.recipe import Recipe, read_recipe
from aggpose.training.run import make_network, read_training_data

BATCHES, ROUNDS = 4, 3
WAYS = ("plain", "as trained")


def batches(recipe: Recipe) -> Iterator[dict[str, Any]]:
    data = read_training_data(recipe, say=lambda _: None)
    order = data.batches(recipe)
    order.set_epoch(recipe.training.epochs - 1)  # at the full input size
    return iter(DataLoader(data.dataset, batch_sampler=order, num_workers=recipe.data.workers))


class Trainee:
    """A network with its optimiser, trained in one of the two ways."""

    def __init__(self, recipe: Recipe, way: str) -> None:
        self.recipe, self.fast = recipe, way != "plain"
        self.net = make_network(recipe, say=lambda _: None).train()
        self.optimiser = torch.optim.AdamW(
            parameter_groups(self.net, 0.01, False),
            lr=1e-6,
            fused=self.fast,
            foreach=None if self.fast else False,
        )

    def step(self, batch: dict[str, Any]) -> None:
        images = normalise(batch["image"], IMAGENET_MEAN, IMAGENET_STD)
        recipe, low = self.recipe, self.fast and self.recipe.training.precision == "bf16-mixed"
        attention = attention_for_training(images.device) if self.fast else nullcontext()
        with attention, torch.autocast("cpu", torch.bfloat16, enabled=low):
            maps = self.net.raw(images)
        size = recipe.data.input_size
        loss = heatmap_loss(maps.float(), batch["points"], batch["weights"], recipe.loss, size)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()


def main() -> None:
    recipe = read_recipe(Path(sys.argv[1]), sys.argv[2:])
    if recipe.training.threads:
        torch.set_num_threads(recipe.training.threads)
    trainees = {way: Trainee(recipe, way) for way in WAYS}
    width, height = recipe.data.input_size
    print(machine())
    print(
        f"{recipe.network.variant}, {width}x{height}, batch {recipe.training.batch_size}, "
        f"as trained: {recipe.training.precision}, "
        f"{recipe.data.workers} workers, {torch.get_num_threads()} threads"
    )
    samples = batches(recipe)
    one = next(samples)
    for trainee in trainees.values():
        trainee.step(one)
    spent: dict[str, float] = {}

    def add(name: str, began: float) -> None:
        spent[name] = spent.get(name, 0.0) + time.perf_counter() - began

    for _ in range(ROUNDS):
        for way, trainee in trainees.items():
            for _ in range(BATCHES):
                began = time.perf_counter()
                batch = next(samples)
                add("loader alone", began)
                trainee.step(batch)
                add(f"together, {way}", began)
                began = time.perf_counter()
                trainee.step(one)
                add(f"network alone, {way}", began)
    count = ROUNDS * BATCHES * recipe.training.batch_size
    spent["loader alone"] /= len(WAYS)
    for name, seconds in spent.items():
        print(f"{name:<26}{count / seconds:8.1f} samples/s")
    print(f"ratio, together {spent['together, plain'] / spent['together, as trained']:10.2f}")


if __name__ == "__main__":
    main()
