"""Synthetic pictures a second, all included: bodies, poses, surroundings, rendering, sensor, JPEG.

python benchmarks/synthesize.py [--count 64] [--size 256] [--processes 2]
"""

from __future__ import annotations

import argparse
import multiprocessing
import time

import cv2
import torch
from machine import machine

from aggpose.skeleton import INFANT24
from aggpose.synthetic.export import annotation_of
from aggpose.synthetic.picture import Kit, finish, make_pictures, sample_picture


def work(count: int, size: int, first: int, start: multiprocessing.synchronize.Barrier) -> None:
    """What a process of `aggpose synthesize` does, after a first round that warms its pools."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    kit = Kit()
    for _ in make_pictures(kit, 1, range(96), (size, size)):
        pass
    start.wait()
    for index, picture in make_pictures(kit, 2, range(first, first + count), (size, size)):
        cv2.imencode(".jpg", picture.image)
        annotation_of(index, picture, INFANT24)
    start.wait()


def rate(count: int, size: int, processes: int) -> float:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes + 1)
    for i in range(processes):
        context.Process(target=work, args=(count, size, i * count, barrier), daemon=True).start()
    barrier.wait()
    start = time.perf_counter()
    barrier.wait()
    return processes * count / (time.perf_counter() - start)


def parts(count: int, size: int) -> dict[str, float]:
    """Milliseconds of each part, one process."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    kit = Kit()
    for _ in make_pictures(kit, 1, range(96), (size, size)):
        pass
    spent = dict.fromkeys(("draw", "render", "visibility", "sensor and notes"), 0.0)
    for index in range(count):
        marks = [time.perf_counter()]
        drawn = sample_picture(kit, 2, index, (size, size))
        marks.append(time.perf_counter())
        (frame,) = kit.renderer.render([(drawn.scene, drawn.camera)])
        marks.append(time.perf_counter())
        seen = kit.renderer.visible(drawn.scene, drawn.camera, drawn.marked, drawn.slack)
        marks.append(time.perf_counter())
        finish(kit, drawn, frame, seen)
        marks.append(time.perf_counter())
        for i, name in enumerate(spent):
            spent[name] += 1000 * (marks[i + 1] - marks[i]) / count
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=96, help="pictures a process")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    print(machine())
    for name, each in parts(options.count, options.size).items():
        print(f"{name:18} {each:7.1f} ms a picture")
    for processes in sorted({1, options.processes}):
        found = rate(options.count, options.size, processes)
        print(f"{processes} processes        {found:7.1f} pictures/s at {options.size} px")


if __name__ == "__main__":
    main()
