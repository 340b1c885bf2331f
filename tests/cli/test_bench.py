"""`aggpose bench`: every part is timed, they are the whole, nothing is left behind."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from aggpose.cli.app import main
from aggpose.cli.bench_parts import PARTS, WHOLE, Clock, measure, network_timed
from aggpose.cli.demo import EXAMPLE
from aggpose.inference import load
from aggpose.video import VideoReader
from aggpose.video.writer import VideoWriter

FRAMES = 12


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """The first frames of the bundled clip."""
    path = tmp_path / "clip.mp4"
    with VideoReader(EXAMPLE) as reader:
        info = reader.info
        with VideoWriter(path, info.size, info.time_base, info.rate) as writer:
            for frame in islice(reader, FRAMES):
                writer.write(frame.image, frame.pts)
    return path


def test_parts_add_up_to_the_whole(clip: Path) -> None:
    measured = measure(clip, "aggpose-t", "cpu")
    assert measured.frames == FRAMES and measured.size == (480, 640)
    parts = [measured.seconds[name] for name in PARTS]
    assert min(parts) > 0
    assert 0.8 * measured.seconds[WHOLE] < sum(parts) <= measured.seconds[WHOLE]
    assert measured.seconds["network"] > measured.seconds["csv"]


def test_what_is_printed(
    clip: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clip.parent)
    with pytest.raises(SystemExit) as done:
        main(["bench", "clip.mp4", "--device", "cpu"])
    assert done.value.code == 0
    said = capsys.readouterr().out
    assert f"clip.mp4: {FRAMES} frames of 480x640, aggpose-t on cpu" in said
    for part in (*PARTS, WHOLE, "predict --save csv", "predict"):
        (taken,) = re.findall(rf"^{part} +([\d.]+) ms a frame", said, flags=re.MULTILINE)
        assert float(taken) > 0 or part == "csv"
    assert "peak memory" in said
    assert [path.name for path in clip.parent.iterdir()] == ["clip.mp4"]


def test_the_runtime_is_as_before_afterwards() -> None:
    model, clock = load("aggpose-t", device="cpu"), Clock()
    width, height = model.meta.input_size
    crops = np.zeros((1, 3, height, width), np.float32)
    with network_timed(model.runtime, clock):
        inside = model.run(crops)
    spent = clock.seconds["network"]
    np.testing.assert_array_equal(model.run(crops), inside)
    assert clock.seconds["network"] == spent > 0


def test_a_missing_video_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["bench", "nothing.mp4"])
    assert done.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
