"""Looks of the pose network at crops of a picture, turned as it wants people.

Networks that were taught people upright only (`ModelMeta.upright`) look at all four turns, and
again at the best one with its trunk brought upright: what they say does not depend on the direction
a child lies in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aggpose.geometry import keypoints_box, upright_rotation
from aggpose.inference.crops import Crop, crop_of_box, look
from aggpose.inference.runtime import Runtime
from aggpose.meta import ModelMeta
from aggpose.pose import Poses


@dataclass(frozen=True)
class Thresholds:
    """When a pose counts. Scores are in 0..1. The values here are those of heat-map peaks and
    ``ModelMeta.point_score`` 0.2; see `thresholds_of`.

    point: a key point at or above this is used for boxes and drawn.
    hint: the same for the first look at a whole picture, where the infant is small.
    found: mean score over the key points from which on an infant counts as found.
    sure: mean score from which on no other tries are made.
    points: so many key points must reach ``point`` for a pose to count.
    """

    point: float = 0.2
    hint: float = 0.1
    found: float = 0.2
    sure: float = 0.45
    points: int = 4


_EXPECTED = Thresholds(point=0.4, hint=0.2, found=0.58, sure=0.68)
"""Of expected similarities (`aggpose.decoding`): where nobody is they do not fall as low as peaks,
and they do not fall with every doubt of where exactly a point lies."""


def thresholds_of(meta: ModelMeta) -> Thresholds:
    """The thresholds in proportion to what the network's scores mean."""
    plain = _EXPECTED if meta.scores_are_similarities else Thresholds()
    factor = meta.point_score / plain.point
    return Thresholds(
        point=meta.point_score,
        hint=plain.hint * factor,
        found=plain.found * factor,
        sure=min(0.9, plain.sure * factor),
    )


MARGIN = 0.1
"""Key points end before the body does: the box around them grows by this share of its longer
side, on each side."""

TURNS = (90.0, 180.0, 270.0)

SAME_TURN_DEG = 8.0
"""Crops that are turned by less than this against each other show the same."""

_SMALLEST = 8.0  # px: key points on one spot still make a box


@dataclass(frozen=True)
class Look:
    """One look of the network at one crop.

    keypoints: (K, 2) px of the picture. scores: (K,). crop: what it looked at. thresholds: of the
    network.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    crop: Crop
    thresholds: Thresholds

    @property
    def quality(self) -> float:
        """Mean score of all key points."""
        return float(self.scores.mean())

    @property
    def counting(self) -> np.ndarray:
        """(K,) bool, the key points that count."""
        return self.scores >= self.thresholds.point

    def found(self) -> bool:
        """Whether this counts as an infant."""
        enough = int(self.counting.sum()) >= self.thresholds.points
        return enough and self.quality >= self.thresholds.found

    def sure(self) -> bool:
        """Whether no other look is worth its time."""
        return self.quality >= self.thresholds.sure

    def body_box(self, least_score: float | None = None) -> np.ndarray | None:
        """(4,) xyxy box around the key points of at least that score, with `MARGIN`.

        least_score: None for the points that count.
        """
        valid = self.counting if least_score is None else self.scores >= least_score
        if int(valid.sum()) < min(self.thresholds.points, len(valid)):
            return None
        box = keypoints_box(self.keypoints, valid)
        if box is None:
            return None
        grow = max(MARGIN * float(np.max(box[2:] - box[:2])), _SMALLEST / 2)
        return box + np.array([-grow, -grow, grow, grow])


def whole_picture(image: np.ndarray) -> np.ndarray:
    """(4,) xyxy box of all of an image (H, W, 3)."""
    height, width = image.shape[:2]
    return np.array([0.0, 0.0, width, height])


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two (4,) xyxy boxes."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    inside = float(np.prod(np.clip(high - low, 0, None)))
    union = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - inside
    return inside / union if union > 0 else 0.0


def look_at(
    runtime: Runtime, image: np.ndarray, crops: list[Crop], flip_test: bool = False
) -> list[Look]:
    """The network's looks at some crops of one image, in their order."""
    return _looks(runtime, [image] * len(crops), crops, flip_test)


def _looks(
    runtime: Runtime,
    images: Sequence[np.ndarray],
    crops: Sequence[Crop],
    flip_test: bool,
    batch_size: int = 8,
) -> list[Look]:
    """Looks at the i-th crop of the i-th image."""
    keypoints, scores = look(runtime, images, crops, flip_test, batch_size)
    limits = thresholds_of(runtime.meta)
    return [Look(k, s, c, limits) for k, s, c in zip(keypoints, scores, crops, strict=True)]


def best_turns(
    runtime: Runtime,
    images: Sequence[np.ndarray],
    boxes: Sequence[np.ndarray],
    padding: float | None = None,
    flip_test: bool = False,
    batch_size: int = 8,
) -> list[Look]:
    """The best of four looks at each box, each a quarter turn on. images: the picture of each box.
    boxes: (4,) xyxy px each."""
    turns = (0.0, *TURNS)
    crops = [crop_of_box(box, runtime.meta, turn, padding) for box in boxes for turn in turns]
    pictures = [image for image in images for _ in turns]
    seen = _looks(runtime, pictures, crops, flip_test, batch_size)
    groups = (seen[i : i + len(turns)] for i in range(0, len(seen), len(turns)))
    return [max(group, key=lambda one: one.quality) for group in groups]


def upright_turn(seen: Look, meta: ModelMeta) -> float:
    """Degrees to turn the next crop of what was seen: until the trunk points up, where the network
    wants it so and the trunk is seen; else as the last one."""
    if not meta.upright:
        return seen.crop.rotation
    turn = upright_rotation(seen.keypoints, seen.counting, meta.skeleton)
    return seen.crop.rotation if turn is None else turn


def turned_apart(a: float, b: float) -> float:
    """Degrees between two rotations, 0 to 180."""
    return abs((a - b + 180.0) % 360.0 - 180.0)


def look_upright(
    runtime: Runtime,
    images: Sequence[np.ndarray],
    boxes: Sequence[np.ndarray],
    flip_test: bool = False,
    batch_size: int = 8,
) -> list[Look]:
    """The person in each box, for networks that know people upright (`ModelMeta.upright`): four
    turns, then a look at the best one with its trunk brought upright.

    images: the picture of each box. boxes: (4,) xyxy px each. batch_size: crops a call.
    """
    meta = runtime.meta
    best = best_turns(runtime, images, boxes, None, flip_test, batch_size)
    wanted = [upright_turn(one, meta) for one in best]
    again = [
        i
        for i, one in enumerate(best)
        if turned_apart(wanted[i], one.crop.rotation) > SAME_TURN_DEG
    ]
    if again:
        crops = [crop_of_box(boxes[i], meta, wanted[i]) for i in again]
        looks = _looks(runtime, [images[i] for i in again], crops, flip_test, batch_size)
        for i, aligned in zip(again, looks, strict=True):
            best[i] = max(best[i], aligned, key=lambda one: one.quality)
    return best


def poses_of(look: Look | None, runtime: Runtime) -> Poses:
    """One pose, or nobody."""
    skeleton = runtime.meta.skeleton
    if look is None:
        return Poses.empty(skeleton)
    return Poses(look.keypoints[None], look.scores[None], look.crop.box[None], skeleton, np.ones(1))
