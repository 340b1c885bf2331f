"""README's second example: the published infant file, as its users have it, on a CPU."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from colour_net import figure, paint, write_video
from official_file import official_state, with_points

from aggpose.cli.app import main
from aggpose.formats.poses_csv import read_poses_csv
from aggpose.skeleton import INFANT21

NAME = "AggPose-L_256x192_infantpose2022.pth"


def test_21_points_from_the_published_infant_file(
    reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The weights are made by formula, so only the way there is tested, not what they see."""
    state = with_points(official_state(reference), 21)
    torch.save({"state_dict": {f"module.{n}": t for n, t in state.items()}}, tmp_path / NAME)
    clip = tmp_path / "clip.mp4"
    write_video(clip, [paint((320, 240), figure((60 + i, 20), 180), radius=5) for i in range(3)])
    boxes = [
        {"image_id": i, "category_id": 1, "bbox": [50, 10, 200, 200], "score": 1} for i in range(3)
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    for out, more in (("found", []), ("given", ["--boxes", str(tmp_path / "boxes.json")])):
        with pytest.raises(SystemExit) as stop:
            main(
                [
                    *("predict", str(clip), "--model", str(tmp_path / NAME)),
                    *("--out", str(tmp_path / out), *more),
                ]
            )
        assert stop.value.code == 0, capsys.readouterr().err
        table = read_poses_csv(tmp_path / out / "clip.poses.csv")
        assert table.skeleton == INFANT21 and len(table.frames) == 3
    # every point whose map has a positive peak has a place, and no other
    there = np.isfinite(table.keypoints).all(axis=-1)
    assert there.any() and (there == (table.scores > 0)).all()
    manifest = json.loads((tmp_path / "given" / "clip.manifest.json").read_text())
    assert manifest["model"]["keypoints"] == list(INFANT21.keypoints)
    assert NAME in manifest["model"]["source"]
