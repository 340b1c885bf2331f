"""Probabilities are decoded where the expected similarity is highest."""

from __future__ import annotations

import math

import numpy as np
import pytest

from aggpose.decoding import (
    ELSEWHERE,
    STRICT,
    decode_maps,
    decoder_words,
    expected_similarity,
    reaches,
)
from aggpose.evaluation.oks import point_similarity
from aggpose.heatmaps import decode_heatmaps, encode_heatmaps
from aggpose.meta import ModelMeta
from aggpose.skeleton import COCO17

SIGMA = 1.5
PLAIN = ModelMeta(name="test", keypoints=COCO17.keypoints, input_size=(160, 192), decode_kernel=9)
META = ModelMeta(name="test", keypoints=COCO17.keypoints, input_size=(160, 192), map_sigma=SIGMA)
SIZE = (40, 48)


def gaussians(points: np.ndarray) -> np.ndarray:
    """Maps (B, K, h, w) of probabilities in the network's scale, all of the mass on the map."""
    return encode_heatmaps(points, np.full(points.shape[:-1], 2), SIZE, SIGMA)[0]


def test_reach_is_that_of_oks() -> None:
    """A point one reach off has the similarity of one standard deviation, for a person whose box
    fills the crop within its padding."""
    reach = reaches(META, SIZE)
    area = SIZE[0] * SIZE[1] / META.box_padding**2
    off = np.stack([reach, np.zeros(17)], axis=-1)
    similarity = point_similarity(off, np.zeros((17, 2)), area, np.array(COCO17.sigmas))
    np.testing.assert_allclose(similarity, math.exp(-0.5), rtol=1e-9)


def test_points_come_back() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(12, [27, 35], (5, 17, 2))
    coords, scores = decode_maps(gaussians(points), META)
    np.testing.assert_allclose(coords, points, atol=0.02)
    # two Gaussians convolved: a point as unsure as its target was
    reach = reaches(META, SIZE)
    wanted = np.tile(reach**2 / (reach**2 + SIGMA**2), (5, 1))
    np.testing.assert_allclose(scores, wanted, atol=0.002)


def test_place_and_score_are_what_they_say() -> None:
    """Against the expectations summed up cell by cell."""
    rng = np.random.default_rng(1)
    maps = rng.random((2, 17, SIZE[1], SIZE[0])).astype(np.float32) ** 8
    maps *= 2 * math.pi * SIGMA**2 / maps.sum(axis=(2, 3), keepdims=True)
    reach = reaches(META, SIZE)
    coords, scores = expected_similarity(maps, SIGMA, reach)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]

    def expected(b: int, k: int, at: np.ndarray, width: float) -> float:
        near = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 2 / width**2)
        return float((maps[b, k] * near).sum() / (2 * math.pi * SIGMA**2))

    for b, k in ((0, 0), (0, 5), (1, 11), (1, 16)):
        assert scores[b, k] == pytest.approx(expected(b, k, coords[b, k], reach[k]), rel=1e-4)
        strict = STRICT * reach[k]
        cells = [np.array([i, j]) for i in range(SIZE[0]) for j in range(SIZE[1])]
        best = max(cells, key=lambda at: expected(b, k, at, strict))
        assert np.abs(coords[b, k] - best).max() <= 0.5 + 1e-9


def test_the_heavier_of_two_places_wins() -> None:
    """DARK takes the highest cell; a lower but wider hill holds more."""
    high, wide = np.array([8.0, 10.0]), np.array([28.0, 34.0])
    one = gaussians(np.tile(high, (1, 17, 1)))
    broad = encode_heatmaps(np.tile(wide, (1, 17, 1)), np.full((1, 17), 2), SIZE, 2 * SIGMA)[0]
    maps = 0.35 * one + 0.65 * broad / 4  # 35 % of the mass on the high one
    assert (maps.reshape(17, -1).max(axis=1) == maps[0, :, 10, 8]).all()
    coords, scores = decode_maps(maps, META)
    hip = COCO17.keypoints.index("left_hip")
    np.testing.assert_allclose(coords[0, hip], wide, atol=0.05)
    assert 0.35 < scores[0, hip] < 0.65
    np.testing.assert_allclose(decode_heatmaps(maps, 9)[0][0, hip], high, atol=0.05)


def test_borders_and_nothing() -> None:
    maps = np.zeros((1, 17, SIZE[1], SIZE[0]), np.float32)
    maps[0, 0, 0, 0] = maps[0, 1, 47, 39] = 1.0
    coords, scores = decode_maps(maps, META)
    assert coords[0, 0].tolist() == [0, 0] and coords[0, 1].tolist() == [39, 47]
    assert (scores[0, 2:] == 0).all() and np.isfinite(coords).all()


def test_heat_maps_are_decoded_as_published() -> None:
    maps = gaussians(np.random.default_rng(2).uniform(5, 30, (2, 17, 2)))
    for ours, dark in zip(decode_maps(maps, PLAIN), decode_heatmaps(maps, 9), strict=True):
        np.testing.assert_array_equal(ours, dark)
    assert decoder_words(PLAIN) == "DARK, kernel 9"
    assert decoder_words(META) == "expected similarity"


HERE, THERE = np.array([12.0, 30.0]), np.array([30.0, 12.0])


def doubtful(shares: list[float]) -> np.ndarray:
    """Maps (T, 17, h, w) of following frames: a point is in THERE with such a chance, else HERE."""
    here, there = (gaussians(np.tile(place, (1, 17, 1)))[0] for place in (HERE, THERE))
    return np.stack([(1 - share) * here + share * there for share in shares]).astype(np.float32)


def test_of_two_likely_places_a_point_keeps_to_its_last() -> None:
    maps = doubtful([0.52, 0.6, 0.48, 0.65])
    near = np.tile(HERE, (17, 1))
    free, _ = decode_maps(maps, META)
    kept, scores = decode_maps(maps, META, near)
    assert np.abs(free[[0, 1, 3]] - THERE).max() < 0.5 and np.abs(free[2] - HERE).max() < 0.5
    assert np.abs(kept - HERE).max() < 0.5
    # scores say how likely the place is that was kept
    assert (np.diff(scores[[3, 1, 0, 2]], axis=0) > 0).all()


def test_a_point_jumps_where_that_is_much_likelier_and_stays_there() -> None:
    likely = 0.02 + 1 / (1 + ELSEWHERE)
    kept, _ = decode_maps(doubtful([0.6, likely, 0.4]), META, np.tile(HERE, (17, 1)))
    for frame, place in enumerate((HERE, THERE, THERE)):
        assert np.abs(kept[frame] - place).max() < 0.5, frame


def test_what_is_near_does_not_bend_the_place() -> None:
    """Peaks that moved a little are found where they are, to the bit; unknown places do nothing."""
    rng = np.random.default_rng(3)
    points = rng.uniform(12, [27, 35], (1, 17, 2))
    maps = gaussians(points)
    free = decode_maps(maps, META)
    for near in (points[0] + rng.uniform(-3, 3, (17, 2)), np.full((17, 2), np.nan)):
        kept = decode_maps(maps, META, near)
        np.testing.assert_array_equal(kept[0], free[0])
        np.testing.assert_array_equal(kept[1], free[1])
    corner = np.tile([-40.0, 900.0], (17, 1))
    np.testing.assert_array_equal(decode_maps(maps, META, corner)[0], free[0])
