from pathlib import Path

import numpy as np
import pytest
from colour_net import figure
from hypothesis import given, settings
from hypothesis import strategies as st

from aggpose.geometry import (
    apply_affine,
    box_to_crop,
    compose_affine,
    crop_affine,
    flip_back,
    heatmap_to_picture,
    input_to_heatmap,
    invert_affine,
    keypoints_box,
    mirror_keypoints,
    turned_box,
    upright_rotation,
    xywh_to_xyxy,
    xyxy_to_xywh,
)
from aggpose.skeleton import COCO17, INFANT21, INFANT24, LSP14, Skeleton

coordinate = st.floats(-2000, 4000)
length = st.floats(8, 3000)


def test_affines_are_the_recorded_ones(reference: Path) -> None:
    record = np.load(reference / "decode_coco17.npz")
    for i in range(len(record["center"])):
        center, size = record["center"][i], record["scale"][i] * 200
        crop = crop_affine(center, size, record["rotation"][i], (192, 256))
        assert np.abs(crop - record["crop_affine"][i]).max() < 1e-3
        inverse = heatmap_to_picture(center, size, (48, 64))
        assert np.abs(inverse - record["inverse_affine"][i]).max() < 1e-3


def test_flip_back_is_the_recorded_one(reference: Path) -> None:
    record = np.load(reference / "decode_coco17.npz")
    assert record["flip_pairs"].tolist() == [[1, 2], [3, 4], [5, 6]]
    paired = [side + part for part in "abc" for side in ("left_", "right_")]
    names = ("nose", *paired, *(f"middle_{i}" for i in range(10)))
    skeleton = Skeleton("recorded", names, (), (0.05,) * 17, frozenset())
    assert (flip_back(record["heatmaps"], skeleton) == record["flipped_back"]).all()


@given(coordinate, coordinate, length, length, st.floats(-180, 180), coordinate, coordinate)
def test_crop_and_inverse(
    cx: float, cy: float, w: float, h: float, angle: float, x: float, y: float
) -> None:
    affine = crop_affine(np.array([cx, cy]), np.array([w, h]), angle, (192, 256))
    point = np.array([x, y])
    back = apply_affine(invert_affine(affine), apply_affine(affine, point))
    assert np.allclose(back, point, atol=1e-6)
    assert np.allclose(apply_affine(affine, np.array([cx, cy])), [95.5, 127.5], atol=1e-6)


@given(coordinate, coordinate, length, length, st.floats(-180, 180))
def test_heatmap_frame_follows_from_the_input_frame(
    cx: float, cy: float, w: float, h: float, angle: float
) -> None:
    center, size = np.array([cx, cy]), np.array([w, h])
    direct = crop_affine(center, size, angle, (48, 64))
    chained = compose_affine(
        input_to_heatmap((192, 256), (48, 64)), crop_affine(center, size, angle, (192, 256))
    )
    assert np.allclose(direct, chained, atol=1e-6)


def test_the_vertical_factor_is_that_of_the_widths() -> None:
    affine = input_to_heatmap((192, 256), (48, 64))
    assert apply_affine(affine, np.array([0.0, 10.0]))[1] == pytest.approx(
        47 / 191 * (10 - 127.5) + 31.5
    )


def test_positive_rotation_turns_counter_clockwise_on_the_screen() -> None:
    affine = crop_affine(np.zeros(2), np.array([192.0, 256.0]), 90, (192, 256))
    assert np.allclose(affine[:, :2] @ [1, 0], [0, -1])  # right goes up


@pytest.mark.parametrize("skeleton", [COCO17, INFANT21, INFANT24, LSP14], ids=lambda s: s.name)
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(1, 4000))
def test_mirror_twice_is_nothing(skeleton, seed: int, width: int) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    points = rng.uniform(-50, 2000, (3, len(skeleton), 2))
    scores = rng.random((3, len(skeleton)))
    once, once_scores = mirror_keypoints(points, width, skeleton, scores)
    twice, twice_scores = mirror_keypoints(once, width, skeleton, once_scores)
    assert np.allclose(twice, points) and (twice_scores == scores).all()
    left, right = skeleton.index("left_knee"), skeleton.index("right_knee")
    assert np.allclose(once[:, left, 0], width - 1 - points[:, right, 0])


def test_box_to_crop_pads_to_the_aspect_and_enlarges() -> None:
    center, size = box_to_crop(np.array([10, 20, 30, 100]), 192 / 256)
    assert np.allclose(center, [25, 70])
    assert np.allclose(size, [75 * 1.25, 100 * 1.25])
    _, wide = box_to_crop(np.array([0, 0, 90, 30]), 192 / 256)
    assert np.allclose(wide, [90 * 1.25, 120 * 1.25])


def test_boxes_and_corners() -> None:
    boxes = np.array([[1.0, 2, 3, 4]])
    assert (xywh_to_xyxy(boxes) == [[1, 2, 4, 6]]).all()
    assert (xyxy_to_xywh(xywh_to_xyxy(boxes)) == boxes).all()


def test_keypoints_box() -> None:
    points = np.array([[1.0, 5], [4, 2], [100, 100], [np.nan, 0]])
    valid = np.array([True, True, False, True])
    assert (keypoints_box(points, valid) == [1, 2, 4, 5]).all()
    assert keypoints_box(points, np.array([True, False, False, False])) is None


@given(st.floats(-180, 180), st.floats(20, 2000))
def test_upright_rotation_brings_the_trunk_up_and_keeps_the_sides(
    angle: float, size: float
) -> None:
    points = figure((13.0, -40.0), size, turn=angle)
    turn = upright_rotation(points, np.ones(17, bool), COCO17)
    assert turn is not None
    crop = crop_affine(points.mean(axis=0), np.array([size, size]), turn, (96, 96))
    there = apply_affine(crop, points)
    trunk = there[[5, 6]].mean(axis=0) - there[[11, 12]].mean(axis=0)
    assert trunk[1] < 0 and abs(trunk[0]) < 1e-6 * abs(trunk[1])
    assert there[5, 0] > there[6, 0]  # it lies on its back: its left is at the right


def test_upright_rotation_needs_a_trunk_that_is_seen() -> None:
    points, seen = figure((0.0, 0.0), 100.0, turn=90), np.ones(17, bool)
    assert upright_rotation(points, seen, COCO17) == pytest.approx(90)
    one_side = seen.copy()
    one_side[[6, 12]] = False  # both ends by their left point alone
    assert upright_rotation(points, one_side, COCO17) == pytest.approx(90, abs=20)
    for missing in ([5, 6], [11, 12]):
        hidden = seen.copy()
        hidden[missing] = False
        assert upright_rotation(points, hidden, COCO17) is None
    end_on = points.copy()
    end_on[[11, 12]] = end_on[[5, 6]] + 3.0
    assert upright_rotation(end_on, seen, COCO17) is None


@given(coordinate, coordinate, length, length, st.floats(-720, 720))
def test_turned_box_keeps_its_middle_and_is_exact_for_quarter_turns(
    x: float, y: float, w: float, h: float, angle: float
) -> None:
    box = np.array([x, y, w, h])
    turned = turned_box(box, angle)
    assert np.allclose(turned[:2] + turned[2:] / 2, [x + w / 2, y + h / 2])
    assert min(w, h) - 1e-6 <= turned[2:].min() and turned[2:].max() <= max(w, h) + 1e-6
    assert np.allclose(turned_box(box, 90)[2:], [h, w])
    assert np.allclose(turned_box(box, -180)[2:], [w, h])
