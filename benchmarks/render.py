"""Rendering: pictures a second on one core or one GPU, and the share of each step.

python benchmarks/render.py [--count 16] [--size 256] [--device cpu] [--quality fast]
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from typing import Any

import numpy as np
import torch
import warp as wp
from machine import machine

from aggpose.synthetic.picture import Kit, sample_picture
from aggpose.synthetic.render import renderer as render
from aggpose.synthetic.render.sensor import develop


class Timed(render.Renderer):
    """The renderer, with the time that each kernel took; on a CPU this process's alone."""

    spent: dict[str, float]

    def clock(self) -> float:
        if self.device == "cpu":
            return time.thread_time()  # others' work does not count
        wp.synchronize()
        return time.perf_counter()

    def _run(self, kernel: Any, size: Any, *inputs: Any) -> None:
        start = self.clock()
        super()._run(kernel, size, *inputs)
        self.spent[kernel.key] += self.clock() - start

    def _prepare(self, scenes: Any) -> Any:
        start = self.clock()
        try:
            return super()._prepare(scenes)
        finally:
            self.spent["send scenes, build trees"] += self.clock() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quality", default="fast", choices=sorted(render.QUALITIES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    kit = Kit()
    size = (options.size, options.size)
    drawn = [sample_picture(kit, 1, 4 * n, size) for n in range(options.count)]
    jobs = [(one.scene, one.camera) for one in drawn]
    renderer = Timed(options.device)
    renderer.spent = defaultdict(float)
    renderer.render(jobs, options.quality)  # compiles the kernels, sends the grounds
    best: tuple[float, dict[str, float]] | None = None
    for _ in range(3):
        renderer.spent.clear()
        start = renderer.clock()
        frames = renderer.render(jobs, options.quality)
        seen = renderer.visible_many(jobs, [d.marked for d in drawn], [d.slack for d in drawn])
        whole = renderer.clock() - start
        if best is None or whole < best[0]:
            best = whole, dict(renderer.spent)
    assert best is not None and len(seen) == len(jobs)
    whole, spent = best
    start = time.thread_time()
    for one, frame in zip(drawn, frames, strict=True):
        develop(frame.linear, one.sensor, np.random.default_rng(0))
    sensor = time.thread_time() - start
    triangles = np.mean([sum(len(m.faces) for m in scene.meshes) for scene, _ in jobs])
    infant = np.mean([frame.infant.mean() for frame in frames])
    moving = np.mean([any(m.motion is not None for m in scene.meshes) for scene, _ in jobs])
    print(machine(), "-", options.device)
    print(f"{len(jobs)} pictures of {size[0]}x{size[1]}, {options.quality}")
    print(f"{triangles:.0f} triangles", end=", ")
    print(f"infant {100 * infant:.0f} % of the picture, {100 * moving:.0f} % moving")
    print(f"render      {1000 * whole / len(jobs):8.2f} ms  {len(jobs) / whole:8.1f} pictures/s")
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"  {name:26} {1000 * seconds / len(jobs):6.2f} ms  {100 * seconds / whole:5.1f} %")
    print(f"sensor      {1000 * sensor / len(jobs):8.2f} ms  on one core")


if __name__ == "__main__":
    main()
