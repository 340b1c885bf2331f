"""Poses of a video against the truth of the same video, as synthetic clips have it beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aggpose.formats.poses_csv import PoseTable
from aggpose.skeleton import trunk_length


@dataclass(frozen=True)
class PointErrors:
    """Every point of T frames and K kinds of key points.

    names: of the key points both tables have, in the truth's order. offset: (T, K, 2), prediction
    minus truth in picture px, x and y; NaN where a point was not predicted. trunk: (T,) px, length
    of the true trunk. seen: (T, K) bool, whether the truth calls the point seen (score 1).
    times_s: (T,) seconds.
    """

    names: tuple[str, ...]
    offset: np.ndarray
    trunk: np.ndarray
    seen: np.ndarray
    times_s: np.ndarray

    @property
    def far(self) -> np.ndarray:
        """(T, K) distances in lengths of the true trunk, infinite where not predicted."""
        distance = np.linalg.norm(self.offset, axis=-1) / self.trunk[:, None]
        return np.where(np.isfinite(distance), distance, np.inf)


@dataclass(frozen=True)
class ClipErrors:
    """Distances between predicted and true key points, in lengths of the true trunk.

    frames: of the truth. found: share of them with an infant. seen, hidden: median error of the
    points that the truth calls seen, and of those hidden. within: share of the seen points within
    0.2. keypoints: how many kinds both tables have. A point that was not predicted counts as
    infinitely far.
    """

    frames: int
    found: float
    seen: float
    hidden: float
    within: float
    keypoints: int


def point_errors(poses: PoseTable, truth: PoseTable) -> PointErrors:
    """Errors of the first infant of each frame. Frames are matched by number, points by name.

    Raises ValueError if the tables have no key point in common.
    """
    names = tuple(n for n in truth.skeleton.keypoints if n in poses.skeleton.keypoints)
    if not names:
        raise ValueError("the tables have no key point in common")
    of_truth = [truth.skeleton.index(n) for n in names]
    of_poses = [poses.skeleton.index(n) for n in names]
    row = {int(frame): i for i, frame in enumerate(poses.frames)}
    points = np.full((len(truth.frames), len(names), 2), np.nan)
    for i, frame in enumerate(truth.frames):
        if int(frame) in row:
            points[i] = poses.keypoints[row[int(frame)], 0, of_poses]
    return PointErrors(
        names=names,
        offset=points - truth.keypoints[:, 0, of_truth],
        trunk=trunk_length(truth.keypoints[:, 0], truth.skeleton),
        seen=truth.scores[:, 0, of_truth] >= 1.0,
        times_s=truth.times_s,
    )


def against_truth(poses: PoseTable, truth: PoseTable) -> ClipErrors:
    """A clip's errors in a few numbers; see `point_errors`."""
    errors = point_errors(poses, truth)
    far, seen = errors.far, errors.seen
    return ClipErrors(
        frames=len(far),
        found=float(np.isfinite(far).any(axis=1).mean()),
        seen=_median(far[seen]),
        hidden=_median(far[~seen]),
        within=float((far[seen] <= 0.2).mean()) if seen.any() else float("nan"),
        keypoints=len(errors.names),
    )


def jitter(errors: PointErrors, window_s: float = 0.5) -> np.ndarray:
    """How much each predicted point trembles.

    Root mean square, over frames and both axes, of the offset minus its own running mean over
    ``window_s`` seconds, in lengths of the trunk (median over the frames): constant errors and slow
    drift do not count. Returns (K,); NaN of a point that is missing in any frame. Raises
    ValueError of a clip that is shorter than the window.
    """
    count = len(errors.offset)
    rate = (count - 1) / (errors.times_s[-1] - errors.times_s[0]) if count > 1 else 0.0
    width = max(3, round(rate * window_s) | 1)
    if count < width:
        raise ValueError(f"{count} frames are fewer than the window's {width}")
    inside = np.lib.stride_tricks.sliding_window_view(errors.offset, width, axis=0)
    tremble = inside[..., width // 2] - inside.mean(axis=-1)
    return np.sqrt((tremble**2).mean(axis=(0, 2))) / float(np.median(errors.trunk))


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else float("nan")
