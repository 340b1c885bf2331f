"""Errors against a clip's truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aggpose.evaluation.against_truth import against_truth
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
