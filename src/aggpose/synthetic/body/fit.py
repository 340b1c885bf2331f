"""From who the infant is to its body at rest: the right length, head and weight.

Length crown to heel and head circumference are met exactly, by a common scale and a scale of the
head about the neck; the weight by going from a lean body to a chubby one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from aggpose.synthetic.body.keypoints import PIVOTS
from aggpose.synthetic.body.template import (
    ANCESTRIES,
    CHANGES,
    BodyModel,
    Cranium,
    nearest_rotations,
)

DENSITY_KG_L = 1.03
"""Of an infant's body: 1.02 to 1.06 by age (Fomon et al., Am J Clin Nutr 1982, 35:1169-1175)."""


@dataclass(frozen=True)
class Build:
    """What is asked of a body.

    length_m: crown to heel. head_m: circumference of the head. weight_kg. girl: 1 girl, 0 boy.
    ancestry: shares of `template.ANCESTRIES`. changes: name in `template.CHANGES` -> [-1, 1].
    """

    length_m: float
    head_m: float
    weight_kg: float
    girl: float
    ancestry: tuple[float, float, float]
    changes: Mapping[str, float]


@dataclass(frozen=True)
class Rest:
    """A bare body at rest, in metres. vertices: (V, 3). heads: (J, 3) where bones begin, at the
    joints' centres. turns: (J, 3, 3) orientation of bones. girth: 0 lean to 1 chubby. head_scale:
    metres of this head per metre of anny's."""

    vertices: np.ndarray
    heads: np.ndarray
    turns: np.ndarray
    girth: float
    head_scale: float


def fit_rest(model: BodyModel, build: Build) -> Rest:
    """The body at rest that has this length, head and (as far as bodies go) weight."""
    (lean, chubby), (lean_heads, chubby_heads) = _two_bodies(model, build)

    def at(girth: float) -> tuple[np.ndarray, np.ndarray, float]:
        vertices = lean + girth * (chubby - lean)
        heads = lean_heads + girth * (chubby_heads - lean_heads)
        return _sized(model, build, vertices, heads)

    wanted = build.weight_kg / DENSITY_KG_L * 1e-3
    trials = np.array([0.0, 0.5, 1.0])
    bend = np.polyfit(trials, [volume(at(girth)[0], model.faces) for girth in trials], 2)
    grid = np.linspace(0.0, 1.2, 241)
    girth = float(grid[np.argmin(np.abs(np.polyval(bend, grid) - wanted))])
    vertices, heads, head_scale = at(girth)
    # beyond the leanest or the most chubby the body itself gets narrower or wider
    full, thin = (
        volume(_slimmed(model, vertices, heads, factor)[0], model.faces) for factor in (1.0, 0.9)
    )
    square = 1 + (wanted - full) / (full - thin) * (1 - 0.9**2)
    slim = float(np.sqrt(np.clip(square, 0.82**2, 1.06**2)))
    vertices, heads = _slimmed(model, vertices, heads, slim)
    turns = _mix(model, build, model.turns.reshape(2, 2, 3, -1)).mean(axis=0)
    return Rest(
        vertices,
        _joint_centres(model, vertices, heads),
        nearest_rotations(turns.reshape(-1, 3, 3)),
        girth,
        head_scale,
    )


def _slimmed(
    model: BodyModel, vertices: np.ndarray, heads: np.ndarray, factor: float
) -> tuple[np.ndarray, np.ndarray]:
    """Narrower from side to side and front to back, but for the head."""
    middle = float(heads[model.bones.index("neck01"), 1])
    origin = np.array([0.0, middle, 0.0])
    flat = np.array([1.0, 1.0, 0.0])
    free = 1 - model.weights["head"][:, None]
    bones = 1 - _bones_of_head(model)
    vertices = vertices + (factor - 1) * free * flat * (vertices - origin)
    return vertices, heads + (factor - 1) * bones * flat * (heads - origin)


def _bones_of_head(model: BodyModel) -> np.ndarray:
    """(J, 1) 1 for the bones that the head's scale moves."""
    own = [bone.startswith(("head", "neck03", "eye")) for bone in model.bones]
    return np.array(own, np.float64)[:, None]


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Cubic metres inside of a closed mesh."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return float(np.einsum("fd,fd->", np.cross(a, b), c)) / 6


def head_circumference(model: BodyModel, vertices: np.ndarray) -> float:
    """Metres around the head as a tape lies: above the brows and over the back of the head.

    vertices: (V, 3) m, bare, at rest.
    """
    return _around(vertices, model.cranium)


