"""Overlays and covered faces."""

from __future__ import annotations

import numpy as np
import pytest

from aggpose.draw import LEFT, RIGHT, FaceCover, draw_notice, draw_poses
from aggpose.pose import Poses
from aggpose.skeleton import COCO17, INFANT24

K = len(COCO17)


def poses_of(*people: dict[str, tuple[float, float]], box_size: float = 200.0) -> Poses:
    """People by named points (score 0.9); their boxes reach so far from the first point."""
    keypoints = np.full((len(people), K, 2), np.nan)
    scores = np.zeros((len(people), K))
    boxes = np.zeros((len(people), 4))
    for i, person in enumerate(people):
        for name, place in person.items():
            keypoints[i, COCO17.index(name)] = place
            scores[i, COCO17.index(name)] = 0.9
        centre = np.array(next(iter(person.values())))
        boxes[i] = np.concatenate([centre - box_size / 2, centre + box_size / 2])
    return Poses(keypoints, scores, boxes, COCO17, np.ones(len(people)))


def canvas() -> np.ndarray:
    return np.full((300, 500, 3), 200, np.uint8)


def face(x: float, y: float) -> dict[str, tuple[float, float]]:
    return {
        "nose": (x, y),
        "left_eye": (x + 10, y - 10),
        "right_eye": (x - 10, y - 10),
        "left_ear": (x + 25, y - 5),
        "right_ear": (x - 25, y - 5),
        "left_hip": (x + 20, y + 110),
    }


def body(x: float, y: float) -> dict[str, tuple[float, float]]:
    """Somebody whose face is not seen."""
    return {"left_shoulder": (x + 30, y + 40), "left_hip": (x + 20, y + 110)}


def covered(image: np.ndarray, x: float, y: float) -> bool:
    return bool((image[int(y), int(x)] != 200).any())


def test_sides_have_their_colours() -> None:
    image = draw_poses(canvas(), poses_of({"left_wrist": (100, 50), "right_wrist": (300, 50)}))
    assert tuple(image[50, 100]) == LEFT and tuple(image[50, 300]) == RIGHT


def test_weak_points_are_not_drawn() -> None:
    poses = poses_of({"left_wrist": (100, 50)})
    assert (draw_poses(canvas(), poses, least_score=0.95) == 200).all()
    assert (draw_poses(canvas(), poses, least_score=0.5) != 200).any()


def test_points_far_outside_do_no_harm() -> None:
    draw_poses(canvas(), poses_of({"nose": (1e7, -1e7), "left_eye": (5.0, 5.0)}))


def test_the_notice_is_on_every_overlay() -> None:
    assert (draw_notice(canvas())[270:, :150] != 200).any()


def test_a_face_is_covered_beyond_its_ears() -> None:
    image, cover = canvas(), FaceCover(COCO17)
    assert cover.cover(image, poses_of(face(150, 100)), 0, 0.0)
    for x, y in ((150, 100), (175, 95), (125, 95), (150, 125)):
        assert covered(image, x, y)
    assert not covered(image, 150, 200)


def test_eyes_alone_still_cover_mouth_and_chin() -> None:
    """A close-up: no ears, no body to tell the size by."""
    image, cover = canvas(), FaceCover(COCO17)
    eyes = {"left_eye": (180.0, 100.0), "right_eye": (140.0, 100.0)}
    assert cover.cover(image, poses_of(eyes), 0, 0.0)
    # an adult's or infant's chin lies about one and a half eye distances below the eyes
    assert covered(image, 160, 158)


def test_a_face_is_held_and_then_listed() -> None:
    cover = FaceCover(COCO17, hold_s=0.5)
    nobody = Poses.empty(COCO17)
    assert cover.cover(canvas(), poses_of(face(150, 100)), 0, 0.0)
    image = canvas()
    assert cover.cover(image, nobody, 1, 0.4) and covered(image, 150, 100)
    assert not cover.cover(canvas(), nobody, 2, 0.9)
    assert cover.not_hidden == [2]


def test_another_persons_disc_does_not_count() -> None:
    """A's face jumps, so an old and a new disc are A's; B's face was never seen."""
    cover = FaceCover(COCO17)
    cover.cover(canvas(), poses_of(face(80, 80)), 0, 0.0)
    two = poses_of(face(80, 220), body(400, 100))
    assert not cover.cover(canvas(), two, 1, 0.1)
    assert cover.not_hidden == [1]


def test_a_held_disc_in_the_persons_box_counts() -> None:
    cover = FaceCover(COCO17)
    cover.cover(canvas(), poses_of(face(80, 80), face(400, 80)), 0, 0.0)
    assert cover.cover(canvas(), poses_of(face(82, 80), body(400, 80)), 1, 0.1)


@pytest.mark.parametrize("name", ["chin", "left_ear"])
def test_one_point_of_a_face_is_enough(name: str) -> None:
    keypoints = np.full((1, len(INFANT24), 2), np.nan)
    scores = np.zeros((1, len(INFANT24)))
    for point, place in ((name, (150.0, 100.0)), ("left_hip", (150.0, 240.0))):
        keypoints[0, INFANT24.index(point)] = place
        scores[0, INFANT24.index(point)] = 0.9
    poses = Poses(keypoints, scores, np.array([[50.0, 0, 250, 300]]), INFANT24, np.ones(1))
    image = canvas()
    assert FaceCover(INFANT24).cover(image, poses, 0, 0.0)
    assert covered(image, 150, 130)
