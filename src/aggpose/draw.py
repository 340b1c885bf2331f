"""Overlays: key points drawn on pictures, and faces covered."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from aggpose.pose import Poses
from aggpose.skeleton import Skeleton

LEFT = (0, 158, 255)
RIGHT = (255, 140, 0)
CENTRE = (170, 240, 120)
"""RGB: the subject's own left is blue, right is orange, the middle is green. Told apart in the
common forms of colour blindness (after Okabe and Ito)."""

NOTICE = "research use only"
POINT_MIN = 0.2
"""Key points below this score are not drawn (`ModelMeta.point_score` tells it for a model)."""

FACE_PARTS = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "chin")
FACE_SHARE = 0.75
"""A face point counts from this share of that score on, to cover rather too much."""

HOLD_S = 0.5
"""A face that is not found stays covered where it was last for so long."""

_COVER = (60, 60, 60)


def side_colour(name: str) -> tuple[int, int, int]:
    """RGB by the side in a key point's name."""
    if name.startswith("left_"):
        return LEFT
    return RIGHT if name.startswith("right_") else CENTRE


def _link_colour(a: str, b: str) -> tuple[int, int, int]:
    """A link's side is its ends' where they agree, or the one end's that has a side."""
    colours = {side_colour(a), side_colour(b)} - {CENTRE}
    return colours.pop() if len(colours) == 1 else CENTRE


def draw_poses(image: np.ndarray, poses: Poses, least_score: float = POINT_MIN) -> np.ndarray:
    """Draw key points and links into ``image`` (H, W, 3) uint8 RGB, in place; returns it."""
    height, width = image.shape[:2]
    thick = max(1, round(min(height, width) / 240))
    names = poses.skeleton.keypoints
    for points, scores in zip(poses.keypoints, poses.scores, strict=True):
        shown = (scores >= least_score) & np.isfinite(points).all(axis=-1)
        # far outside of the picture OpenCV's integers overflow
        at = np.rint(np.nan_to_num(points).clip(-1e4, 1e5)).astype(int)
        for i, j in poses.skeleton.link_indices:
            if shown[i] and shown[j]:
                colour = _link_colour(names[i], names[j])
                cv2.line(image, _xy(at[i]), _xy(at[j]), colour, thick, cv2.LINE_AA)
        for k in np.flatnonzero(shown):
            cv2.circle(image, _xy(at[k]), thick + 2, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(image, _xy(at[k]), thick + 1, side_colour(names[k]), -1, cv2.LINE_AA)
    return image


def draw_notice(image: np.ndarray, text: str = NOTICE) -> np.ndarray:
    """Small words in the lower left corner of ``image``, in place; returns it."""
    height, width = image.shape[:2]
    scale = max(0.3, min(height, width) / 1000)
    thick = max(1, round(scale))
    font = cv2.FONT_HERSHEY_SIMPLEX
    (text_width, text_height), below = cv2.getTextSize(text, font, scale, thick)
    pad = max(2, round(4 * scale))
    top = max(0, height - text_height - below - 2 * pad)
    corner = image[top:, : text_width + 2 * pad]
    corner >>= 1  # darker, so that white can be read on anything
    at = (pad, height - pad - below)
    cv2.putText(image, text, at, font, scale, (255, 255, 255), thick, cv2.LINE_AA)
    return image


def _xy(point: np.ndarray) -> tuple[int, int]:
    return int(point[0]), int(point[1])


@dataclass(frozen=True)
class _Face:
    """A disc over a face. x, y, radius in px; seen_s: when it was last found."""

    x: float
    y: float
    radius: float
    seen_s: float

    def inside(self, box: np.ndarray) -> bool:
        """Whether the middle lies in a (4,) xyxy box."""
        return bool(box[0] <= self.x <= box[2] and box[1] <= self.y <= box[3])

    def near(self, other: _Face) -> bool:
        distance = float(np.hypot(self.x - other.x, self.y - other.y))
        return distance < self.radius + other.radius


@dataclass
class FaceCover:
    """Covers the faces in following frames, from the key points.

    skeleton: of the poses. hold_s: how long a face that is not found stays covered.
    least_score: from which on a key point counts.
    not_hidden: frames in which a face could not be covered: somebody's face was not found and
    none was held, or nobody was found at all and nothing was held.
    """

    skeleton: Skeleton
    hold_s: float = HOLD_S
    least_score: float = POINT_MIN
    not_hidden: list[int] = field(default_factory=list)
    _faces: list[_Face] = field(default_factory=list)

    def cover(self, image: np.ndarray, poses: Poses, index: int, time_s: float) -> bool:
        """Cover the faces in ``image`` (H, W, 3) uint8 RGB, in place.

        Returns whether every face that was to be expected is covered.
        """
        faces = [self._face(poses, i, time_s) for i in range(len(poses))]
        seen = [face for face in faces if face is not None]
        held = [
            f
            for f in self._faces
            if time_s - f.seen_s <= self.hold_s and not any(f.near(new) for new in seen)
        ]
        for face in seen:
            _disc(image, face, 1.0)
        for face in held:
            # the face may move while it is not found
            _disc(image, face, 1.0 + 0.5 * (time_s - face.seen_s) / self.hold_s)
        self._faces = seen + held
        # somebody whose face is not found is covered only by a disc that was theirs
        lost = [poses.boxes[i] for i, face in enumerate(faces) if face is None]
        done = all(any(face.inside(box) for face in held) for box in lost)
        done = done and bool(seen or held)
        if not done:
            self.not_hidden.append(index)
        return done

    def _face(self, poses: Poses, which: int, time_s: float) -> _Face | None:
        points, scores = poses.keypoints[which], poses.scores[which]
        where = self.skeleton.indices_of(FACE_PARTS)
        where = where[where >= 0]
        finite = np.isfinite(points).all(axis=-1)
        enough = scores >= FACE_SHARE * self.least_score
        good = [k for k in where if enough[k] and finite[k]]
        if not good:
            return None
        face = points[good]
        low, high = face.min(axis=0), face.max(axis=0)
        x, y = (low + high) / 2
        reach = float(np.linalg.norm(face - (x, y), axis=1).max())
        body = points[finite & enough]
        length = float((body.max(axis=0) - body.min(axis=0)).max())
        names = {poses.skeleton.keypoints[k].split("_")[-1] for k in good}
        # eyes and nose span the middle third of a face, ears and chin nearly all of it
        wide = 1.6 if names & {"ear", "chin"} else 3.2
        # an infant's head is a quarter of its length, and one point may lie at the head's edge
        least = (0.16 if len(good) > 1 else 0.25) * length
        return _Face(float(x), float(y), max(wide * reach, least, 8.0), time_s)


def _disc(image: np.ndarray, face: _Face, grow: float) -> None:
    height, width = image.shape[:2]
    x, y = (round(float(v)) for v in np.clip((face.x, face.y), -1e4, 1e5))
    radius = round(min(face.radius * grow, height + width))
    cv2.circle(image, (x, y), radius, _COVER, -1, cv2.LINE_AA)
