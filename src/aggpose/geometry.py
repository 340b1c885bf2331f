"""Boxes, crops, affines and mirroring: the geometry of AggPose's published protocol.

Frames of reference. Picture, crop and heat map each have their origin at the top-left pixel's
centre, x to the right, y down, pixel centres at integers. A crop is described by a centre and a
size in picture pixels and a rotation in degrees; heat-map and crop pixels are joined by the same
formula at their own sizes, so the factor between them is that of the *widths*,
``(w_hm - 1) / (w_in - 1)``, in both directions.
"""

from __future__ import annotations

import numpy as np

from aggpose.skeleton import Skeleton

BOX_PADDING = 1.25
"""How much larger than the (aspect-padded) box the crop is, as published."""


def xywh_to_xyxy(boxes: np.ndarray) -> np.ndarray:
    """(..., 4) COCO boxes (x, y, width, height) to corners (x1, y1, x2, y2); no pixel is added."""
    boxes = np.asarray(boxes, dtype=np.float64)
    return np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], axis=-1)


def xyxy_to_xywh(boxes: np.ndarray) -> np.ndarray:
    """(..., 4) corners (x1, y1, x2, y2) to COCO boxes (x, y, width, height)."""
    boxes = np.asarray(boxes, dtype=np.float64)
    return np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], axis=-1)


def box_to_crop(
    box: np.ndarray, aspect: float, padding: float = BOX_PADDING
) -> tuple[np.ndarray, np.ndarray]:
    """The crop of a box: same centre, padded to an aspect ratio, then enlarged.

    box: (4,) xywh in picture pixels. aspect: width / height of the network's input.
    Returns centre (2,) and size (2,) = (width, height) in picture pixels, float64. The published
    code keeps ``scale = size / 200``.
    """
    x, y, w, h = np.asarray(box, dtype=np.float64)
    if w > aspect * h:
        h = w / aspect
    else:
        w = h * aspect
    return np.array([x + box[2] * 0.5, y + box[3] * 0.5]), np.array([w, h]) * padding


def crop_affine(
    center: np.ndarray, size: np.ndarray, rotation: float, output: tuple[int, int]
) -> np.ndarray:
    """The affine map from picture pixels to crop (or heat-map) pixels.

    center: (2,) and size: (2,) = (width, height) of the crop, picture pixels.
    rotation: degrees; positive turns the picture's content counter-clockwise on the screen.
    output: (width, height) of the crop or heat map in its own pixels.
    Returns (2, 3) float64, to be used as ``M @ (x, y, 1)``. One isotropic factor taken from the
    widths, centre to centre (AggPose section 3; as HRNet and TokenPose crop).
    """
    width, height = output
    factor = (width - 1) / (float(size[0]) - 1)
    angle = np.deg2rad(rotation)
    cos, sin = np.cos(angle), np.sin(angle)
    linear = factor * np.array([[cos, sin], [-sin, cos]])
    target = np.array([(width - 1) * 0.5, (height - 1) * 0.5])
    offset = target - linear @ np.asarray(center, dtype=np.float64)
    return np.concatenate([linear, offset[:, None]], axis=1)


def invert_affine(affine: np.ndarray) -> np.ndarray:
    """The inverse of a (2, 3) affine map, (2, 3)."""
    linear = np.linalg.inv(affine[:, :2])
    return np.concatenate([linear, -(linear @ affine[:, 2:])], axis=1)