def _around(vertices: np.ndarray, section: Cranium) -> float:
    head = vertices[section.head]
    eye, crown = vertices[section.eyes, 2].mean(), head[:, 2].max()
    front = np.array([head[:, 1].min(), eye + 0.24 * (crown - eye)])
    occiput = head[np.argmax(head[:, 1]), 1:]
    along = (occiput - front) / np.linalg.norm(occiput - front)
    off = (vertices[:, 1:] - front) @ np.array([-along[1], along[0]])
    above = off > 1e-9  # the occiput lies in the plane itself: rounding must not choose its side
    a, b = section.edges[above[section.edges[:, 0]] != above[section.edges[:, 1]]].T
    share = (off[a] / (off[a] - off[b]))[:, None]
    cut = vertices[a] + share * (vertices[b] - vertices[a])
    flat = np.stack([cut[:, 0], (cut[:, 1:] - front) @ along], axis=1)
    hull = flat[cv2.convexHull(flat.astype(np.float32), returnPoints=False)[:, 0]]
    return float(np.linalg.norm(hull - np.roll(hull, 1, axis=0), axis=1).sum())


def _mix(model: BodyModel, build: Build, corners: np.ndarray) -> np.ndarray:
    """(2 girths, 2 sexes, 3 ancestries, ...) -> (2, ...) by the infant's sex and ancestry."""
    sexes = np.array([1 - build.girl, build.girl])  # anny's 0 is male
    share = np.array(build.ancestry) / sum(build.ancestry)
    assert len(share) == len(ANCESTRIES)
    weights = np.outer(sexes, share).ravel()
    flat = corners.reshape(2, 6, -1)
    return (weights @ flat).reshape(2, *corners.shape[3:])


def _two_bodies(model: BodyModel, build: Build) -> tuple[np.ndarray, np.ndarray]:
    """(2, V, 3) vertices and (2, J, 3) heads of the lean and the chubby body, in anny's size."""
    amounts = np.zeros(2 * len(CHANGES))
    for name, value in build.changes.items():
        amounts[2 * CHANGES.index(name) + (value < 0)] = abs(value)
    used = np.flatnonzero(amounts)
    found = []
    for corners, changes in (
        (model.corners.vertices, model.changes.vertices),
        (model.corners.heads, model.changes.heads),
    ):
        shape = corners.shape[1:]
        added = np.zeros(shape)
        for index in used:
            added += amounts[index] * changes[index]
        found.append(_mix(model, build, corners.reshape(2, 2, 3, *shape)) + added)
    return found[0], found[1]


def _sized(
    model: BodyModel, build: Build, vertices: np.ndarray, heads: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """In metres, with the length and the head asked for; and the scale of the head.

    With c the height of the neck, h of the head above it, b of the body below and g the
    circumference, all before scaling: head k, all s, and s k g = head, s (b + k h) = length.
    """
    neck = heads[model.bones.index("neck01")]
    crown, heel = vertices[:, 2].max(), vertices[:, 2].min()
    high, below = crown - neck[2], neck[2] - heel
    ratio = build.head_m / (_around(vertices, model.cranium) * build.length_m)
    grow = ratio * below / (1 - ratio * high)
    scale = build.length_m / (below + grow * high)
    share = model.weights["head"][:, None]
    vertices = vertices + (grow - 1) * share * (vertices - neck)
    heads = heads + (grow - 1) * _bones_of_head(model) * (heads - neck)
    return vertices * scale, heads * scale, float(scale * grow)


def _joint_centres(model: BodyModel, vertices: np.ndarray, heads: np.ndarray) -> np.ndarray:
    """(J, 3): anny's joints, those of `PIVOTS` moved to the centres of the joints.

    anny's thigh turns about a point at the height of the navel, which would fold the belly.
    """
    heads = heads.copy()
    for point, bone in PIVOTS.items():
        weights = model.joints[point]
        used = np.flatnonzero(weights)
        centre = weights[used].astype(np.float64) @ vertices[used]
        index = model.bones.index(bone)
        kept = 0.5 if point.endswith("shoulder") else 0.0
        heads[index] = kept * heads[index] + (1 - kept) * centre
    for short in "LR":
        hip, knee, ankle = (
            heads[model.bones.index(f"{bone}.{short}")]
            for bone in ("upperleg01", "lowerleg01", "foot")
        )
        heads[model.bones.index(f"upperleg02.{short}")] = hip + 0.45 * (knee - hip)
        heads[model.bones.index(f"lowerleg02.{short}")] = knee + 0.5 * (ankle - knee)
    return heads
