# ruff: noqa: E402 (what these import is optional: skip first)
"""Distances of poses: what is taken away is taken away, and what differs counts."""

from __future__ import annotations

import numpy as np
import pytest

for _package in ("anny", "warp"):
    pytest.importorskip(_package, reason='needs pip install "aggpose[synthetic]"')

from aggpose.skeleton import COCO17
from aggpose.synthetic.pose.coverage import compare, nearest, normalised, plot


def poses(count: int = 40, seed: int = 0) -> np.ndarray:
    """(count, 17, 2) px: a standing figure, its points moved."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(17, 2)) * 30
    for name, place in (("shoulder", (20, -60)), ("hip", (15, 60))):
        for side, sign in (("left", 1), ("right", -1)):
            base[COCO17.index(f"{side}_{name}")] = (sign * place[0], place[1])
    return base + rng.normal(size=(count, 17, 2)) * 6


def test_place_size_and_turn_do_not_count() -> None:
    given = poses()
    angle = 2.1
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = 3.7 * given @ turn.T + (200, -40)
    assert np.abs(normalised(given) - normalised(moved)).max() < 1e-6
    # a mirror image is another pose
    assert np.abs(normalised(given) - normalised(given * (-1, 1))).max() > 0.1


def test_the_nearest_is_found_and_measured_in_trunk_diagonals() -> None:
    given = normalised(poses())
    assert np.allclose(nearest(given, given[::-1]), 0, atol=1e-6)
    one = given.copy()
    one[:, COCO17.index("left_wrist")] += (0.17, 0.0)
    assert np.allclose(nearest(one[:1], given[:1]), 0.17 / 17, atol=1e-6)


def test_what_is_missing_is_seen_in_one_direction_alone() -> None:
    wide, narrow = poses(200), poses(200)[:20]
    found = compare(wide, narrow, poses(200, 1)[:20])
    assert np.median(found.real_to_made) > 3 * np.median(found.made_to_real)
    picture = plot({"before": found, "now": found})
    assert picture.shape == (420, 840, 3) and (picture[..., 0] != picture[..., 2]).any()
