"""Object key-point similarity (OKS) and the suppression of doubles by it.

OKS is COCO's: the mean over labelled points of ``exp(-d^2 / (2 * area * (2 * sigma)^2))``, with d
the distance in pixels and ``area`` that of the person in square pixels (https://cocodataset.org,
key-point evaluation; Ronchi and Perona, ICCV 2017).
"""

from __future__ import annotations

import numpy as np

_TINY = float(np.spacing(1))


def point_similarity(
    predicted: np.ndarray, truth: np.ndarray, area: np.ndarray | float, sigmas: np.ndarray
) -> np.ndarray:
    """Similarity of each point on its own, 0 to 1.

    predicted, truth: (..., K, 2) px. area: (...) px² of the true person. sigmas: (K,).
    Returns (..., K); NaN coordinates give 0.
    """
    squared = np.square(np.asarray(predicted, dtype=np.float64) - truth).sum(axis=-1)
    variance = np.square(2 * np.asarray(sigmas, dtype=np.float64))
    scaled = squared / variance / (np.asarray(area, dtype=np.float64)[..., None] + _TINY) / 2
    return np.nan_to_num(np.exp(-scaled), nan=0.0)


def oks(
    predicted: np.ndarray,
    truth: np.ndarray,
    labelled: np.ndarray,
    area: np.ndarray | float,
    sigmas: np.ndarray,
) -> np.ndarray:
    """OKS (...) of poses (..., K, 2); labelled: (..., K) bool. 0 where nothing is labelled."""
    similarity = np.where(labelled, point_similarity(predicted, truth, area, sigmas), 0.0)
    return similarity.sum(axis=-1) / np.maximum(np.sum(labelled, axis=-1), 1)


def suppress_doubles(
    keypoints: np.ndarray,
    scores: np.ndarray,
    areas: np.ndarray,
    sigmas: np.ndarray,
    threshold: float = 0.9,
) -> np.ndarray:
    """OKS non-maximum suppression within one picture, as the published protocols use it.

    keypoints: (N, K, 2) px. scores: (N,). areas: (N,) px² of the crops. A pose goes where its OKS
    (all points, mean of both areas) with a better one exceeds the threshold.
    Returns the indices kept, best first.
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    kept: list[int] = []
    while len(order):
        best, order = int(order[0]), order[1:]
        kept.append(best)
        area = (areas[best] + areas[order]) / 2
        similarity = point_similarity(keypoints[order], keypoints[best], area, sigmas)
        order = order[similarity.mean(axis=-1) <= threshold]
    return np.array(kept, dtype=np.int64)
