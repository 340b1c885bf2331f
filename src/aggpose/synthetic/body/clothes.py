"""What the infant wears: where each garment ends, how far it stands out, how it hangs.

Garments are no meshes of their own but smooth fields over the vertices of the body at rest, in
metres: positive where there is cloth, so that edges are sharp at any size of the picture. Cloth
lifts the vertices off the skin, and after posing it is smoothed so that it bridges folds and hides
the exact shape of a limb. Sleeping bags and skirts, which join what the body keeps apart, are in
`sacks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from aggpose.synthetic.body.drape import closed_end, local_mean
from aggpose.synthetic.mesh import Material

KINDS = (
    *("diaper", "tabs", "bodysuit", "sleeper", "trousers", "shirt", "socks", "mittens"),
    *("hat", "bonnet", "vest"),
)
_FAR = 0.05
"""m: fields end here, so that edges of clipped parts do not run far into the cloth."""


@dataclass(frozen=True)
class Garment:
    """One thing worn.

    kind: of `KINDS`. material: its cloth. sleeve, leg: how much of the arm to the wrist and of the
    leg to the ankle it covers, 0 to 1. loose: 0 tight to 1 wide. feet: a sleeper's feet are closed.
    """

    kind: str
    material: Material = field(default_factory=Material)
    sleeve: float = 0.0
    leg: float = 0.0
    loose: float = 0.3
    feet: bool = False


@dataclass(frozen=True)
class Landmarks:
    """Where things are on a bare body at rest.

    vertices, normals: (V, 3) m. weights: groups as in `template.BodyModel`. arm, leg: (V,) m along
    the limb from shoulder and hip, of the limb on the vertex's own side. reach: lengths in m of
    parts: ``upperarm``, ``arm`` to the wrist, ``thigh``, ``leg`` to the ankle. neck, eyes: (3,) m.
    crown, crotch, waist: heights in m. ears: (V,) in [0, 1]. unit: the body's length per 0.61 m.
    """

    vertices: np.ndarray
    normals: np.ndarray
    weights: Mapping[str, np.ndarray]
    arm: np.ndarray
    leg: np.ndarray
    reach: Mapping[str, float]
    neck: np.ndarray
    eyes: np.ndarray
    crown: float
    crotch: float
    waist: float
    ears: np.ndarray
    unit: float


@dataclass(frozen=True)
class Dressed:
    """fields: (4, V) m inside of each garment, -0.05 and less outside. offsets: (V, 3) m outwards.
    free, shrink: (V,) as in `drape.Drape`."""

    fields: np.ndarray
    offsets: np.ndarray
    free: np.ndarray
    shrink: np.ndarray


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals, weighted by area, of a mesh (V, 3), (F, 3)."""
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.stack(
        [
            np.bincount(faces.ravel(), np.repeat(normal[:, d], 3), minlength=len(vertices))
            for d in range(3)
        ],
        axis=1,
    )
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def find_landmarks(
    vertices: np.ndarray,
    faces: np.ndarray,
    weights: Mapping[str, np.ndarray],
    masks: Mapping[str, np.ndarray],
    heads: Mapping[str, np.ndarray],
    length_m: float,
) -> Landmarks:
    """Landmarks of a bare body. heads: bone -> (3,) m, at the joints' centres."""
    left = vertices[:, 0] > 0
    arms, legs = np.empty((2, len(vertices))), np.empty((2, len(vertices)))
    for i, short in enumerate("RL"):
        chain = [heads[f"{bone}.{short}"] for bone in ("upperarm01", "lowerarm01", "wrist")]
        arms[i] = _along(vertices, chain)
        chain = [heads[f"{bone}.{short}"] for bone in ("upperleg01", "lowerleg01", "foot")]
        legs[i] = _along(vertices, chain)
    shoulder, elbow, wrist = (heads[f"{b}.L"] for b in ("upperarm01", "lowerarm01", "wrist"))
    hip, knee, ankle = (heads[f"{b}.L"] for b in ("upperleg01", "lowerleg01", "foot"))
    reach = {
        "upperarm": _gap(shoulder, elbow),
        "arm": _gap(shoulder, elbow) + _gap(elbow, wrist),
        "thigh": _gap(hip, knee),
        "leg": _gap(hip, knee) + _gap(knee, ankle),
    }
    middle = (np.abs(vertices[:, 0]) < 0.004) & (weights["trunk"] > 0.2)
    crotch = float(vertices[middle, 2].min())
    return Landmarks(
        vertices=vertices,
        normals=vertex_normals(vertices, faces),
        weights=weights,
        arm=np.where(left, arms[1], arms[0]),
        leg=np.where(left, legs[1], legs[0]),
        reach=reach,
        neck=heads["neck01"],
        eyes=(heads["eye.L"] + heads["eye.R"]) / 2,
        crown=float(vertices[:, 2].max()),
        crotch=crotch,
        waist=float(hip[2] + 0.75 * (hip[2] - crotch)),
        ears=masks["ears"],
        unit=length_m / 0.61,
    )


