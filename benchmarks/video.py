"""The main job on a video, end to end, and its parts one after the other.

python benchmarks/video.py VIDEO [MODEL]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from machine import machine

import aggpose
from aggpose.cli.predict_jobs import Job, Settings
from aggpose.cli.predict_video import predict_one_video
from aggpose.cli.sources import find_sources
from aggpose.draw import draw_poses
from aggpose.video.reader import VideoReader
from aggpose.video.writer import VideoWriter


def main() -> None:
    path, name = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "aggpose-t"
    model = aggpose.load(name)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        start = time.perf_counter()
        with VideoReader(path) as reader:
            info = reader.info
            count = sum(1 for _ in reader)
        decode = time.perf_counter() - start

        start = time.perf_counter()
        frames = list(model.predict_video(path))
        network = time.perf_counter() - start - decode

        start = time.perf_counter()
        with VideoWriter(out / "o.mp4", info.size, info.time_base, info.rate) as writer:
            for frame in frames:
                writer.write(draw_poses(frame.image, frame.poses), frame.pts)
        write = time.perf_counter() - start
        del frames

        (source,), _ = find_sources([str(path)])
        start = time.perf_counter()
        predict_one_video(Job(model, Settings(out=out), model.skeleton), source)
        whole = time.perf_counter() - start
    width, height = info.size
    print(machine())
    print(f"{path.name}: {count} frames of {width}x{height}, {model.meta.name} on {model.device}")
    for what, took in (("decode", decode), ("locate + network", network), ("draw + write", write)):
        print(f"{what:<18}{count / took:8.1f} frames/s")
    parts = decode + network + write
    print(f"{'one by one':<18}{count / parts:8.1f} frames/s    1.00 x")
    print(f"{'aggpose predict':<18}{count / whole:8.1f} frames/s  {parts / whole:6.2f} x")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB (the parts held all frames; predict does not)")


if __name__ == "__main__":
    main()
