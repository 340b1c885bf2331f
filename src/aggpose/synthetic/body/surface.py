"""What the skin's colours are made from: the fields of `mesh.FIELDS` over a body's vertices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aggpose.synthetic.body.clothes import Landmarks
from aggpose.synthetic.mesh import FIELDS


def skin_fields(
    marks: Landmarks,
    masks: Mapping[str, np.ndarray],
    heads: Mapping[str, np.ndarray],
    nose: np.ndarray,
    garments: np.ndarray,
    folds: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """(V, len(FIELDS)) float32. nose: (3,) m, its tip. garments: (4, V) m, see `clothes`.
    folds: (V,), see `creases`."""
    rest = marks.vertices
    eyes = np.stack([heads["eye.L"], heads["eye.R"]])
    found = {axis: rest[:, i] for i, axis in enumerate("xyz")}
    found |= {f"garment{i}": row for i, row in enumerate(garments)}
    found["hair"] = hair_line(marks, rng)
    found |= {name: masks[name] for name in ("lips", "ears", "eyelids", "eye")}
    found["nails"] = np.maximum(masks["fingernails"], masks["toenails"])
    found["mouth"] = masks["inside-mouth"]
    found["brows"] = _brows(marks, eyes)
    found["nostrils"] = _nostrils(marks, nose)
    found["flush"] = _flush(marks, masks, eyes, nose)
    waves = (rng.normal(0, 90, size=(3, 14)) / marks.unit).astype(np.float32)
    phases = rng.uniform(0, 6.3, 14).astype(np.float32)
    found["blotch"] = np.sin(rest.astype(np.float32) @ waves + phases).sum(axis=1) / np.sqrt(7)
    found["crease"] = folds
    return np.stack([found[name] for name in FIELDS], axis=1).astype(np.float32)


def hair_line(marks: Landmarks, rng: np.random.Generator) -> np.ndarray:
    """(V,) m inside of the hair line: forehead, temples, behind the ears, nape."""
    unit = marks.unit * rng.uniform(0.95, 1.05)
    local = marks.vertices - marks.eyes
    high = marks.crown - marks.eyes[2]
    front = local[:, 1] + 0.012 * unit
    # the forehead recedes at the temples and comes down again before the ears
    temple = 0.010 * unit * np.exp(-(((np.abs(local[:, 0]) / unit - 0.036) / 0.012) ** 2))
    start = 0.60 * high * rng.uniform(0.9, 1.08)
    over = 0.83 * (local[:, 2] - start) + 0.56 * front - temple
    low = local[:, 2] + (0.042 - 0.10 * (front / unit - 0.07).clip(0, 0.05)) * unit
    behind = front - 0.040 * unit
    inside = np.minimum(np.maximum(over, np.minimum(behind, 0.010 + over + 0.02 * unit)), low)
    inside = inside - 0.08 * marks.ears
    return np.where(marks.weights["head"] > 0.4, inside, -0.05).clip(-0.05, 0.05)


def _brows(marks: Landmarks, eyes: np.ndarray) -> np.ndarray:
    """(V,) in [0, 1]: arcs above the eyes."""
    unit = marks.unit
    total = np.zeros(len(marks.vertices))
    for side, eye in zip((1.0, -1.0), eyes, strict=True):
        local = (marks.vertices - eye) / unit
        across = side * local[:, 0]
        arc = 0.0135 - 9.0 * (across - 0.002) ** 2
        line = np.exp(-(((local[:, 2] - arc) / 0.0028) ** 2))
        ends = _smoothstep((across + 0.0130) / 0.004) * _smoothstep((0.0155 - across) / 0.006)
        total += line * ends * (local[:, 1] < 0.004)
    return total.clip(0, 1)


def _nostrils(marks: Landmarks, nose: np.ndarray) -> np.ndarray:
    """(V,) in [0, 1]: two dark places below the tip of the nose."""
    unit = marks.unit
    total = np.zeros(len(marks.vertices))
    for side in (1.0, -1.0):
        centre = nose + np.array([side * 0.0042, 0.0052, -0.0046]) * unit
        away = (marks.vertices - centre) / (np.array([0.0024, 0.0034, 0.0022]) * unit)
        total += np.exp(-(away**2).sum(axis=1))
    return total.clip(0, 1)


def _flush(
    marks: Landmarks, masks: Mapping[str, np.ndarray], eyes: np.ndarray, nose: np.ndarray
) -> np.ndarray:
    """(V,) in [0, 1]: redder cheeks, nose, ears, hands, feet, knees and elbows."""
    rest, unit = marks.vertices, marks.unit
    total = 0.45 * masks["ears"]
    for side, eye in zip((1.0, -1.0), eyes, strict=True):
        centre = eye + np.array([side * 0.012, -0.010, -0.028]) * unit
        total += 0.6 * np.exp(-((np.linalg.norm(rest - centre, axis=1) / (0.019 * unit)) ** 2))
    total += 0.3 * np.exp(-((np.linalg.norm(rest - nose, axis=1) / (0.008 * unit)) ** 2))
    total += 0.5 * (marks.weights["hand"] + marks.weights["foot"])
    for along, joint in ((marks.leg, "thigh"), (marks.arm, "upperarm")):
        part = marks.weights["leg" if joint == "thigh" else "arm"]
        near = np.exp(-(((along - marks.reach[joint]) / (0.012 * unit)) ** 2))
        total += 0.25 * part * near
    return total.clip(0, 1)


def creases(marks: Landmarks) -> np.ndarray:
    """(V,) in [0, 1]: folds of the skin around wrists, ankles, thighs, elbows and neck."""
    unit = marks.unit
    arm = marks.weights["arm"] + marks.weights["hand"]
    total = np.zeros(len(marks.vertices))
    for along, share, at, width in (
        (marks.arm, arm, marks.reach["arm"] - 0.003 * unit, 0.0026),
        (marks.arm, arm, 0.62 * marks.reach["arm"], 0.0030),
        (marks.leg, marks.weights["leg"], marks.reach["leg"] - 0.010 * unit, 0.0030),
        (marks.leg, marks.weights["leg"], 0.62 * marks.reach["thigh"], 0.0036),
        (marks.leg, marks.weights["leg"], marks.reach["thigh"] + 0.006 * unit, 0.0030),
    ):
        total += np.where(share > 0.5, np.exp(-(((along - at) / (width * unit)) ** 2)), 0.0)
    front = marks.vertices[:, 1] - marks.neck[1]
    ring = marks.vertices[:, 2] - (marks.neck[2] - 0.002 * unit + 0.45 * front)
    total += (marks.weights["neck"] > 0.25) * np.exp(-((ring / (0.003 * unit)) ** 2))
    return total.clip(0, 1)


def _smoothstep(value: np.ndarray) -> np.ndarray:
    t = value.clip(0.0, 1.0)
    return t * t * (3 - 2 * t)