def dress(
    marks: Landmarks,
    garments: Sequence[Garment],
    neighbours: torch.Tensor,
    rng: np.random.Generator,
) -> Dressed:
    """Put on up to four garments, innermost first. neighbours: as in `template.BodyModel`."""
    if len(garments) > 4:
        raise ValueError(f"{len(garments)} garments: a body wears at most four")
    count = len(marks.vertices)
    fields = np.full((4, count), -_FAR)
    height = np.zeros(count)
    free, shrink = np.zeros(count), np.zeros(count)
    for i, garment in enumerate(garments):
        inside = _field(marks, garment).clip(-_FAR, _FAR)
        fields[i] = inside
        height += _standing_out(marks, garment, inside, rng)
        slack = _smoothstep(inside / 0.012) * min(1.0, 0.45 + garment.loose)
        free = np.maximum(free, slack)
        if garment.kind == "mittens" or (garment.kind in ("socks", "sleeper") and _closed(garment)):
            ends = marks.weights["hand" if garment.kind == "mittens" else "foot"]
            shrink = np.maximum(shrink, ends * _smoothstep(inside / 0.01))
        if garment.kind in ("hat", "bonnet"):
            shrink = np.maximum(shrink, marks.ears * _smoothstep(inside / 0.01))
    offsets = _closed_over(marks, marks.normals * height[:, None], shrink, neighbours)
    return Dressed(fields, offsets, free, shrink)


def _closed_over(
    marks: Landmarks, offsets: np.ndarray, shrink: np.ndarray, neighbours: torch.Tensor
) -> np.ndarray:
    """(V, 3) m: the offsets, with toes, fingers and ears under cloth no longer told apart."""
    found = marks.vertices + offsets
    for part, along, base in (
        ("foot", marks.leg, marks.reach["leg"]),
        ("hand", marks.arm, marks.reach["arm"]),
    ):
        for short in "LR":
            own = np.flatnonzero((marks.weights[f"{part}.{short}"] > 0.7) & (shrink > 0.3))
            if len(own) < 50:
                continue
            start = found[own[np.abs(along[own] - base) < 0.01 * marks.unit]].mean(axis=0)
            tip = found[own[np.argmax(np.linalg.norm(found[own] - start, axis=1))]]
            move = closed_end(found[own], start, tip) - found[own]
            # a thumb far from the hull is not torn out to it
            far = np.linalg.norm(move, axis=1, keepdims=True)
            found[own] += move * np.minimum(1.0, 0.015 / np.maximum(far, 1e-9))
    ears = marks.ears * shrink
    if (ears > 0.02).any():
        own, mean = local_mean(neighbours, ears > 0.02)
        smooth, mean = torch.from_numpy(found[own]), mean.to(torch.float64)
        # the ring around has no mean of its own: it must not move at all
        share = np.where(ears[own] > 0.02, ears[own].clip(0, 1), 0.0)
        free = torch.from_numpy(share)[:, None]
        for _ in range(45):
            smooth = smooth + free * (mean @ smooth - smooth)
        found[own] = smooth.numpy()
    return found - marks.vertices


