"""The bundled clip and its truth."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import aggpose
from aggpose.formats.poses_csv import PoseTable, read_poses_csv
from aggpose.skeleton import INFANT24, trunk_length
from aggpose.video.reader import VideoReader

EXAMPLES = Path(aggpose.__file__).parent / "examples"
WIDTH, HEIGHT, FRAMES, RATE = 480, 640, 300, 30


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    with VideoReader(EXAMPLES / "infant.mp4") as video:
        return [frame.image for frame in video]


@pytest.fixture(scope="module")
def truth() -> PoseTable:
    return read_poses_csv(EXAMPLES / "infant.truth.poses.csv")


def _of(table: PoseTable, name: str) -> np.ndarray:
    """(T, 2) px"""
    return table.keypoints[:, 0, INFANT24.index(name)]


def test_example_video_reads_back() -> None:
    path = EXAMPLES / "infant.mp4"
    assert path.stat().st_size < 3_000_000
    with VideoReader(path) as video:
        found = [(frame.image.shape, frame.time_s) for frame in video]
        assert not video.warnings
    assert len(found) == FRAMES
    assert {shape for shape, _ in found} == {(HEIGHT, WIDTH, 3)}
    assert np.allclose([time for _, time in found], np.arange(FRAMES) / RATE, atol=1e-3)


def test_truth_has_every_point_of_every_frame(truth: PoseTable) -> None:
    assert truth.skeleton == INFANT24
    assert np.array_equal(truth.frames, np.arange(FRAMES))
    assert np.allclose(truth.times_s, np.arange(FRAMES) / RATE, atol=1e-6)
    assert truth.keypoints.shape == (FRAMES, 1, 24, 2)
    assert np.isfinite(truth.keypoints).all()
    inside = ((truth.keypoints >= 0) & (truth.keypoints < (WIDTH, HEIGHT))).all(axis=-1)
    assert inside.mean() > 0.98
    assert set(np.unique(truth.scores)) == {0.5, 1.0}  # seen, or hidden with its exact place
    assert (truth.scores == 1.0).mean() > 0.8


def test_truth_lies_on_the_infant(truth: PoseTable, images: list[np.ndarray]) -> None:
    """The wrists, ankles and the nose are skin, which is redder than the cloth they lie on."""
    frames = [image.astype(int) for image in images]
    for name in ("nose", "left_wrist", "right_wrist", "left_ankle", "right_ankle"):
        seen = truth.scores[:, 0, INFANT24.index(name)] == 1.0
        assert seen.mean() > 0.5, name
        at = np.rint(_of(truth, name)).astype(int).clip(0, (WIDTH - 1, HEIGHT - 1))
        red = [f[y, x, 0] - f[y, x, 2] for f, (x, y), s in zip(frames, at, seen, strict=True) if s]
        assert np.mean(np.array(red) > 15) > 0.95, name


@pytest.mark.parametrize("part", ["shoulder", "elbow", "hip", "knee", "ear", "wrist", "toe"])
def test_left_is_the_infants_own_left(truth: PoseTable, part: str) -> None:
    """On its back, seen from above with the head up, its left is on the picture's right."""
    left, right = _of(truth, f"left_{part}"), _of(truth, f"right_{part}")
    assert (left[:, 0] > right[:, 0]).mean() > 0.95
    if part in ("shoulder", "hip"):
        assert (left[:, 0] - right[:, 0]).min() > 25


@pytest.mark.parametrize(
    ("above", "below"),
    [("nose", "chin"), ("chin", "chest"), ("chest", "navel"), ("left_hip", "left_ankle")],
)
def test_head_is_up(truth: PoseTable, above: str, below: str) -> None:
    assert (_of(truth, above)[:, 1] < _of(truth, below)[:, 1]).all()


def test_limbs_move_and_the_trunk_rests(truth: PoseTable) -> None:
    """It kicks: the feet go far, the hands less."""
    trunk = float(np.median(trunk_length(truth.keypoints, INFANT24)))
    for name, least, most in [
        ("left_wrist", 0.15, 2.0),
        ("right_wrist", 0.15, 2.0),
        ("left_ankle", 0.3, 2.0),
        ("right_ankle", 0.3, 2.0),
        ("left_hip", 0.0, 0.1),
        ("navel", 0.0, 0.1),
    ]:
        reach = np.ptp(_of(truth, name), axis=0).max() / trunk
        assert least <= reach <= most, name
    # no jumps: at 30 frames/s nothing goes a third of the trunk from one frame to the next
    assert np.linalg.norm(np.diff(truth.keypoints, axis=0), axis=-1).max() < trunk / 3


def test_base_install_does_not_load_the_generator() -> None:
    code = (
        "import sys, aggpose.cli.app, aggpose.inference, aggpose.video, aggpose.draw;"
        "print(sorted({'anny', 'warp', 'torch', 'aggpose.synthetic.body.body'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr
