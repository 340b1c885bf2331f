"""Poses of a video against the truth of the same video, as synthetic clips have it beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aggpose.formats.poses_csv import PoseTable
from aggpose.skeleton import trunk_length


@dataclass(frozen=True)
class ClipErrors:
    """Distances between predicted and true key points, in lengths of the true trunk.

    frames: of the truth. found: share of them with an infant. seen, hidden: median error of the
    points that the truth calls seen (score 1), and of those hidden. within: share of the seen
    points within 0.2. keypoints: how many kinds both tables have. A point that was not predicted
    counts as infinitely far.
    """

    frames: int
    found: float
    seen: float
    hidden: float
    within: float
    keypoints: int


def against_truth(poses: PoseTable, truth: PoseTable) -> ClipErrors:
    """Errors of the first infant of each frame. Frames are matched by number, points by name."""
    names = [n for n in truth.skeleton.keypoints if n in poses.skeleton.keypoints]
    if not names:
        raise ValueError("the tables have no key point in common")
    of_truth = [truth.skeleton.index(n) for n in names]
    of_poses = [poses.skeleton.index(n) for n in names]
    row = {int(frame): i for i, frame in enumerate(poses.frames)}
    count = len(truth.frames)
    points = np.full((count, len(names), 2), np.nan)
    for i, frame in enumerate(truth.frames):
        if int(frame) in row:
            points[i] = poses.keypoints[row[int(frame)], 0, of_poses]
    trunk = trunk_length(truth.keypoints[:, 0], truth.skeleton)
    places = truth.keypoints[:, 0, of_truth]
    error = np.linalg.norm(points - places, axis=-1) / trunk[:, None]
    error = np.where(np.isfinite(error), error, np.inf)
    seen = truth.scores[:, 0, of_truth] >= 1.0
    return ClipErrors(
        frames=count,
        found=float(np.isfinite(points).any(axis=(1, 2)).mean()),
        seen=float(np.median(error[seen])) if seen.any() else float("nan"),
        hidden=float(np.median(error[~seen])) if (~seen).any() else float("nan"),
        within=float((error[seen] <= 0.2).mean()) if seen.any() else float("nan"),
        keypoints=len(names),
    )