def compose_affine(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The (2, 3) affine map that applies ``first`` and then ``second``."""
    linear = second[:, :2] @ first[:, :2]
    return np.concatenate([linear, second[:, :2] @ first[:, 2:] + second[:, 2:]], axis=1)


def apply_affine(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points (..., 2) by a (2, 3) affine; NaN stays NaN."""
    points = np.asarray(points, dtype=np.float64)
    return points @ affine[:, :2].T + affine[:, 2]


def input_to_heatmap(input_size: tuple[int, int], heatmap_size: tuple[int, int]) -> np.ndarray:
    """(2, 3) affine from crop pixels to heat-map pixels; both sizes are (width, height).

    ``x_hm = f * x_in`` and ``y_hm = f * (y_in - (h_in - 1) / 2) + (h_hm - 1) / 2`` with
    ``f = (w_hm - 1) / (w_in - 1)``: not ``(h_hm - 1) / (h_in - 1)``.
    """
    (wi, hi), (wh, hh) = input_size, heatmap_size
    f = (wh - 1) / (wi - 1)
    return np.array([[f, 0.0, 0.0], [0.0, f, (hh - 1) * 0.5 - f * (hi - 1) * 0.5]])


def heatmap_to_picture(
    center: np.ndarray, size: np.ndarray, heatmap_size: tuple[int, int], rotation: float = 0.0
) -> np.ndarray:
    """(2, 3) affine from heat-map to picture pixels; heatmap_size is (width, height)."""
    return invert_affine(crop_affine(center, size, rotation, heatmap_size))


def turned_box(box: np.ndarray, rotation: float) -> np.ndarray:
    """The box, in a picture turned about the box's middle, of what the box holds.

    box: (4,) xywh px. rotation: degrees, either way. Returns (4,) xywh about the same middle, along
    the turned picture's axes: of the ellipse that fills the box, exact for quarter turns. The
    corners of a box are seldom filled, so its own turned corners would ask for too much.
    """
    x, y, width, height = np.asarray(box, dtype=np.float64)
    angle = np.deg2rad(rotation)
    cos, sin = np.cos(angle), np.sin(angle)
    size = np.array([np.hypot(width * cos, height * sin), np.hypot(width * sin, height * cos)])
    return np.concatenate([np.array([x + width / 2, y + height / 2]) - size / 2, size])


SHORT_TRUNK = 0.2
"""A trunk that is shorter than this share of its person's longer side is seen end-on: its direction
in the picture says nothing."""


def upright_rotation(keypoints: np.ndarray, valid: np.ndarray, skeleton: Skeleton) -> float | None:
    """Degrees, -180 to 180, by which a crop is turned so that the trunk points up in it.

    keypoints: (K, 2) px; valid: (K,) bool. The trunk goes from the mid-point of the hips that are
    valid to that of the shoulders. None where neither side of either is, or the trunk is short
    (`SHORT_TRUNK`). To be used as `crop_affine`'s rotation.
    """
    if skeleton.trunk is None:
        return None
    points = np.asarray(keypoints, dtype=np.float64)
    valid = np.asarray(valid, dtype=bool) & np.isfinite(points).all(axis=-1)
    ends = []
    for names in skeleton.trunk:
        chosen = [i for i in skeleton.indices_of(names) if valid[i]]
        if not chosen:
            return None
        ends.append(points[chosen].mean(axis=0))
    box = keypoints_box(points, valid)
    assert box is not None  # two points at least are valid
    x, y = ends[0] - ends[1]
    if np.hypot(x, y) <= SHORT_TRUNK * float(np.max(box[2:] - box[:2])):
        return None
    return float(np.rad2deg(np.arctan2(x, -y)))


def mirror_keypoints(
    keypoints: np.ndarray, width: float, skeleton: Skeleton, *values: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Mirror key points left to right in a picture and swap the sides' names.

    keypoints: (..., K, 2) pixels; width: of the picture, so that ``x -> width - 1 - x``.
    values: arrays (..., K) that belong to the points (visibility, scores), reordered alike.
    Returns (keypoints, *values). Twice gives back what went in.
    """
    mirrored = np.array(keypoints, dtype=np.float64, copy=True)
    mirrored[..., 0] = width - 1 - mirrored[..., 0]
    return (
        mirrored[..., skeleton.mirror, :],
        *(np.asarray(v)[..., skeleton.mirror] for v in values),
    )


def flip_back(heatmaps: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Heat maps of a mirrored crop, brought back: mirrored in x, sides swapped.

    heatmaps: (B, K, h, w). Returns the same shape. No shift is applied, as published.
    """
    return heatmaps[:, skeleton.mirror, :, ::-1]


def keypoints_box(keypoints: np.ndarray, valid: np.ndarray) -> np.ndarray | None:
    """Tight (4,) xyxy box of the valid points of one pose, None when fewer than two are valid.

    keypoints: (K, 2) pixels; valid: (K,) bool.
    """
    points = keypoints[valid & np.isfinite(keypoints).all(axis=-1)]
    if len(points) < 2:
        return None
    return np.concatenate([points.min(axis=0), points.max(axis=0)])
