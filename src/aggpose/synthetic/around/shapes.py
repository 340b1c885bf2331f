"""Solids to build things from: vertices (V, 3) m float32 and faces (F, 3) int32.

Faces are counter-clockwise from outside, so that `signed_volume` of a closed solid is positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Solid(NamedTuple):
    """vertices: (V, 3) m. faces: (F, 3)."""

    vertices: np.ndarray
    faces: np.ndarray


def signed_volume(solid: Solid) -> float:
    """Volume in m^3 by the divergence theorem; positive where faces look outwards."""
    corner = solid.vertices[solid.faces].astype(np.float64)
    return float(np.einsum("fd,fd->", corner[:, 0], np.cross(corner[:, 1], corner[:, 2])) / 6)


def is_closed(solid: Solid) -> bool:
    """Whether every edge has exactly one face on each side."""
    f = solid.faces.astype(np.int64)
    edges = np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]])
    there = np.sort(edges[:, 0] * len(solid.vertices) + edges[:, 1])
    back = np.sort(edges[:, 1] * len(solid.vertices) + edges[:, 0])
    return bool(np.array_equal(there, back) and (np.diff(there) > 0).all())


def place(
    solid: Solid,
    at: Sequence[float] | np.ndarray = (0.0, 0.0, 0.0),
    turn: np.ndarray | None = None,
    scale: float | Sequence[float] = 1.0,
) -> Solid:
    """Scale, then turn by (3, 3), then move."""
    vertices = solid.vertices * np.asarray(scale, np.float32)
    if turn is not None:
        vertices = vertices @ np.asarray(turn, np.float32).T
    return Solid((vertices + np.asarray(at, np.float32)).astype(np.float32), solid.faces)


def join(solids: Sequence[Solid]) -> Solid:
    """Several as one; they may run through each other."""
    starts = np.cumsum([0] + [len(s.vertices) for s in solids[:-1]])
    faces = [s.faces + np.int32(k) for s, k in zip(solids, starts, strict=True)]
    return Solid(np.concatenate([s.vertices for s in solids]), np.concatenate(faces))


def repeat(solid: Solid, places: np.ndarray) -> Solid:
    """The solid at each of (N, 3) places."""
    places = np.asarray(places, np.float32)
    count, size = len(places), len(solid.vertices)
    vertices = (solid.vertices[None] + places[:, None]).reshape(-1, 3)
    steps = (np.arange(count, dtype=np.int32) * size)[:, None, None]
    return Solid(vertices, (solid.faces[None] + steps).reshape(-1, 3))


@lru_cache(maxsize=128)
def grid_faces(rows: int, columns: int, wrap_rows: bool, wrap_columns: bool) -> np.ndarray:
    """(F, 3) of a grid of vertices in rows. Seen with columns to the right and rows upwards they
    are counter-clockwise."""
    r = np.arange(rows if wrap_rows else rows - 1)[:, None]
    c = np.arange(columns if wrap_columns else columns - 1)[None, :]
    a = r * columns + c
    b = r * columns + (c + 1) % columns
    d = (r + 1) % rows * columns + c
    e = (r + 1) % rows * columns + (c + 1) % columns
    faces = np.stack([np.stack([a, b, e], -1), np.stack([a, e, d], -1)], axis=2)
    found = faces.reshape(-1, 3).astype(np.int32)
    found.flags.writeable = False
    return found


def sheet(points: np.ndarray) -> Solid:
    """An open sheet through (R, C, 3) points; its upper side is where rows x columns point: with
    columns along x and rows along y, it looks to z."""
    rows, columns = points.shape[:2]
    return Solid(points.reshape(-1, 3).astype(np.float32), grid_faces(rows, columns, False, False))


def lathe(profile: np.ndarray, segments: int = 16) -> Solid:
    """A solid of revolution about z. profile: (N, 2) of radius and z, upwards, whose ends lie on
    the axis (radius 0 is made tiny so that the solid stays regular)."""
    profile = np.asarray(profile, np.float64)
    t = np.arange(segments) * 2 * np.pi / segments
    inner = profile[1:-1]
    ring = np.stack([np.cos(t), np.sin(t)], axis=1)
    body = np.concatenate(
        [
            inner[:, None, :1] * ring[None],
            np.broadcast_to(inner[:, None, 1:], (len(inner), segments, 1)),
        ],
        axis=2,
    )
    ends = np.array([[0, 0, profile[0, 1]], [0, 0, profile[-1, 1]]])
    vertices = np.concatenate([body.reshape(-1, 3), ends])
    count = len(inner) * segments
    return Solid(vertices.astype(np.float32), _capped_faces(len(inner), segments, count))


@lru_cache(maxsize=64)
def _capped_faces(rows: int, segments: int, first_end: int) -> np.ndarray:
    """Faces of rings of ``segments``, and fans to two ends; rings go up, counter-clockwise."""
    k = np.arange(segments)
    following = (k + 1) % segments
    low = np.stack([following, k, np.full(segments, first_end)], axis=1)
    top = (rows - 1) * segments
    high = np.stack([top + k, top + following, np.full(segments, first_end + 1)], axis=1)
    found = np.concatenate([grid_faces(rows, segments, False, True), low, high]).astype(np.int32)
    found.flags.writeable = False
    return found


def sphere(radius: float | Sequence[float] = 1.0, rings: int = 8, segments: int = 12) -> Solid:
    """A ball, or an ellipsoid with radii along x, y, z."""
    t = np.linspace(-np.pi / 2, np.pi / 2, rings + 1)
    ball = lathe(np.stack([np.cos(t), np.sin(t)], axis=1), segments)
    return place(ball, scale=radius)


@lru_cache(maxsize=8)
def _cube(steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A rounded cube's vertices as the corner (V, 3) of +-1 they belong to and the direction
    (V, 3) they lie in from there, and its faces."""
    lean = np.concatenate([np.linspace(-1, 0, steps + 1), np.linspace(0, 1, steps + 1)])
    lean = np.tan(lean * np.pi / 4)
    sign = np.repeat([-1.0, 1.0], steps + 1)
    count = len(lean)
    keys: list[np.ndarray] = []
    faces = []
    for axis in range(3):
        for side in (-1.0, 1.0):
            key = np.empty((count, count, 6))
            key[..., axis] = key[..., 3 + axis] = side
            for k, values in enumerate((sign, lean)):
                u, v = np.meshgrid(values, values)
                if side < 0:
                    u, v = v, u
                key[..., 3 * k + (axis + 1) % 3], key[..., 3 * k + (axis + 2) % 3] = u, v
            faces.append(grid_faces(count, count, False, False) + len(keys) * count**2)
            keys.append(key.reshape(-1, 6))
    every, where = np.unique(np.concatenate(keys).round(6), axis=0, return_inverse=True)
    ahead = every[:, 3:] / np.linalg.norm(every[:, 3:], axis=1, keepdims=True)
    return every[:, :3], ahead, where.reshape(-1)[np.concatenate(faces)].astype(np.int32)


