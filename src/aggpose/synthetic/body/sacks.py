"""Cloth that joins what the body keeps apart: skirts, sleeping bags, swaddling.

Each is a mesh of its own, made after posing: a sequence of rings about an axis from the chest down
the trunk and towards the feet, each ring the rounded hull of what it encloses, all of it smoothed
and kept above the ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aggpose.synthetic.body.body import Body
from aggpose.synthetic.mesh import FIELDS, GARMENT, Mesh, plain_fields

_SIDES, _RINGS = 40, 36


@dataclass(frozen=True)
class _Cut:
    """top, bottom: bones where it begins and ends. groups: parts of the body inside of it.
    beyond: how far it goes on, share of its length. air: m between body and cloth, first at the
    top, then at the bottom. closed: at the bottom."""

    top: str
    groups: tuple[str, ...]
    beyond: float
    air: tuple[float, float]
    closed: bool


_CUTS = {
    "dress": _Cut("spine03", ("trunk", "leg"), 0.0, (0.004, 0.022), False),
    "bag": _Cut("spine02", ("trunk", "leg"), 0.10, (0.006, 0.020), True),
    "swaddle": _Cut("spine01", ("trunk", "leg", "arm", "hand"), 0.12, (0.009, 0.012), True),
}


def sack_mesh(body: Body, vertices: np.ndarray, ground: float | None = 0.0) -> Mesh | None:
    """The skirt, bag or swaddling of an infant; None where it wears none.

    vertices: (V, 3) m, world, posed and dressed. ground: height (m, world) that the cloth does not
    go below, None where there is none. The mesh is part of the infant's mask (`mesh.GARMENT`).
    """
    sack = body.infant.sack
    if sack is None:
        return None
    cut = _CUTS[sack.kind]
    inner = sum(body.weights[group] for group in cut.groups) > 0.6
    start, end = _axis(body, vertices, cut, sack.length if sack.kind == "dress" else 1.0)
    axis = (end - start) / np.linalg.norm(end - start)
    length = float(np.linalg.norm(end - start)) * (1 + cut.beyond)
    side = np.cross(axis, (0.0, 0.0, 1.0) if abs(axis[2]) < 0.9 else (0.0, 1.0, 0.0))
    side /= np.linalg.norm(side)
    frame = np.stack([side, np.cross(axis, side), axis])
    local = (vertices[inner] - start) @ frame.T
    stations = np.linspace(0.0, length, _RINGS)
    angles = np.arange(_SIDES) * 2 * np.pi / _SIDES
    rings = _rings(local, stations, angles, cut)
    if cut.closed:
        round_end = 1 - ((stations / length - 0.82).clip(0) / 0.18) ** 2
        taper = np.sqrt(round_end.clip(4e-4))[:, None, None]
        middle = rings.mean(axis=1, keepdims=True)
        rings = middle + taper * (rings - middle)
    places = np.concatenate(
        [rings, np.broadcast_to(stations[:, None, None], (_RINGS, _SIDES, 1))], axis=2
    )
    world = places.reshape(-1, 3) @ frame + start
    if ground is not None:
        world[:, 2] = np.maximum(world[:, 2], ground + 0.001)
    around = np.linspace(0, 2 * np.pi * float(np.linalg.norm(rings, axis=2).mean()), _SIDES)
    rest = np.stack(
        [np.tile(around, _RINGS), np.zeros(len(world)), np.repeat(-stations, _SIDES)], axis=1
    )
    fields = plain_fields(rest)
    assert fields.shape[1] == len(FIELDS)
    return Mesh(
        vertices=world.astype(np.float32),
        faces=_faces(cut.closed),
        fields=fields,
        part=GARMENT,
        material=sack.material,
        two_sided=True,
    )


def _axis(
    body: Body, vertices: np.ndarray, cut: _Cut, length: float
) -> tuple[np.ndarray, np.ndarray]:
    """Where the cloth begins and ends, (3,) m, world."""
    top = vertices[body.shares[:, body.bones.index(cut.top)] > 0.4].mean(axis=0)
    hips, feet = (vertices[body.weights[g] > 0.7] for g in ("upperleg", "foot"))
    hip, foot = hips.mean(axis=0), feet.mean(axis=0)
    trunk = (hip - top) / np.linalg.norm(hip - top)
    # along the trunk as far as the feet, or the bent knees, go
    reach = vertices[body.weights["leg"] > 0.7] - top
    far = float(np.percentile(reach @ trunk, 99.5))
    end = top + trunk * far
    if length < 1.0:
        end = hip + (0.25 + 0.75 * length) * (end - hip)
    return top, end + 0.25 * (foot - end - trunk * float((foot - end) @ trunk))


def _rings(local: np.ndarray, stations: np.ndarray, angles: np.ndarray, cut: _Cut) -> np.ndarray:
    """(R, A, 2) m in the plane across the axis: the rounded hull at each station."""
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    step = stations[1] - stations[0]
    index = np.rint(local[:, 2] / step).astype(int)
    inside = (index >= 0) & (index < len(stations))
    order = np.argsort(index[inside], kind="stable")
    index = index[inside][order]
    far = (local[inside][order, :2] @ directions.T).astype(np.float64)
    support = np.full((len(stations), len(angles)), np.nan)
    first = np.flatnonzero(np.diff(index, prepend=-1))
    support[index[first]] = np.maximum.reduceat(far, first, axis=0)
    known = np.flatnonzero(~np.isnan(support[:, 0]))
    for a in range(len(angles)):
        support[:, a] = np.interp(np.arange(len(stations)), known, support[known, a])
    # cloth spans hollows along the axis, too
    wide = np.stack([np.roll(np.pad(support, ((3, 3), (0, 0)), "edge"), k, 0) for k in (-3, 0, 3)])
    support = np.maximum(support, 0.92 * wide.max(axis=0)[3:-3])
    for _ in range(6):
        padded = np.pad(support, ((1, 1), (0, 0)), "edge")
        support = np.maximum(0.98 * support, (padded[:-2] + 2 * support + padded[2:]) / 4)
    support += np.linspace(*cut.air, len(stations))[:, None]
    slope = (np.roll(support, -1, 1) - np.roll(support, 1, 1)) / (2 * (angles[1] - angles[0]))
    across = np.stack([-directions[:, 1], directions[:, 0]], axis=1)
    rings = support[..., None] * directions + slope[..., None] * across
    for _ in range(3):
        rings = (np.roll(rings, 1, 1) + 2 * rings + np.roll(rings, -1, 1)) / 4
    return rings


def _faces(closed: bool) -> np.ndarray:
    ring, side = np.meshgrid(np.arange(_RINGS - 1), np.arange(_SIDES), indexing="ij")
    a = (ring * _SIDES + side).ravel()
    b = (ring * _SIDES + (side + 1) % _SIDES).ravel()
    faces = np.concatenate(
        [np.stack([a, b, a + _SIDES], axis=1), np.stack([b, b + _SIDES, a + _SIDES], axis=1)]
    )
    if closed:
        last = (_RINGS - 1) * _SIDES
        fan = np.arange(1, _SIDES - 1)
        faces = np.concatenate(
            [faces, np.stack([np.full_like(fan, last), last + fan, last + fan + 1], axis=1)]
        )
    return faces.astype(np.int32)
