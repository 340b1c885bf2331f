from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from colour_net import GREY, colour_net, figure, paint, write_video

from aggpose.errors import UserError
from aggpose.inference import Model, load
from aggpose.video import Frame, pose_frames
from aggpose.video.track import PATIENCE

SIZE = (640, 480)
EMPTY = np.full((480, 640, 3), GREY, np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(colour_net(tmp_path_factory.mktemp("net") / "colours.onnx"))


def truths(count: int, step: float = 4.0) -> list[np.ndarray]:
    """A figure that wanders and turns."""
    return [figure((60 + step * i, 60 + 30 * np.sin(i / 6)), 280, turn=3 * i) for i in range(count)]


def test_a_turning_figure_is_followed_by_a_network_that_knows_it_upright(tmp_path: Path) -> None:
    upright = load(colour_net(tmp_path / "upright.onnx", upright=True))
    truth = truths(70)  # turns by more than half a turn
    images = [paint(SIZE, t) for t in truth]
    for frame, wanted in zip(pose_frames(upright, stream(images)), truth, strict=True):
        assert np.abs(frame.poses.keypoints[0] - wanted).max() < 1.0
        assert frame.poses.scores.min() > 0.3  # never turned so far that points are hardly seen


def stream(images: list[np.ndarray]) -> list[Frame]:
    return [Frame(i, i / 25, i, image) for i, image in enumerate(images)]


@pytest.mark.parametrize("batch_size", [1, 4, 8])
def test_a_moving_figure_is_followed(model: Model, tmp_path: Path, batch_size: int) -> None:
    truth = truths(50)
    times = [33 * i + (i % 3) * 5 for i in range(50)]
    path = write_video(tmp_path / "clip.mp4", [paint(SIZE, t) for t in truth], times)
    frames = list(model.predict_video(path, batch_size=batch_size))
    assert [f.index for f in frames] == list(range(50))
    np.testing.assert_allclose([f.time_s for f in frames], np.array(times) / 1000, atol=1e-6)
    errors = [np.abs(f.poses.keypoints[0] - t).max() for f, t in zip(frames, truth, strict=True)]
    assert max(errors) < 1.5  # the coding blurs the discs a little


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_points_are_in_the_picture_as_shown(model: Model, tmp_path: Path, rotation: int) -> None:
    truth = truths(6)
    shown = [paint(SIZE, t) for t in truth]
    stored = [np.ascontiguousarray(np.rot90(s, -rotation // 90)) for s in shown]
    path = write_video(tmp_path / "phone.mp4", stored, rotation=rotation)
    for frame, wanted in zip(model.predict_video(path), truth, strict=True):
        assert np.abs(frame.poses.keypoints[0] - wanted).max() < 1.5


def test_given_boxes_share_batches_across_frames(model: Model, tmp_path: Path) -> None:
    truth = truths(9)
    path = write_video(tmp_path / "clip.mp4", [paint(SIZE, t) for t in truth])
    boxes = {
        i: np.array([[*(t.min(0) - 15), *(t.max(0) + 15)]] * (1 + i % 2))
        for i, t in enumerate(truth)
        if i != 4
    }
    frames = list(model.predict_video(path, boxes=boxes, batch_size=4))
    assert [len(f.poses) for f in frames] == [1, 2, 1, 2, 0, 2, 1, 2, 1]
    for frame, wanted in zip(frames, truth, strict=True):
        for points in frame.poses.keypoints:
            assert np.abs(points - wanted).max() < 1.5


def test_lost_and_found_again_elsewhere(model: Model) -> None:
    here, there = figure((20, 20), 260), figure((360, 200), 250)
    gone = PATIENCE + 5
    images = [paint(SIZE, here)] * 5 + [EMPTY] * gone + [paint(SIZE, there)] * 5
    found = [f.poses for f in pose_frames(model, stream(images))]
    assert [len(p) for p in found] == [1] * 5 + [0] * gone + [1] * 5
    for poses in found[-5:]:
        assert np.abs(poses.keypoints[0] - there).max() < 1.0


def test_a_jump_is_followed_at_once(model: Model) -> None:
    here, there = figure((10, 10), 230), figure((390, 230), 230)
    images = [paint(SIZE, here)] * 6 + [paint(SIZE, there)] * 6
    for batch_size in (1, 4):
        found = [f.poses for f in pose_frames(model, stream(images), batch_size=batch_size)]
        for poses, wanted in zip(found, [here] * 6 + [there] * 6, strict=True):
            assert np.abs(poses.keypoints[0] - wanted).max() < 1.0


def test_nobody_in_any_frame(model: Model) -> None:
    assert [len(f.poses) for f in pose_frames(model, stream([EMPTY] * 12))] == [0] * 12


@pytest.mark.parametrize("boxes", [None, {}, {0: np.array([[60.0, 60.0, 340.0, 340.0]])}])
def test_memory_does_not_grow_with_the_video(
    model: Model, boxes: dict[int, np.ndarray] | None
) -> None:
    """However long the video, only some frames are alive: with the infant followed, with boxes in
    no frame, and with a box in the first frame only."""
    picture = paint(SIZE, figure((60, 60), 280))
    alive, most, length = 0, 0, 120

    def gone() -> None:
        nonlocal alive
        alive -= 1

    def frames() -> Iterator[Frame]:
        nonlocal alive, most
        for i in range(length):
            image = picture.copy()
            weakref.finalize(image, gone)
            alive += 1
            most = max(most, alive)
            yield Frame(i, i / 25, i, image)

    seen = 0
    for frame in pose_frames(model, frames(), boxes):
        seen += 1
        del frame
    assert seen == length
    assert most < 40


def test_stopping_early_stops_the_decoder(model: Model, tmp_path: Path) -> None:
    import threading

    path = write_video(tmp_path / "clip.mp4", [paint(SIZE, t) for t in truths(40)])
    frames = model.predict_video(path)
    next(frames)
    frames.close()  # type: ignore[attr-defined]
    assert not [t for t in threading.enumerate() if t.name == "aggpose-ahead"]


def test_opening_fails_at_the_call_not_at_the_first_frame(model: Model, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        model.predict_video(tmp_path / "none.mp4")
