"""`aggpose bench`: every part is timed, nothing is left behind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aggpose.cli.app import main


def test_parts_of_a_short_clip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fractions import Fraction

    import numpy as np

    from aggpose.video.writer import VideoWriter

    video = tmp_path / "clip.mp4"
    with VideoWriter(video, (96, 128), Fraction(1, 10)) as writer:
        for number in range(4):
            writer.write(np.full((128, 96, 3), 60 * number, np.uint8), number)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as done:
        main(["bench", str(video)])
    assert done.value.code == 0
    said = capsys.readouterr().out
    assert "clip.mp4: 4 frames of 96x128, aggpose-t on" in said
    for part in (
        "decode",
        "locate and network",
        "draw and encode",
        "predict --save csv",
        "predict",
    ):
        (taken,) = re.findall(rf"^{part} +([\d.]+) ms a frame", said, flags=re.MULTILINE)
        assert float(taken) > 0
    assert "peak memory" in said
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_missing_video_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["bench", "nothing.mp4"])
    assert done.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
