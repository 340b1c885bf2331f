"""The camera: a pinhole with radial lens distortion, looking into the world of `mesh`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A camera at one moment.

    position, target: (3,) m, world. size: (width, height) px. focal_px: px.
    roll_deg: clockwise turn of the picture's content seen by the viewer when negative; with 0 the
        picture's top is where `up` points to. up: (3,), not along the line of sight.
    distortion: k1, k2 of the radial model x' = x (1 + k1 r^2 + k2 r^4), x in units of the focal
        length (Brown 1966, as OpenCV writes it).
    """

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    size: tuple[int, int]
    focal_px: float
    roll_deg: float = 0.0
    up: tuple[float, float, float] = (0.0, 1.0, 0.0)
    distortion: tuple[float, float] = (0.0, 0.0)

    def axes(self) -> np.ndarray:
        """(3, 3) rows: the picture's right, its down, and forward, in the world."""
        forward = np.subtract(self.target, self.position)
        forward = forward / np.linalg.norm(forward)
        right = _cross(forward, self.up)
        right /= np.linalg.norm(right)
        down = _cross(forward, right)
        c, s = np.cos(np.deg2rad(self.roll_deg)), np.sin(np.deg2rad(self.roll_deg))
        return np.stack([c * right + s * down, c * down - s * right, forward])

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """points (..., 3) m, world -> pixels (..., 2), centres at integers, and depth (...) m."""
        local = (points - np.asarray(self.position)) @ self.axes().T
        depth = local[..., 2]
        plane = local[..., :2] / depth[..., None]
        square = (plane**2).sum(axis=-1, keepdims=True)
        k1, k2 = self.distortion
        plane = plane * (1 + k1 * square + k2 * square**2)
        middle = (np.asarray(self.size, dtype=np.float64) - 1) / 2
        return middle + self.focal_px * plane, depth

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """pixels (..., 2) -> unit directions (..., 3) in the world; inverse of `project`."""
        middle = (np.asarray(self.size, dtype=np.float64) - 1) / 2
        plane = (np.asarray(pixels, dtype=np.float64) - middle) / self.focal_px
        k1, k2 = self.distortion
        straight = plane
        for _ in range(8):
            square = (straight**2).sum(axis=-1, keepdims=True)
            straight = plane / (1 + k1 * square + k2 * square**2)
        local = np.concatenate([straight, np.ones_like(straight[..., :1])], axis=-1)
        world = local @ self.axes()
        return world / np.linalg.norm(world, axis=-1, keepdims=True)


def _cross(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> np.ndarray:
    """Of two vectors (3,): numpy's, made for many, takes ten times as long for one."""
    (ax, ay, az), (bx, by, bz) = a, b
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])
