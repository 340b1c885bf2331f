"""Where the infant lies and who looks: the mat, the camera, and laying the body down.

Frame of reference of the world: metres; the mat's top is the plane z = 0, z up; y towards the
infant's head, x to its left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from aggpose.synthetic.body import Body, pose_body
from aggpose.synthetic.motion import bone_rotations

_SINK_M = 0.006
"""How deep a soft mat gives way."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion.

    position, target: (3,) m, world. size: (width, height) px. focal_px: px. The picture's top is
    where y points to.
    """

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    size: tuple[int, int]
    focal_px: float
    roll_deg: float = 0.0

    def axes(self) -> np.ndarray:
        """(3, 3) rows: the picture's right, its down, and forward, in the world."""
        forward = np.subtract(self.target, self.position)
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 1.0, 0.0))
        right /= np.linalg.norm(right)
        down = np.cross(forward, right)
        c, s = np.cos(np.deg2rad(self.roll_deg)), np.sin(np.deg2rad(self.roll_deg))
        return np.stack([c * right + s * down, c * down - s * right, forward])

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """points (..., 3) m, world -> pixels (..., 2), centres at integers, and depth (...) m."""
        local = (points - np.asarray(self.position)) @ self.axes().T
        depth = local[..., 2]
        middle = (np.asarray(self.size, dtype=np.float64) - 1) / 2
        return middle + self.focal_px * local[..., :2] / depth[..., None], depth


def lay_down(points: np.ndarray) -> np.ndarray:
    """Body frame -> lying on the back in the world, not yet on the mat: (..., 3) -> (..., 3)."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def settle(
    body: Body, angles: Mapping[str, np.ndarray], face: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Lay the moving body on the mat.

    The trunk rests, the head touches the mat, and limbs that would go into it are lifted. The
    middle of the key points over all of the clip comes to x = y = 0.
    Returns vertices (T, V, 3) and key points of infant24 (T, 24, 3), metres, world.
    """
    angles = dict(angles)
    weights = body.weights
    trunk = weights["trunk"] > 0.9
    parts = {
        "left_arm_up": weights["arm.L"] + weights["hand.L"] > 0.7,
        "right_arm_up": weights["arm.R"] + weights["hand.R"] > 0.7,
        "left_leg_up": weights["leg.L"] > 0.9,
        "right_leg_up": weights["leg.R"] > 0.9,
    }
    head = weights["head"] > 0.9
    for _ in range(8):
        vertices, points = pose_body(body, bone_rotations(angles, body.bones, body.reference), face)
        vertices, points = lay_down(vertices), lay_down(points)
        # one height for all of the clip: a trunk that lies does not bob
        rest = float(np.median(vertices[:, trunk, 2].min(axis=1))) + _SINK_M
        vertices[..., 2] -= rest
        points[..., 2] -= rest
        high = vertices[:, head, 2].min(axis=1) + 0.4 * _SINK_M
        angles["neck_bend"] = angles["neck_bend"] - np.rad2deg(high / 0.06) * 0.7
        for name, which in parts.items():
            deep = -(vertices[:, which, 2].min(axis=1) + 0.5 * _SINK_M)
            lift = np.rad2deg(_soft(deep) / 0.16)
            angles[name] = angles[name] + lift
    middle = np.append(points.mean(axis=(0, 1))[:2], 0.0)
    return vertices - middle, points - middle


def _soft(deep: np.ndarray) -> np.ndarray:
    """(T,) m over time: never less than what is needed where it is needed most, without kinks."""
    need = np.maximum(deep, 0.0)[None].astype(np.float32)
    wide = cv2.dilate(need, np.ones((1, 5), np.uint8))
    return cv2.GaussianBlur(wide, (9, 1), 2.0, borderType=cv2.BORDER_REPLICATE)[0].astype(float)


@dataclass(frozen=True)
class Ground:
    """A cloth on a floor, seen from above, as pictures in the plane z = 0.

    colour: (S, S, 3) linear RGB reflectance. normal: (S, S, 3) unit, world. Row 0 lies at the
    greatest y. side_m: what S pixels span; the middle is the world's origin.
    """

    colour: np.ndarray
    normal: np.ndarray
    side_m: float


def fractal_noise(
    size: int, rng: np.random.Generator, coarsest: int, octaves: int, fall: float = 0.5
) -> np.ndarray:
    """(size, size) noise of about unit deviation, of ``coarsest`` cells a side and finer."""
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        cells = min(size, coarsest * 2**octave)
        grid = rng.standard_normal((cells + 3, cells + 3)).astype(np.float32)
        total += fall**octave * cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
    return total / float(total.std())


