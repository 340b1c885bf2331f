"""Training samples a second: the loader alone, the network alone, and both together; plain (fp32,
eager, torch's own choice of attention, AdamW one tensor at a time) and as `aggpose train` runs it.

    python benchmarks/loader.py recipes/people-t_256x192.yaml [KEY=VALUE ...] [--rounds 3]

Both ways take turns in one process, four batches a round, from the same weights on the same
batches, so that their losses can be compared, a line a round. The ratio is that of "together":
reading, augmentation and training steps. Pictures of synthetic infants are read from files as
`aggpose synthesize` wrote them; rendering is not in it (`benchmarks/synthesize.py`).
"""

from __future__ import annotations

import argparse
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

BATCHES = 4
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
            lr=recipe.training.learning_rate,
            fused=self.fast,
            foreach=None if self.fast else False,
        )

    def step(self, batch: dict[str, Any]) -> float:
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
        return loss.item()


def main() -> None:
    parser = argparse.ArgumentParser(description="Training samples a second.")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("changes", nargs="*", help="KEY=VALUE, as of aggpose train")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    recipe = read_recipe(options.recipe, options.changes)
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
    chosen = [next(samples)]
    for trainee in trainees.values():
        trainee.step(chosen[0])
    spent = dict.fromkeys(("loader", *WAYS), 0.0)
    for number in range(options.rounds):
        began = time.perf_counter()
        chosen = [next(samples) for _ in range(BATCHES)]
        spent["loader"] += time.perf_counter() - began
        losses = []
        for way, trainee in trainees.items():
            began = time.perf_counter()
            losses.append(sum(trainee.step(batch) for batch in chosen) / BATCHES)
            spent[way] += time.perf_counter() - began
        print(f"round {number + 1}: loss " + ", ".join(f"{x:.4f}" for x in losses), flush=True)
    count = options.rounds * BATCHES * recipe.training.batch_size
    together = {way: spent["loader"] + spent[way] for way in WAYS}
    print(f"loader alone           {count / spent['loader']:8.1f} samples/s")
    for way in WAYS:
        print(f"network, {way:<14}{count / spent[way]:8.1f} samples/s")
        print(f"together, {way:<13}{count / together[way]:8.1f} samples/s")
    print(f"ratio, together        {together['plain'] / together['as trained']:8.2f}")


if __name__ == "__main__":
    main()
