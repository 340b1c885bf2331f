"""Errors against a clip's truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aggpose.evaluation.against_truth import against_truth, jitter, point_errors
from aggpose.formats.poses_csv import PoseTable
from aggpose.skeleton import COCO17, INFANT24, trunk_length


def truth() -> PoseTable:
    rng = np.random.default_rng(0)
    points = rng.uniform(100, 400, (1, 1, 24, 2)).repeat(5, axis=0)
    scores = np.ones((5, 1, 24))
    scores[:, 0, INFANT24.index("left_wrist")] = 0.5
    return PoseTable(np.arange(5), np.arange(5) / 30, points, scores, INFANT24)


def test_errors_are_in_trunk_lengths() -> None:
    own = truth()
    trunk = float(trunk_length(own.keypoints[0, 0], INFANT24))
    points = own.keypoints + np.array([0.1 * trunk, 0.0])
    points[:, 0, INFANT24.index("left_wrist"), 0] += 0.2 * trunk
    errors = against_truth(replace(own, keypoints=points), own)
    assert errors.seen == pytest.approx(0.1) and errors.hidden == pytest.approx(0.3)
    assert (errors.found, errors.within, errors.keypoints) == (1.0, 1.0, 24)


def test_what_is_missing_is_far_away() -> None:
    own = truth()
    order = [INFANT24.index(n) for n in COCO17.keypoints]
    points = own.keypoints[:, :, order].copy()
    points[1, 0, 3:] = np.nan  # three points of a frame
    poses = PoseTable(
        own.frames[:3], own.times_s[:3], points[:3], own.scores[:3][:, :, order], COCO17
    )
    errors = against_truth(poses, own)
    assert errors.frames == 5 and errors.found == pytest.approx(3 / 5)
    seen = 16  # of coco17, without the hidden wrist
    assert errors.within == pytest.approx((2 * seen + 3) / (5 * seen))


def long_truth(frames: int) -> PoseTable:
    own = truth()
    return PoseTable(
        np.arange(frames),
        np.arange(frames) / 30,
        own.keypoints[:1].repeat(frames, axis=0),
        own.scores[:1].repeat(frames, axis=0),
        INFANT24,
    )


def test_jitter_is_what_trembles() -> None:
    own = long_truth(600)
    trunk = float(trunk_length(own.keypoints[0, 0], INFANT24))
    points = own.keypoints.copy()
    points[..., 0] += 0.3 * trunk  # constant
    nose, chin, navel = (INFANT24.index(n) for n in ("nose", "chin", "navel"))
    points[:, 0, nose, 1] += np.linspace(0, trunk, 600)  # drifts
    rng = np.random.default_rng(0)
    points[:, 0, chin] += rng.normal(0, 0.02 * trunk, (600, 2))
    points[5, 0, navel] = np.nan
    each = jitter(point_errors(replace(own, keypoints=points), own))
    # noise of one frame in 15, less its own share in the mean of the window
    assert each[chin] == pytest.approx(0.02 * np.sqrt(1 - 1 / 15), rel=0.05)
    assert np.isnan(each[navel])
    others = np.delete(each, [chin, navel])
    assert np.abs(others).max() < 1e-9


def test_jitter_needs_its_window() -> None:
    own = long_truth(14)
    with pytest.raises(ValueError, match="14 frames are fewer than the window's 15"):
        jitter(point_errors(own, own))
