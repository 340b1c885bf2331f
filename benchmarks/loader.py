"""Training samples a second: the loader alone, the network alone, and both together.

python benchmarks/loader.py recipes/people-t_256x192.yaml [KEY=VALUE ...]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from machine import machine
from torch.utils.data import DataLoader

from aggpose.data.dataset import normalise
from aggpose.meta import IMAGENET_MEAN, IMAGENET_STD
from aggpose.training.module import heatmap_loss, parameter_groups
from aggpose.training.recipe import Recipe, read_recipe
from aggpose.training.run import make_network, read_training_data

BATCHES = 12


def batches(recipe: Recipe) -> Iterator[dict[str, Any]]:
    data = read_training_data(recipe, say=lambda _: None)
    order = data.batches(recipe)
    order.set_epoch(recipe.training.epochs - 1)  # at the full input size
    return iter(DataLoader(data.dataset, batch_sampler=order, num_workers=recipe.data.workers))


def main() -> None:
    recipe = read_recipe(Path(sys.argv[1]), sys.argv[2:])
    if recipe.training.threads:
        torch.set_num_threads(recipe.training.threads)
    net = make_network(recipe, say=lambda _: None).train()
    optimiser = torch.optim.AdamW(parameter_groups(net, 0.01, False), lr=1e-6, fused=True)

    def step(batch: dict[str, Any]) -> None:
        images = normalise(batch["image"], IMAGENET_MEAN, IMAGENET_STD)
        loss = heatmap_loss(
            net.raw(images),
            batch["points"],
            batch["weights"],
            recipe.loss,
            recipe.data.input_size,
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def rate(of: str, samples: Iterator[dict[str, Any]], train: bool) -> None:
        first = next(samples)
        if train:
            step(first)
        start, count = time.perf_counter(), 0
        for _ in range(BATCHES):
            batch = next(samples)
            if train:
                step(batch)
            count += len(batch["image"])
        print(f"{of:<16}{count / (time.perf_counter() - start):8.1f} samples/s")

    width, height = recipe.data.input_size
    print(machine())
    print(
        f"{recipe.network.variant}, {width}x{height}, batch {recipe.training.batch_size}, "
        f"{recipe.data.workers} workers, {torch.get_num_threads()} threads"
    )
    one = next(batches(recipe))
    rate("loader alone", batches(recipe), train=False)
    rate("network alone", iter(lambda: one, None), train=True)
    rate("together", batches(recipe), train=True)


if __name__ == "__main__":
    main()
