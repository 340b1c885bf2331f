"""The 24 points of `skeleton.INFANT24` on the synthetic body: what each means, and where it lies.

Limb joints are centres of joints: the very points about which the bones of the body turn, so that
the distance between the two ends of a bone never changes. So are the hips on the body itself; in
labels they lie where annotators mark them (`aggpose.hips`). They are placed where anny's regressor
of COCO points puts them (learnt on labelled people; code Apache-2.0), the shoulder half-way
between it and anny's joint. All others lie on the surface as it is seen, clothes included.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aggpose.skeleton import INFANT24
from aggpose.synthetic.body.template import BodyModel

_SIDED_DEFINITIONS = {
    "eye": "surface: the middle of the opening between the lids, on the eye ball",
    "ear": "surface: the outer ear where the ear canal opens, just behind the tragus",
    "shoulder": "joint: centre of the head of the humerus (glenohumeral joint)",
    "elbow": "joint: mid-point between the two epicondyles of the humerus",
    "wrist": "joint: mid-point between the styloid processes of radius and ulna",
    "hip": "side of the pelvis, where annotators mark it: from the centre of the head of the femur"
    " an eighth of the trunk towards the shoulders, and half as far out again (`aggpose.hips`)",
    "knee": "joint: mid-point between the two epicondyles of the femur",
    "ankle": "joint: mid-point between the two malleoli",
    "middle_finger": "tip: the end of the middle finger, on the skin, mitten or sleeve",
    "toe": "tip: the end of the big toe, on the skin, sock or suit",
}
DEFINITIONS: Mapping[str, str] = {
    "nose": "surface: the tip of the nose (pronasale)",
    **{
        f"{side}_{part}": text
        for part, text in _SIDED_DEFINITIONS.items()
        for side in ("left", "right")
    },
    "chin": "surface: the foremost point of the chin on the mid-line (pogonion)",
    "chest": "surface: the mid-line of the breast bone at the height of the nipples",
    "navel": "surface: the centre of the navel, or of the cloth above it",
}
"""Of every point of infant24. Left is the infant's own left."""

PIVOTS: Mapping[str, str] = {
    f"{side}_{point}": f"{bone}.{side[0].upper()}"
    for point, bone in (
        ("shoulder", "upperarm01"),
        ("elbow", "lowerarm01"),
        ("wrist", "wrist"),
        ("hip", "upperleg01"),
        ("knee", "lowerleg01"),
        ("ankle", "foot"),
    )
    for side in ("left", "right")
}
"""Joint -> the bone that turns about it."""

_SLACK = {
    **{"shoulder": 0.067, "elbow": 0.035, "wrist": 0.024, "hip": 0.100, "knee": 0.044},
    **{"ankle": 0.031, "ear": 0.014, "eye": 0.010, "middle_finger": 0.012, "toe": 0.012},
    **{"nose": 0.010, "chin": 0.012, "chest": 0.014, "navel": 0.014},
}
_SLACK_LENGTH_M = 0.61


def visible_slack_m(length_m: float) -> np.ndarray:
    """(24,) m: how far behind the surface that is seen a point may lie and still count as seen.

    A joint lies in its limb: what hides it from a side is the limb's own skin, and it is seen as
    annotators see it. The values are the depth of each joint below skin, diaper or suit on a body
    of 0.61 m, such that of infants on their backs seen from above three in four joints are seen,
    and grow with the length of the body.
    """
    parts = (name.removeprefix("left_").removeprefix("right_") for name in INFANT24.keypoints)
    return np.array([_SLACK[part] for part in parts]) * (length_m / _SLACK_LENGTH_M)


# Vertices of MakeHuman's base mesh (hm08), on its mid-line
_BASE_VERTICES = {"chin": 5162, "chest": 1892, "navel": 4121}


def surface_points(model: BodyModel) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Surface point -> indices (n,) of vertices and their weights (n,), which sum to 1."""
    rest = model.corners.vertices.mean(axis=0).astype(np.float64)
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name, base in _BASE_VERTICES.items():
        found[name] = _even(np.flatnonzero(model.base == base))
    middle = np.flatnonzero((model.weights["head"] > 0.9) & (np.abs(rest[:, 0]) < 0.002))
    found["nose"] = _even(middle[np.argsort(rest[middle, 1])[:3]])
    for side, short, sign in (("left", "L", 1.0), ("right", "R", -1.0)):
        ball = np.flatnonzero((model.masks["eye"] > 0.5) & (rest[:, 0] * sign > 0))
        found[f"{side}_eye"] = _even(ball[np.argsort(rest[ball, 1])[:6]])
        found[f"{side}_ear"] = _largest(model.joints[f"{side}_ear"], 24)
        found[f"{side}_middle_finger"] = _even(_tip(model, rest, f"finger3-3.{short}", 5))
        found[f"{side}_toe"] = _even(_tip(model, rest, f"toe1-2.{short}", 6))
    return found


def _even(indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return indices, np.full(len(indices), 1 / len(indices))


def _largest(weights: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    chosen = np.argsort(weights)[-count:]
    return chosen, weights[chosen] / weights[chosen].sum()


def _tip(model: BodyModel, rest: np.ndarray, bone: str, count: int) -> np.ndarray:
    """(count,) vertices at the end of a bone, furthest away from its parent."""
    which = model.bones.index(bone)
    own = np.flatnonzero(model.shares[:, which] > 0.5)
    before = np.flatnonzero(model.shares[:, model.parents[which]] > 0.5)
    along = rest[own].mean(axis=0) - rest[before].mean(axis=0)
    return own[np.argsort(rest[own] @ along)[-count:]]