def _field(marks: Landmarks, garment: Garment) -> np.ndarray:
    """(V,) m inside of a garment's edge, negative outside."""
    kind = garment.kind
    if kind == "diaper":
        return np.minimum(_below(marks, marks.waist - 0.012 * marks.unit), _leg_holes(marks, 24))
    if kind == "tabs":
        return _tabs(marks)
    if kind == "bodysuit":
        return np.minimum(_top(marks, garment.sleeve), _leg_holes(marks, 38))
    if kind == "sleeper":
        return np.minimum(_top(marks, garment.sleeve), _legs(marks, garment))
    if kind == "trousers":
        return np.minimum(_below(marks, marks.waist), _legs(marks, garment))
    if kind in ("shirt", "vest"):
        hem = marks.crotch + (0.025 if kind == "shirt" else 0.05) * marks.unit
        return np.minimum(_top(marks, garment.sleeve), _above(marks, hem))
    if kind == "socks":
        start = marks.reach["leg"] - (0.012 + 0.6 * garment.leg * 0.1) * marks.unit
        return np.where(_leg_share(marks) > 0.5, marks.leg - start, -_FAR)
    if kind == "mittens":
        start = marks.reach["arm"] - 0.012 * marks.unit
        return np.where(_arm_share(marks) > 0.5, marks.arm - start, -_FAR)
    if kind in ("hat", "bonnet"):
        return _cap(marks, bonnet=kind == "bonnet")
    raise ValueError(f"unknown garment {kind!r}: choose of {', '.join(KINDS)}")


def _top(marks: Landmarks, sleeve: float) -> np.ndarray:
    """From the collar downwards, with sleeves."""
    front = marks.vertices[:, 1] - marks.neck[1]
    side = np.abs(marks.vertices[:, 0])
    collar = marks.neck[2] - 0.010 * marks.unit - marks.vertices[:, 2] + 0.5 * front + 0.3 * side
    arms = _arm_share(marks)
    if sleeve <= 0:
        return np.minimum(collar, np.where(arms > 0.1, 0.016 * marks.unit - marks.arm, _FAR))
    end = max(sleeve * marks.reach["arm"], 0.028 * marks.unit)
    return np.minimum(collar, np.where(arms > 0.5, end - marks.arm, _FAR))


def _legs(marks: Landmarks, garment: Garment) -> np.ndarray:
    """Trouser legs; everything above counts as inside."""
    if garment.feet:
        return np.full(len(marks.vertices), _FAR)
    end = max(garment.leg * marks.reach["leg"], 0.05 * marks.unit)
    return np.where(_leg_share(marks) > 0.35, end - marks.leg, _FAR)


def _leg_holes(marks: Landmarks, degrees: float) -> np.ndarray:
    """Above slanting planes from the groin to the side of the hip."""
    angle = np.deg2rad(degrees)
    across = np.abs(marks.vertices[:, 0]) - 0.022 * marks.unit
    up = marks.vertices[:, 2] - (marks.crotch - 0.002 * marks.unit)
    legs = np.where(_leg_share(marks) + marks.weights["trunk"] > 0.5, 0.0, -_FAR)
    return np.where(marks.weights["hand"] + marks.weights["arm"] > 0.3, _FAR, 0.0) + (
        -across * np.sin(angle) + up * np.cos(angle) + legs
    )


def _tabs(marks: Landmarks) -> np.ndarray:
    """Two fastening strips on the front of the diaper's waist."""
    x, y, z = marks.vertices.T
    side = 0.013 * marks.unit - np.abs(np.abs(x) - 0.036 * marks.unit)
    high = 0.007 * marks.unit - np.abs(z - (marks.waist - 0.024 * marks.unit))
    front = marks.neck[1] - y
    return np.minimum(np.minimum(side, high), np.where(_arm_share(marks) > 0.1, -_FAR, front))


