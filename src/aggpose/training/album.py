"""Packed people in the training device's memory; more may come while a training runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from aggpose.training.packs import Pack, read_pack

_TABLES = ("sizes", "boxes", "keypoints", "visibility", "upright", "whole", "nobody", "weight")


class Album:
    """Pictures (N, 3, S, S) uint8 RGB, each at the top left of its square, and the tables of
    `packs.Pack`, on one device.

    capacity: N at most. side: S, px.
    """

    def __init__(self, capacity: int, side: int, device: torch.device) -> None:
        self.device, self.side, self.count = device, side, 0
        self.pictures = torch.zeros((capacity, 3, side, side), dtype=torch.uint8, device=device)
        self.tables: dict[str, Tensor] = {}

    def add(self, pack: Pack, threads: int = 8, chunk: int = 512) -> None:
        """Decode a pack and append it. Samples of it are drawn once all of it is there."""
        if self.count + len(pack) > len(self.pictures):
            raise ValueError(f"{self.count} + {len(pack)} pictures, room for {len(self.pictures)}")

        def decode(index: int) -> Tensor:
            return torch.from_numpy(pack.picture(index)).permute(2, 0, 1)

        with ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(pack), chunk):
                which = range(start, min(start + chunk, len(pack)))
                block = torch.zeros((len(which), 3, self.side, self.side), dtype=torch.uint8)
                for row, image in enumerate(pool.map(decode, which)):
                    block[row, :, : image.shape[1], : image.shape[2]] = image
                place = self.count + start
                self.pictures[place : place + len(which)] = block.to(self.device)
        fresh = {name: torch.from_numpy(getattr(pack, name)).to(self.device) for name in _TABLES}
        old = self.tables
        self.tables = {n: torch.cat([old[n], t]) if old else t for n, t in fresh.items()}
        self.count += len(pack)

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """``count`` samples by their weights, with replacement: pictures (B, 3, S, S) and rows."""
        tables = self.tables
        which = torch.multinomial(tables["weight"], count, replacement=True, generator=generator)
        return self.pictures[which], {name: table[which] for name, table in tables.items()}


class PackFolder:
    """Adds the packs of a folder to an album, those that come later too, in a thread of its own."""

    def __init__(self, folder: Path, album: Album, say: Callable[[str], None] = print) -> None:
        self.folder, self.album, self.say = folder, album, say
        self._taken: set[Path] = set()
        self._failed: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.update()

    def update(self, threads: int = 8) -> None:
        for path in sorted(set(self.folder.glob("*.npz")) - self._taken):
            began = time.perf_counter()
            self.album.add(read_pack(path), threads)
            self._taken.add(path)
            seconds = time.perf_counter() - began
            self.say(f"{path.name}: now {self.album.count} pictures ({seconds:.1f} s)")

    def watch(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def check(self) -> None:
        """Raise what went wrong in the thread."""
        if self._failed is not None:
            raise self._failed

    def _watch(self) -> None:
        try:
            while not self._stop.wait(2.0):
                # more threads than one hold up those who launch the training's kernels
                self.update(threads=1)
        except BaseException as error:
            self._failed = error