def rounded_box(size: Sequence[float] | np.ndarray, corner: float, steps: int = 2) -> Solid:
    """A box of ``size`` (3,) m around the origin with round edges of radius ``corner`` m."""
    half = np.asarray(size, np.float64) / 2
    corner = min(corner, float(half.min()) * 0.99)
    sign, ahead, faces = _cube(steps)
    return Solid((sign * (half - corner) + corner * ahead).astype(np.float32), faces)


def tube(
    path: np.ndarray,
    radius: float | np.ndarray,
    segments: int = 8,
    closed: bool = False,
    flat: float = 1.0,
    up: np.ndarray | None = None,
) -> Solid:
    """A tube along (N, 3) m. radius: m, or (N,) of it. flat: its height by its width, where `up`
    (3,) or (N, 3) says where its height points to. An open tube has round-less caps."""
    path = np.asarray(path, np.float64)
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    ahead = ahead / np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-12)
    if up is None:
        up = _any_up(ahead)
    side = np.cross(np.broadcast_to(up, ahead.shape), ahead)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12)
    high = np.cross(ahead, side)
    t = np.arange(segments) * 2 * np.pi / segments
    width = np.broadcast_to(np.asarray(radius, np.float64), len(path))[:, None, None]
    ring = (
        np.cos(t)[None, :, None] * side[:, None] + flat * np.sin(t)[None, :, None] * high[:, None]
    )
    vertices = (path[:, None] + width * ring).reshape(-1, 3)
    if closed:
        return Solid(vertices.astype(np.float32), grid_faces(len(path), segments, True, True))
    ends = np.concatenate([vertices, path[:1], path[-1:]])
    return Solid(ends.astype(np.float32), _capped_faces(len(path), segments, len(vertices)))


def _any_up(ahead: np.ndarray) -> np.ndarray:
    """(3,) the direction that the path keeps away from most."""
    covariance = ahead.T @ ahead
    _, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors[:, 0])


def torus(ring: float, radius: float, segments: int = 20, around: int = 8) -> Solid:
    """A ring about z: ``ring`` m from its middle to the tube's middle, ``radius`` of the tube."""
    t = np.arange(segments) * 2 * np.pi / segments
    path = ring * np.stack([np.cos(t), np.sin(t), np.zeros(segments)], axis=1)
    return tube(path, radius, around, closed=True, up=np.array([0.0, 0.0, 1.0]))


def smooth_path(knots: np.ndarray, count: int) -> np.ndarray:
    """(count, 3): a Catmull-Rom curve through (N, 3) knots."""
    knots = np.asarray(knots, np.float64)
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    s = np.linspace(0, len(knots) - 1, count)
    k = np.minimum(s.astype(int), len(knots) - 2)
    t = (s - k)[:, None]
    a, b, c, d = (padded[k + i] for i in range(4))
    curve = (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
    return np.asarray(curve / 2)


def turn_about(axis: Sequence[float] | np.ndarray, degrees: float) -> np.ndarray:
    """(3, 3) right-handed turn about an axis (Rodrigues)."""
    unit = np.asarray(axis, np.float64)
    unit = unit / np.linalg.norm(unit)
    k = np.array([[0, -unit[2], unit[1]], [unit[2], 0, -unit[0]], [-unit[1], unit[0], 0]])
    angle = np.deg2rad(degrees)
    return np.asarray(np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k)


def turn_to(z: np.ndarray, x_hint: np.ndarray | None = None) -> np.ndarray:
    """(3, 3) whose columns are axes: the third along ``z``, the first as near to ``x_hint`` as it
    can be."""
    forward = np.asarray(z, np.float64)
    forward = forward / np.linalg.norm(forward)
    hint = np.asarray(x_hint if x_hint is not None else (1.0, 0.0, 0.0), np.float64)
    if abs(float(hint @ forward)) > 0.95 * float(np.linalg.norm(hint)):
        hint = np.array([forward[1], forward[2], forward[0]])
    right = hint - (hint @ forward) * forward
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward], axis=1)
