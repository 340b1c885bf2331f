"""An infant of capsules, for tests that need a posed body but not the body model."""

from __future__ import annotations

import numpy as np

from aggpose.skeleton import INFANT24
from aggpose.synthetic.around.anchors import Anchors

_MIDDLE = {"nose": (0, 0.205, 0.125), "chin": (0, 0.165, 0.112), "chest": (0, 0.07, 0.10)}
_LEFT = {
    "eye": (0.022, 0.228, 0.115), "ear": (0.056, 0.215, 0.065), "shoulder": (0.075, 0.11, 0.05),
    "elbow": (0.145, 0.08, 0.04), "wrist": (0.185, 0.15, 0.04), "hip": (0.045, -0.07, 0.05),
    "middle_finger": (0.20, 0.20, 0.04), "knee": (0.11, -0.15, 0.11), "ankle": (0.10, -0.24, 0.04),
    "toe": (0.12, -0.27, 0.08),
}  # fmt: skip
_LIMBS = (
    *(("shoulder", "elbow", 0.026), ("elbow", "wrist", 0.02), ("wrist", "middle_finger", 0.016)),
    *(("hip", "knee", 0.034), ("knee", "ankle", 0.026), ("ankle", "toe", 0.018)),
)
_TURNS = {
    "supine": np.eye(3),
    "prone": np.diag([-1.0, 1.0, -1.0]),
    "side": np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0.0]]),
    "sitting": np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0.0]]),
}


def ball_infant(posture: str = "supine") -> Anchors:
    """Lying with its head towards y, or sitting and looking to -y; its lowest point is z = 0.

    posture: supine, prone, side, sitting, held (sitting, 0.3 m up).
    """
    places = {name: np.array(at) for name, at in _MIDDLE.items()}
    places["navel"] = np.array([0, -0.02, 0.10])
    for name, at in _LEFT.items():
        places[f"left_{name}"] = np.array(at)
        places[f"right_{name}"] = np.array(at) * (-1, 1, 1)
    skin = [_capsule(np.array([0, 0.195, 0.06]), np.array([0, 0.235, 0.06]), 0.058)]
    skin.append(_capsule(np.array([0, 0.07, 0.05]), np.array([0, -0.06, 0.05]), 0.05))
    for first, last, radius in _LIMBS:
        for side in ("left_", "right_"):
            skin.append(_capsule(places[side + first], places[side + last], radius))
    turn = _TURNS["sitting" if posture == "held" else posture]
    vertices = np.concatenate(skin) @ turn.T
    points = np.stack([places[name] for name in INFANT24.keypoints]) @ turn.T
    shift = np.array([0, 0, -vertices[:, 2].min() + (0.3 if posture == "held" else 0.0)])
    back = (0.0, -1.0, 0.0, -float(vertices[:, 1].max())) if posture == "sitting" else None
    return Anchors(points + shift, vertices + shift, 0.61, posture, back)


def _capsule(start: np.ndarray, end: np.ndarray, radius: float) -> np.ndarray:
    """(V, 3) places on a tube with round ends, about 5 mm apart."""
    length = float(np.linalg.norm(end - start))
    ahead = (end - start) / length
    u = np.cross(ahead, (0.3, 0.5, 0.81))
    u /= np.linalg.norm(u)
    v = np.cross(ahead, u)
    rings = []
    for at in np.arange(-radius, length + radius, 0.005):
        over = max(-at, at - length, 0.0)
        wide = np.sqrt(max(radius**2 - over**2, 0.0))
        t = np.linspace(0, 2 * np.pi, max(6, round(2 * np.pi * wide / 0.005)), endpoint=False)
        ring = wide * (np.cos(t)[:, None] * u + np.sin(t)[:, None] * v)
        rings.append(start + at * ahead + ring)
    return np.concatenate(rings)
