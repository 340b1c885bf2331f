"""Poses: what the network says about one picture, as frozen values over arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aggpose.skeleton import Skeleton


@dataclass(frozen=True)
class Poses:
    """N people or infants in one picture, K key points each.

    keypoints: (N, K, 2) float, (x, y) in pixels of the picture as shown: origin top left, pixel
        centres at integers, x right, y down. NaN where there is nothing.
    scores: (N, K) float, the heat map's peak value; 0 where there is nothing.
    boxes: (N, 4) float, (x1, y1, x2, y2) in the same pixels: the box that the crop was made from.
    skeleton: names and order of the key points.
    box_scores: (N,) float, the detector's score of each box; 1 where none was given.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    boxes: np.ndarray
    skeleton: Skeleton
    box_scores: np.ndarray

    def __post_init__(self) -> None:
        n, k = len(self.keypoints), len(self.skeleton)
        wanted = {
            "keypoints": (n, k, 2),
            "scores": (n, k),
            "boxes": (n, 4),
            "box_scores": (n,),
        }
        for name, shape in wanted.items():
            got = np.shape(getattr(self, name))
            if got != shape:
                raise ValueError(f"Poses.{name} has shape {got}, expected {shape}")

    def __len__(self) -> int:
        return len(self.keypoints)

    @classmethod
    def empty(cls, skeleton: Skeleton) -> Poses:
        """Nobody."""
        k = len(skeleton)
        return cls(
            np.zeros((0, k, 2)), np.zeros((0, k)), np.zeros((0, 4)), skeleton, np.zeros((0,))
        )

    def select(self, skeleton: Skeleton) -> Poses:
        """The same people with another skeleton's points, matched by name.

        Points that this skeleton lacks become NaN with score 0.
        """
        if skeleton == self.skeleton:
            return self
        where = self.skeleton.indices_of(skeleton.keypoints)
        missing = where < 0
        keypoints = self.keypoints[:, where].astype(np.float64)
        scores = self.scores[:, where].copy()
        keypoints[:, missing] = np.nan
        scores[:, missing] = 0.0
        return replace(self, keypoints=keypoints, scores=scores, skeleton=skeleton)