def make_ground(rng: np.random.Generator, side_m: float = 1.6, size: int = 2048) -> Ground:
    """A soft cloth with folds and a hem, on boards."""
    at = (np.arange(size, dtype=np.float32) + 0.5) / size * side_m - side_m / 2
    x, y = np.meshgrid(at, -at)
    wobble = 0.006 * fractal_noise(size, rng, 5, 2)
    half_width, half_length, corner = 0.37, 0.455, 0.05
    qx, qy = np.abs(x) - half_width + corner, np.abs(y - 0.0) - half_length + corner
    edge = np.hypot(qx.clip(0), qy.clip(0)) + np.minimum(np.maximum(qx, qy), 0) - corner
    inside = -(edge + wobble)  # metres within the cloth
    cloth = _step(inside / 0.0025)

    folds = 0.004 * fractal_noise(size, rng, 5, 4, 0.45) + _creases(x, y, rng)
    weave = 0.00010 * rng.standard_normal((size, size)).astype(np.float32)
    hem = 0.0025 * np.exp(-(((inside - 0.012) / 0.006) ** 2))
    height = cloth * (0.010 * _step(inside / 0.02) + folds * _step(inside / 0.06) + hem + weave)
    height += (1 - cloth) * 0.0001 * fractal_noise(size, rng, 60, 3)
    colour = cloth[..., None] * _cloth_colour(x, y, inside, rng)
    # the cloth stands on the floor and shades it
    shade = 1 - 0.5 * cv2.GaussianBlur(cloth, (0, 0), size * 0.012 / side_m)
    colour += (1 - cloth[..., None]) * _boards(x, y, rng) * shade[..., None]
    slope_y, slope_x = np.gradient(height, side_m / size)
    normal = np.stack([-slope_x, slope_y, np.ones_like(height)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return Ground(colour.astype(np.float32), normal.astype(np.float32), side_m)


def _creases(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A few long soft ridges, as of a cloth that was folded and smoothed by hand."""
    total = np.zeros_like(x)
    for _ in range(9):
        angle, offset = rng.uniform(0, np.pi), rng.uniform(-0.35, 0.35)
        bend, width = rng.uniform(-1.2, 1.2), rng.uniform(0.006, 0.016)
        along = np.cos(angle) * x + np.sin(angle) * y
        across = -np.sin(angle) * x + np.cos(angle) * y - offset + bend * along**2 * 0.5
        reach = np.exp(-(((along - rng.uniform(-0.25, 0.25)) / rng.uniform(0.1, 0.3)) ** 2))
        total += rng.uniform(0.001, 0.0035) * reach * np.exp(-((across / width) ** 2))
    return total


def _cloth_colour(
    x: np.ndarray, y: np.ndarray, inside: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(S, S, 3): a pale ground with rows of small dots, and a darker hem."""
    pale, dot, band = np.array([[0.60, 0.66, 0.62], [0.30, 0.47, 0.50], [0.34, 0.47, 0.48]])
    pitch = 0.052
    row = np.floor(y / pitch)
    cell_x = (x / pitch + 0.5 * (row % 2)) % 1 - 0.5
    cell_y = (y / pitch) % 1 - 0.5
    dots = _step((0.0075 - pitch * np.hypot(cell_x, cell_y)) / 0.0012)[..., None]
    colour = pale * (1 - dots) + dot * dots
    hem = _step((0.024 - inside) / 0.002)[..., None]
    colour = colour * (1 - hem) + band * hem
    stains = 1 + 0.02 * fractal_noise(len(x), rng, 8, 4) + 0.03 * rng.standard_normal(x.shape)
    return colour * stains[..., None]


def _boards(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(S, S, 3): wooden boards along y."""
    width = 0.11
    board = np.floor(x / width).astype(int)
    tone = rng.uniform(0.8, 1.1, size=64)[board % 64]
    size = len(x)
    streaks = cv2.resize(fractal_noise(512, rng, 40, 3)[:64], (size, size))
    grain = 1 + 0.10 * cv2.GaussianBlur(streaks.T[:size, :size], (0, 0), 1.0).T
    gap = _step((np.abs((x / width) % 1 - 0.5) * width - (width / 2 - 0.0016)) / 0.0012)
    colour = np.array([0.36, 0.21, 0.115]) * (tone * grain)[..., None]
    return colour * (1 - 0.65 * gap[..., None])


def _step(value: np.ndarray) -> np.ndarray:
    t = np.clip(value, 0.0, 1.0)
    return t * t * (3 - 2 * t)