def _cap(marks: Landmarks, bonnet: bool) -> np.ndarray:
    """Above a plane over the forehead; a bonnet also covers ears and nape."""
    local = marks.vertices - marks.eyes
    high = marks.crown - marks.eyes[2]
    front = local[:, 1] + 0.014 * marks.unit
    if bonnet:
        edge = 0.80 * (front - 0.030 * marks.unit) + 0.60 * (local[:, 2] - 0.10 * high)
        edge = np.minimum(edge, local[:, 2] + 0.95 * high)
    else:
        edge = local[:, 2] - 0.48 * high + 0.38 * front
    return np.where(marks.weights["head"] > 0.5, edge, -_FAR)


def _standing_out(
    marks: Landmarks, garment: Garment, inside: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(V,) m that a garment lifts the surface."""
    unit, z = marks.unit, marks.vertices[:, 2]
    thick = {"hat": 0.003, "bonnet": 0.003, "tabs": 0.0008, "socks": 0.0018}.get(
        garment.kind, 0.0014
    )
    # wider than a triangle, or the edge would be a row of bumps
    height = thick * _smoothstep((inside + 0.002) / 0.008)
    if garment.kind == "diaper":
        low = np.exp(-(((z - marks.crotch - 0.012 * unit) / (0.032 * unit)) ** 2))
        bulk = (0.005 + 0.021 * garment.loose) * unit * (0.3 + 0.7 * low)
        return height + bulk * _smoothstep((inside + 0.002) / 0.014)
    wide = {"tabs": 0.0, "hat": 0.004, "bonnet": 0.003, "socks": 0.003, "mittens": 0.004}.get(
        garment.kind, 0.012
    )
    wide *= garment.loose * unit
    hem = _smoothstep((inside + 0.004) / 0.014)
    if garment.kind in ("sleeper", "trousers", "bodysuit", "socks"):  # hems that hold
        hem = 0.25 * hem + 0.75 * _smoothstep(inside / (0.030 * unit))
    limbs = 0.75 + 0.25 * marks.weights["trunk"]
    folds = _folds(marks, rng)
    return height + wide * hem * limbs * (1 + 0.55 * folds)


def _folds(marks: Landmarks, rng: np.random.Generator) -> np.ndarray:
    """(V,) of deviation about 1: ridges of cloth 2 to 6 cm apart, mostly across the limbs."""
    total = np.zeros(len(marks.vertices))
    for wave in rng.normal(0, 1, (10, 3)) * (0.6, 0.6, 1.0):
        wave *= 2 * np.pi / (np.linalg.norm(wave) * rng.uniform(0.022, 0.06) * marks.unit)
        total += np.sin(marks.vertices @ wave + rng.uniform(0, 2 * np.pi))
    return (total / np.sqrt(5)).clip(-1.6, 1.6)


def _closed(garment: Garment) -> bool:
    return garment.kind == "socks" or garment.feet


def _arm_share(marks: Landmarks) -> np.ndarray:
    return marks.weights["arm"] + marks.weights["hand"]


def _leg_share(marks: Landmarks) -> np.ndarray:
    return marks.weights["leg"]


def _below(marks: Landmarks, height: float) -> np.ndarray:
    return np.where(_arm_share(marks) > 0.3, -_FAR, height - marks.vertices[:, 2])


def _above(marks: Landmarks, height: float) -> np.ndarray:
    return np.where(_arm_share(marks) > 0.3, _FAR, marks.vertices[:, 2] - height)


def _along(vertices: np.ndarray, chain: Sequence[np.ndarray]) -> np.ndarray:
    """(V,) m along a limb of two bones, from its beginning; beyond its end it goes on straight."""
    start, middle, end = chain
    first, second = _gap(start, middle), _gap(middle, end)
    upper = ((vertices - start) @ (middle - start)) / first
    lower = ((vertices - middle) @ (end - middle)) / second
    return np.minimum(upper, first) + np.maximum(lower, 0.0)


def _gap(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(other - one))


def _smoothstep(value: np.ndarray) -> np.ndarray:
    t = value.clip(0.0, 1.0)
    return t * t * (3 - 2 * t)
