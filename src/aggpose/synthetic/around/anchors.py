"""What the surroundings know of the posed infant: places and directions to put things by.

World: metres, z up, ground z = 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from aggpose.skeleton import INFANT24

LYING = frozenset(("supine", "prone", "side"))
"""Postures that lie on the ground, and may be covered."""


@dataclass(frozen=True)
class Frame:
    """A place and right-handed axes. at: (3,) m. axes: (3, 3), columns: to the infant's left, up
    along its body (for the head: to the crown), and to its front."""

    at: np.ndarray
    axes: np.ndarray

    @property
    def left(self) -> np.ndarray:
        return self.axes[:, 0]

    @property
    def up(self) -> np.ndarray:
        return self.axes[:, 1]

    @property
    def front(self) -> np.ndarray:
        return self.axes[:, 2]


@dataclass(frozen=True)
class Anchors:
    """One infant, posed.

    points: (24, 3) m, world, key points of infant24. vertices: (V, 3) m, its skin and clothes.
    length_m: crown to heel. posture: supine, prone, side, sitting, crawling, held, standing.
    backrest: (nx, ny, nz, d): the plane n . x = d, with n towards the infant, that its back leans
        on, or None. on_ground: whether the ground bears it.
    """

    points: np.ndarray
    vertices: np.ndarray
    length_m: float
    posture: str
    backrest: tuple[float, float, float, float] | None = None
    notes: Mapping[str, object] = field(default_factory=dict)

    def point(self, name: str) -> np.ndarray:
        """(3,) m, a key point."""
        return np.asarray(self.points[INFANT24.index(name)], dtype=np.float64)

    @cached_property
    def scale(self) -> float:
        """Its length by that of an infant of three months, 0.61 m."""
        return self.length_m / 0.61

    @cached_property
    def head(self) -> Frame:
        """At the nose; front is where the face looks."""
        eyes = (self.point("left_eye") + self.point("right_eye")) / 2
        return _frame(
            self.point("nose"),
            self.point("left_eye") - self.point("right_eye"),
            eyes - self.point("chin"),
        )

    @cached_property
    def trunk(self) -> Frame:
        """Amid shoulders and hips; front is where the belly looks."""
        high = (self.point("left_shoulder") + self.point("right_shoulder")) / 2
        low = (self.point("left_hip") + self.point("right_hip")) / 2
        across = self.point("left_shoulder") - self.point("right_shoulder")
        across = across + self.point("left_hip") - self.point("right_hip")
        return _frame((high + low) / 2, across, high - low)

    @cached_property
    def axis_deg(self) -> float:
        """Where the head points to seen from above, counter-clockwise from x; for upright bodies
        where their back is."""
        way = self.trunk.up if self.posture in LYING | {"crawling"} else -self.trunk.front
        return float(np.rad2deg(np.arctan2(way[1], way[0])))

    @cached_property
    def sparse(self) -> np.ndarray:
        """(V / 9, 3) m: every ninth vertex, for where a few millimetres do not matter."""
        return np.ascontiguousarray(self.vertices[::9], dtype=np.float64)

    @cached_property
    def middle(self) -> np.ndarray:
        """(3,) m, of the box around the body."""
        return np.asarray((self.sparse.min(axis=0) + self.sparse.max(axis=0)) / 2.0)


@dataclass(frozen=True)
class HeightMap:
    """Heights in m over squares of `cell` m. values: (R, C), row 0 at the smallest y; corner:
    (2,) x, y of the first square's middle. 0 where there is no body."""

    values: np.ndarray
    corner: np.ndarray
    cell: float

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Heights at any places (N, M), linear between squares, 0 outside."""
        column = ((x - self.corner[0]) / self.cell).astype(np.float32)
        row = ((y - self.corner[1]) / self.cell).astype(np.float32)
        return np.asarray(
            cv2.remap(self.values, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        )


def height_map(vertices: np.ndarray, cell: float = 0.008, lowest: bool = False) -> HeightMap:
    """The highest (or the lowest) of (V, 3) m in every square, gaps between vertices closed.

    Where there is no body: 0, or 9 m when ``lowest``.
    """
    corner = vertices[:, :2].min(axis=0) - 4 * cell
    count = np.ceil((vertices[:, :2].max(axis=0) + 4 * cell - corner) / cell).astype(int) + 1
    at = np.round((vertices[:, :2] - corner) / cell).astype(int)
    flat = at[:, 1] * count[0] + at[:, 0]
    sign = -1.0 if lowest else 1.0
    order = np.argsort(sign * vertices[:, 2], kind="stable")
    values = np.full(count[0] * count[1], -9.0, np.float32)
    values[flat[order]] = sign * vertices[order, 2]
    closed = cv2.morphologyEx(
        values.reshape(count[1], count[0]),
        cv2.MORPH_CLOSE,
        np.ones((5, 5), np.uint8),
        borderType=cv2.BORDER_REPLICATE,
    )
    if lowest:
        return HeightMap(-closed, corner, cell)
    return HeightMap(np.maximum(closed, 0.0), corner, cell)


def _frame(at: np.ndarray, left: np.ndarray, up: np.ndarray) -> Frame:
    up = up / np.linalg.norm(up)
    left = left - (left @ up) * up
    left = left / np.linalg.norm(left)
    return Frame(at, np.stack([left, up, np.cross(left, up)], axis=1))


def ring_around(
    anchors: Anchors, start: np.ndarray, end: np.ndarray, share: float, count: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """A closed line around a limb, on the skin: (count, 3) m and the limb's direction (3,).

    start, end: (3,) m, the joints of the limb. share: how far along, may be more than 1.
    """
    ahead = (end - start) / np.linalg.norm(end - start)
    centre = start + share * (end - start)
    away = anchors.vertices - centre
    reach = 0.042 * anchors.scale
    near = np.flatnonzero(np.abs(away).max(axis=1) < reach)
    away = away[near]
    along = away @ ahead
    slab = np.abs(along) < 0.007 * anchors.scale
    away = away[slab] - along[slab, None] * ahead
    hint = np.array([0.0, 0.0, 1.0]) if abs(ahead[2]) < 0.8 else np.array([0.0, 1.0, 0.0])
    u = np.cross(hint, ahead)
    u /= np.linalg.norm(u)
    v = np.cross(ahead, u)
    turn = np.arctan2(away @ v, away @ u)
    radius = np.linalg.norm(away, axis=1)
    # another limb may pass close by: what lies far outside of the limb is not it
    limit = 1.7 * np.percentile(radius, 25) if len(radius) else 0.02
    ours = radius < limit
    bins = (np.floor((turn[ours] / (2 * np.pi)) % 1 * count)).astype(int) % count
    found = np.zeros(count)
    np.maximum.at(found, bins, radius[ours])
    usual = float(np.median(found[found > 0])) if (found > 0).any() else 0.015 * anchors.scale
    found[found == 0] = usual
    wide = np.maximum(found, (np.roll(found, 1) + np.roll(found, -1)) / 2)
    t = (np.arange(count) + 0.5) / count * 2 * np.pi
    return centre + wide[:, None] * (np.cos(t)[:, None] * u + np.sin(t)[:, None] * v), ahead


def on_skin(anchors: Anchors, near: np.ndarray, outward: np.ndarray) -> np.ndarray:
    """(3,) m: the skin met when coming to ``near`` from far along ``outward`` (3,)."""
    away = anchors.vertices - near
    along = away @ outward
    across = np.linalg.norm(away - along[:, None] * outward, axis=1)
    reach = np.abs(along) < 0.09 * anchors.scale
    column = np.flatnonzero((across < 0.012 * anchors.scale) & reach)
    if len(column) == 0:
        return np.asarray(anchors.vertices[np.argmin(np.linalg.norm(away, axis=1))], np.float64)
    height = float(np.percentile(along[column], 95))
    return np.asarray(near + height * outward)
