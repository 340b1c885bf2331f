"""Where annotators mark the hip, and the joint."""

from __future__ import annotations

import numpy as np
import pytest

from aggpose.hips import annotated_hips, hip_joints
from aggpose.skeleton import COCO17, INFANT24, Skeleton


@pytest.mark.parametrize("skeleton, axes", [(COCO17, 2), (INFANT24, 3)])
def test_there_and_back(skeleton: Skeleton, axes: int) -> None:
    points = np.random.default_rng(0).normal(size=(5, len(skeleton), axes))
    before = points.copy()
    there = annotated_hips(points, skeleton)
    assert np.array_equal(points, before)
    np.testing.assert_allclose(hip_joints(there, skeleton), points, atol=1e-12)
    moved = np.flatnonzero((there != points).any(axis=(0, 2)))
    assert moved.tolist() == list(skeleton.indices_of(("left_hip", "right_hip")))


def test_up_and_out_and_each_on_its_side() -> None:
    points = np.full((17, 2), np.nan)
    for name, place in (
        *(("left_shoulder", (20, 0)), ("right_shoulder", (-20, 0))),
        *(("left_hip", (10, 80)), ("right_hip", (-10, 80))),
    ):
        points[COCO17.index(name)] = place
    marked = annotated_hips(points, COCO17)
    assert marked[COCO17.index("left_hip")].tolist() == [15, 70]
    assert marked[COCO17.index("right_hip")].tolist() == [-15, 70]


def test_a_point_that_is_missing_takes_both_hips_along() -> None:
    points = np.zeros((17, 2))
    points[COCO17.index("left_shoulder")] = np.nan
    hips = COCO17.indices_of(("left_hip", "right_hip"))
    assert np.isnan(annotated_hips(points, COCO17)[hips]).all()
