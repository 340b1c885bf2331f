"""The parts of predicting a video, timed one after the other, and the whole."""

from __future__ import annotations

import io
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import aggpose
from aggpose.cli.predict_jobs import Job, Settings
from aggpose.cli.predict_video import predict_one_video
from aggpose.cli.sources import find_sources
from aggpose.draw import draw_poses
from aggpose.errors import UserError
from aggpose.video.reader import VideoReader
from aggpose.video.writer import VideoWriter

SINGLE = ("decode", "locate and network", "draw and encode")

WARM = 12
"""Frames before anything is timed: runtimes make ready at the first crops."""


@dataclass(frozen=True)
class Measured:
    """seconds: of every part, all frames. size: (width, height) px. peak_mib: of the process, 0
    where the system does not tell."""

    frames: int
    size: tuple[int, int]
    model: str
    device: str
    seconds: dict[str, float]
    peak_mib: float


def measure(path: Path, model: str, device: str) -> Measured:
    """Time a video's parts. UserError when it, or the model, cannot be used."""
    loaded = aggpose.load(model, device=device, many=True)
    sources, problems = find_sources([str(path)])
    if len(sources) != 1 or sources[0].is_picture:
        raise UserError(str(problems[0]) if problems else f"{path}: is not a video")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        began = time.perf_counter()
        with VideoReader(path) as reader:
            info = reader.info
            count = sum(1 for _ in reader)
        decode = time.perf_counter() - began
        if count == 0:
            raise UserError(f"{path}: has no frames")
        for _ in zip(range(WARM), loaded.predict_video(path), strict=False):
            pass
        began, draw = time.perf_counter(), 0.0
        with VideoWriter(out / "o.mp4", info.size, info.time_base, info.rate) as writer:
            for frame in loaded.predict_video(path):
                drawing = time.perf_counter()
                writer.write(draw_poses(frame.image, frame.poses), frame.pts)
                draw += time.perf_counter() - drawing
            ending = time.perf_counter()
        draw += time.perf_counter() - ending
        network = time.perf_counter() - began - draw - decode
        seconds = dict(zip(SINGLE, (decode, max(network, 1e-9), draw), strict=True))
        for name, save in (("predict --save csv", ["csv"]), ("predict", ["csv", "video"])):
            settings = Settings(out=out / "-".join(name.split()), save=frozenset(save))
            settings.out.mkdir()
            began = time.perf_counter()
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                predict_one_video(Job(loaded, settings, loaded.skeleton), sources[0])
            seconds[name] = time.perf_counter() - began
    return Measured(count, info.size, loaded.meta.name, loaded.device, seconds, _peak_mib())


def _peak_mib() -> float:
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
