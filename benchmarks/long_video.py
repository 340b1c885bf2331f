"""Speed and memory of `aggpose predict` on a long video of 1280x720.

    python benchmarks/long_video.py --minutes 1 10

The bundled clip, played to and fro, enlarged on a grey ground. For each length: seconds and peak
memory of `aggpose predict --save csv,video` in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
from machine import machine

import aggpose
from aggpose.video.reader import VideoReader
from aggpose.video.writer import VideoWriter

WIDTH, HEIGHT, RATE = 1280, 720, 30

CHILD = """
import json, resource, subprocess, sys, time
began = time.monotonic()
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps([done.returncode, time.monotonic() - began, peak, done.stderr[-300:]]))
"""


def make(path: Path, seconds: float) -> int:
    """Write the video; returns its frames."""
    with VideoReader(Path(aggpose.__file__).parent / "examples" / "infant.mp4") as video:
        clip = [frame.image for frame in video]
    count = round(seconds * RATE)
    with VideoWriter(path, (WIDTH, HEIGHT), Fraction(1, RATE), Fraction(RATE)) as writer:
        for index, image in enumerate(islice(cycle([*clip, *clip[::-1]]), count)):
            wide = round(image.shape[1] * HEIGHT / image.shape[0])
            frame = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
            left = (WIDTH - wide) // 2
            frame[:, left : left + wide] = cv2.resize(image, (wide, HEIGHT))
            writer.write(frame, index)
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed and memory on a long video.")
    parser.add_argument("--minutes", type=float, nargs="+", default=[1.0])
    parser.add_argument("--keep", type=Path, help="folder for the videos; else a temporary one")
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        out = options.keep or Path(folder)
        out.mkdir(parents=True, exist_ok=True)
        for minutes in options.minutes:
            video = out / f"{minutes:g}-minutes.mp4"
            frames = make(video, 60 * minutes)
            command = [sys.executable, "-m", "aggpose.cli", "predict", str(video)]
            command += ["--out", f"{folder}/{minutes:g}", "--save", "csv,video"]
            told = subprocess.run(
                [sys.executable, "-c", CHILD, *command], capture_output=True, text=True, check=True
            )
            code, taken, peak, errors = json.loads(told.stdout)
            if code:
                raise SystemExit(errors)
            print(
                f"{minutes:g} min, {frames} frames: {taken:.0f} s, {frames / taken:.1f} frames/s, "
                f"peak memory {peak:.0f} MiB",
                flush=True,
            )


if __name__ == "__main__":
    main()
