"""The parts of predicting a video, timed one after the other, and the whole."""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import aggpose
from aggpose.cli.predict_jobs import Job, Settings
from aggpose.cli.predict_video import predict_one_video
from aggpose.cli.sources import find_sources
from aggpose.draw import draw_notice, draw_poses
from aggpose.errors import UserError
from aggpose.formats.poses_csv import PosesCsvWriter
from aggpose.inference.foreign_runtime import ForeignRuntime
from aggpose.inference.locate import poses_of
from aggpose.inference.predict import Model
from aggpose.inference.runtime import Runtime
from aggpose.video.reader import VideoReader
from aggpose.video.track import GROUP, Follower
from aggpose.video.writer import VideoWriter

PARTS = ("decode", "locate", "network", "csv", "draw and encode")
"""locate: all around the network, which is cutting crops, reading its maps and following."""

WHOLE = "one after the other"

WARM = 12
"""Frames before anything is timed: runtimes make ready at the first crops."""


@dataclass(frozen=True)
class Measured:
    """seconds: of `PARTS`, of these together (`WHOLE`), and of ``aggpose predict``, which does them
    at the same time; all frames. size: (width, height) px. peak_mib: of the process, 0 where the
    system does not tell."""

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
    for _ in zip(range(WARM), loaded.predict_video(path), strict=False):
        pass
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        frames, size, seconds = _in_turn(loaded, path, out)
        for name, save in (("predict --save csv", ["csv"]), ("predict", ["csv", "video"])):
            settings = Settings(out=out / "-".join(name.split()), save=frozenset(save))
            settings.out.mkdir()
            began = time.perf_counter()
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                predict_one_video(Job(loaded, settings, loaded.skeleton), sources[0])
            seconds[name] = time.perf_counter() - began
    return Measured(frames, size, loaded.meta.name, loaded.device, seconds, _peak_mib())


class Clock:
    """Adds up the seconds of parts."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - began


def _in_turn(model: Model, path: Path, out: Path) -> tuple[int, tuple[int, int], dict[str, float]]:
    """Frames, their size, and seconds of the parts, done one after the other in one thread."""
    clock, count, began = Clock(), 0, time.perf_counter()
    follower = Follower(model.runtime)
    with (
        network_timed(model.runtime, clock),
        VideoReader(path) as reader,
        ExitStack() as video,
        ExitStack() as csv,
    ):
        info, frames = reader.info, iter(reader)
        with clock("draw and encode"):
            writer = video.enter_context(
                VideoWriter(out / "o.mp4", info.size, info.time_base, info.rate)
            )
        with clock("csv"):
            table = csv.enter_context(PosesCsvWriter(out / "o.csv", model.skeleton))
        while True:
            with clock("decode"):
                group = list(islice(frames, GROUP[model.device]))
            if not group:
                break
            with clock("locate"):
                looks = follower.follow([frame.image for frame in group])
            for frame, seen in zip(group, looks, strict=True):
                poses = poses_of(seen, model.runtime)
                with clock("csv"):
                    table.write(frame.index, frame.time_s, poses)
                with clock("draw and encode"):
                    draw_poses(frame.image, poses, model.meta.point_score)
                    writer.write(draw_notice(frame.image), frame.pts)
            count += len(group)
        if count == 0:
            raise UserError(f"{path}: has no frames")
        with clock("csv"):
            csv.close()
        with clock("draw and encode"):
            video.close()
    clock.seconds["locate"] -= clock.seconds["network"]
    return count, info.size, {**clock.seconds, WHOLE: time.perf_counter() - began}


@contextmanager
def network_timed(runtime: Runtime, clock: Clock) -> Iterator[None]:
    """Time the calls of a runtime's network; of networks that are not ours with the reading of
    their outputs."""
    name = "points" if isinstance(runtime, ForeignRuntime) else "run"
    call = getattr(runtime, name)

    def timed(*arguments: object) -> object:
        with clock("network"):
            return call(*arguments)

    setattr(runtime, name, timed)
    try:
        yield
    finally:
        delattr(runtime, name)


def _peak_mib() -> float:
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
