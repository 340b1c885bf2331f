"""How well generated poses cover real ones: distances between 2D poses, both ways.

A pose is compared after its place, size and turn in the picture are taken away: the centre of the
four trunk points (shoulders, hips) goes to the origin, twice their root mean square distance from
it (the trunk's diagonal, seen from the front) becomes 1, and the line from the hips' middle to the
shoulders' middle points up. The diagonal, not the trunk's length, is the unit, for a trunk seen
from its end has hardly any length. The turn is taken away because a camera may be turned at will.
The distance of two poses is the mean distance of their 17 key points (coco17), in that unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from aggpose.hips import annotated_hips
from aggpose.skeleton import COCO17, INFANT24
from aggpose.synthetic.body.body import Body
from aggpose.synthetic.camera import Camera
from aggpose.synthetic.pose.poses import draw_posture, draw_rest
from aggpose.synthetic.pose.rig import Rig
from aggpose.synthetic.pose.rig_fit import make_rig

_FROM24 = [INFANT24.index(name) for name in COCO17.keypoints]
_TRUNK = [
    COCO17.index(f"{side}_{part}") for part in ("shoulder", "hip") for side in ("left", "right")
]


@dataclass(frozen=True)
class Coverage:
    """Nearest-neighbour distances, trunk diagonals.

    real_to_made: (R,) from each real pose to the nearest made: coverage. made_to_real: (M,)
    realism. made_to_made: (M,) to those of another seed: what two draws from the same differ by.
    """

    real_to_made: np.ndarray
    made_to_real: np.ndarray
    made_to_made: np.ndarray

    def table(self) -> str:
        rows = ["distance               median   90 %"]
        for name, value in (
            ("real -> generated", self.real_to_made),
            ("generated -> real", self.made_to_real),
            ("generated -> others", self.made_to_made),
        ):
            rows.append(f"{name:<22}{np.median(value):6.3f} {np.percentile(value, 90):6.3f}")
        return "\n".join(rows)


def normalised(keypoints: np.ndarray) -> np.ndarray:
    """keypoints (N, 17, 2) px, y down -> (N, 17, 2) in trunk diagonals, y up, the trunk upright."""
    trunk = keypoints[:, _TRUNK]
    centre = trunk.mean(axis=1, keepdims=True)
    size = 2 * np.sqrt(((trunk - centre) ** 2).sum(axis=-1).mean(axis=1))
    local = (keypoints - centre) / size[:, None, None].clip(1e-6) * (1, -1)
    up = local[:, _TRUNK[:2]].mean(axis=1) - local[:, _TRUNK[2:]].mean(axis=1)
    up /= np.linalg.norm(up, axis=1, keepdims=True).clip(1e-6)
    right = np.stack([up[:, 1], -up[:, 0]], axis=1)
    return np.einsum("nij,nkj->nki", np.stack([right, up], axis=1), local)


def nearest(poses: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) distance of each normalised pose to the nearest of the others."""
    best = np.empty(len(poses))
    for i, pose in enumerate(poses.astype(np.float32)):
        away = np.sqrt(((others.astype(np.float32) - pose) ** 2).sum(axis=-1))
        best[i] = away.mean(axis=1).min()
    return best


def generate(
    rng: np.random.Generator, bodies: Sequence[Body], count: int
) -> tuple[np.ndarray, list[str]]:
    """2D poses (count, 17, 2) px as drawn by `poses`, each seen by a camera of its own, and
    their ``posture/family``."""
    rigs = [make_rig(body) for body in bodies]
    found, names = [], []
    for index in range(count):
        points, name = _points(rng, rigs[index % len(rigs)])
        pixels, _ = random_camera(rng, name.startswith(_UPRIGHT), points).project(points)
        found.append(pixels[_FROM24])
        names.append(name)
    return np.array(found), names


_UPRIGHT = ("sitting", "held", "standing")


def _points(rng: np.random.Generator, rig: Rig) -> tuple[np.ndarray, str]:
    age = float(rng.uniform(0, 12))
    posture = draw_posture(rng, age)
    drawn = draw_rest(rng, rig, posture, age)
    joints = rig.points(drawn.rest.angles)[0, -len(INFANT24) :]
    points = annotated_hips(joints, INFANT24)
    return points @ drawn.rest.turn[0].T + drawn.rest.shift[0], f"{posture}/{drawn.name}"


def random_camera(rng: np.random.Generator, upright: bool, points: np.ndarray) -> Camera:
    """From any side; from above those who lie, mostly from the front those who are upright."""
    sine = rng.uniform(-0.05, 0.9) if upright else rng.uniform(0.45, 1.0)
    azimuth, far = rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(np.log(0.5), np.log(2.0)))
    if upright and rng.random() < 0.75:
        azimuth = -0.5 * np.pi + rng.normal(0, 0.8)
    level = np.sqrt(1 - sine**2)
    middle = points.mean(axis=0)
    away = np.array([level * np.cos(azimuth), level * np.sin(azimuth), sine + 1e-3])
    x, y, z = (middle + far * away).tolist()
    a, b, c = middle.tolist()
    up = (0.0, 0.0, 1.0) if sine < 0.99 else (0.0, 1.0, 0.0)
    return Camera((x, y, z), (a, b, c), (640, 640), 640.0 * far, 0.0, up)


def compare(real: np.ndarray, made: np.ndarray, others: np.ndarray) -> Coverage:
    """All (N, 17, 2) px; others: made with another seed."""
    real, made, others = normalised(real), normalised(made), normalised(others)
    return Coverage(nearest(real, made), nearest(made, real), nearest(made, others))


def plot(coverages: dict[str, Coverage], size: int = 420) -> np.ndarray:
    """(H, W, 3) uint8 RGB: shares of poses that have a neighbour within a distance, by kind."""
    colours = ((200, 60, 40), (40, 90, 200), (120, 120, 120))
    panels = []
    for name, coverage in coverages.items():
        panel = np.full((size, size, 3), 255, np.uint8)
        cv2.putText(panel, name, (50, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
        low, high, wide = size - 40, 40, size - 60
        for i in range(6):
            x = 45 + wide * i // 5
            cv2.line(panel, (x, high), (x, low), (225, 225, 225), 1)
            cv2.putText(panel, f"{0.1 * i:.1f}", (x - 10, low + 18), 0, 0.38, (0, 0, 0), 1)
            y = low - (low - high) * i // 5
            cv2.line(panel, (45, y), (45 + wide, y), (225, 225, 225), 1)
            cv2.putText(panel, f"{20 * i}%", (8, y + 4), 0, 0.38, (0, 0, 0), 1)
        kinds = ("real -> generated", "generated -> real", "generated -> others")
        values = (coverage.real_to_made, coverage.made_to_real, coverage.made_to_made)
        for row, (kind, value, colour) in enumerate(zip(kinds, values, colours, strict=True)):
            at = np.linspace(0, 0.5, 101)
            share = (np.sort(value)[None] <= at[:, None]).mean(axis=1)
            curve = np.stack([45 + wide * at / 0.5, low - (low - high) * share], axis=1)
            cv2.polylines(panel, [curve.astype(np.int32)], False, colour, 2, cv2.LINE_AA)
            place = (size - 190, low - 60 + 18 * row)
            cv2.putText(panel, kind, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
        panels.append(panel)
    return np.hstack(panels)
