"""Two conventions of the hip: where people mark it, and the joint.

Annotators (COCO, SyRIP) mark the hip at the side of the pelvis, well above and outside of the
centre of the femoral head. Measured as the distance of the two hips over that of the shoulders,
median: COCO's adults 0.69, SyRIP's infants 0.75; centres of the femoral heads of the synthetic
infants 0.46. Key points of this project, labels and predictions alike, follow the annotators, so
that they can be mixed and compared with other people's. Angles and lengths of the thigh want the
joint, which is a fixed combination of shoulders and hips away: exactly so in space, and in a
picture as far as perspective may be neglected over the length of a trunk.
"""

from __future__ import annotations

import numpy as np

from aggpose.skeleton import Skeleton

UP = 1 / 8
"""How far the annotators' hips lie towards the shoulders, in trunks of the joints."""

APART = 3 / 2
"""How far they lie apart, in distances of the joints."""

_HIPS = ("left_hip", "right_hip")
_SHOULDERS = ("left_shoulder", "right_shoulder")


def _places(skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    hips, shoulders = skeleton.indices_of(_HIPS), skeleton.indices_of(_SHOULDERS)
    if min(*hips, *shoulders) < 0:
        raise ValueError(f"skeleton {skeleton.name} lacks shoulders or hips")
    return hips, shoulders


def annotated_hips(points: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Points (..., K, D) whose hips are joints -> whose hips are where annotators mark them.

    D coordinates of any frame. NaN of a shoulder or hip makes both hips NaN.
    """
    hips, shoulders = _places(skeleton)
    moved = np.array(points, copy=True)
    middle = moved[..., hips, :].mean(axis=-2, keepdims=True)
    trunk = moved[..., shoulders, :].mean(axis=-2, keepdims=True) - middle
    moved[..., hips, :] = middle + UP * trunk + APART * (moved[..., hips, :] - middle)
    return moved


def hip_joints(points: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The inverse of `annotated_hips`: (..., K, D) with the hips at the centres of the joints."""
    hips, shoulders = _places(skeleton)
    moved = np.array(points, copy=True)
    middle = moved[..., hips, :].mean(axis=-2, keepdims=True)
    trunk = moved[..., shoulders, :].mean(axis=-2, keepdims=True) - middle
    joint = middle - UP / (1 - UP) * trunk
    moved[..., hips, :] = joint + (moved[..., hips, :] - middle) / APART
    return moved
