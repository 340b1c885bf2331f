"""What average precision does not tell: per key point, sides, misses, doubles, calibration.

Predictions are paired with people within each picture, best score first, each with the free person
whom they fit best; a person counts as found from OKS 0.5 on. Errors are in trunk lengths
(mid-point of the shoulders to mid-point of the hips of the true person), which do not depend on the
picture's size.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from aggpose.data.coco import keypoint_names
from aggpose.evaluation.metrics import Area, box_of, reordered_labels
from aggpose.evaluation.oks import oks, point_similarity
from aggpose.skeleton import Skeleton, trunk_length

MATCH_OKS = 0.5
PCK_TRUNKS = 0.2
"""PCK@0.2: a point is right within 0.2 trunk lengths (Yang and Ramanan, TPAMI 2013)."""
RIGHT_SIMILARITY = 0.5
"""For calibration a point is right when its own similarity (one term of OKS) reaches this."""
BINS = 10
_MEANT_OKS, _MEANT_OVERLAP = 0.1, 0.2
_APART = 0.25
"""Left and right closer than so many trunk lengths cannot be told to be inverted."""


@dataclass(frozen=True)
class Pairs:
    """People beside what was predicted for them, P pairs of K points.

    predicted, truth: (P, K, 2) px; predicted is NaN where a person was not found at all.
    scores: (P, K). labelled: (P, K) bool. areas: (P,) px². image_ids: (P,).
    redundant: predictions that met nobody. ignored: those that met a crowd or an unlabelled person.
    """

    predicted: np.ndarray
    truth: np.ndarray
    scores: np.ndarray
    labelled: np.ndarray
    areas: np.ndarray
    image_ids: np.ndarray
    oks: np.ndarray
    redundant: int
    ignored: int
    skeleton: Skeleton

    @property
    def trunks(self) -> np.ndarray:
        """(P,) px, lengths of the true trunks; NaN where it is not labelled or has none."""
        known = np.where(self.labelled[..., None], self.truth, np.nan)
        lengths = trunk_length(known, self.skeleton)
        return np.where(lengths > 0, lengths, np.nan)


def match(
    content: dict[str, Any], results: list[dict[str, Any]], skeleton: Skeleton, area: Area = "file"
) -> Pairs:
    """Match predictions to people. results: in the skeleton's order, as for AP.

    A pair below `MATCH_OKS` keeps its predicted points, so that errors count everyone who was
    given a pose; whether that person counts as found is told by ``oks``.
    """
    names = keypoint_names(content, "annotations")
    people: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in content.get("annotations", []):
        people[annotation["image_id"]].append(annotation)
    by_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for result in results:
        by_image[result["image_id"]].append(result)
    rows: list[tuple[Any, ...]] = []
    redundant = ignored = 0
    for image_id in sorted(set(people) | set(by_image)):
        good, other = _split(people[image_id], names, skeleton, area)
        matched, left = _match_image(good, by_image[image_id], skeleton)
        rows += [(image_id, *row) for row in matched]
        for points in left:
            if any(_inside(points, box_of(a)) for a in other):
                ignored += 1
            else:
                redundant += 1
    k = len(skeleton)
    columns = list(zip(*rows, strict=True)) if rows else [()] * 7
    return Pairs(
        predicted=np.array(columns[1], dtype=np.float64).reshape(-1, k, 2),
        truth=np.array(columns[3], dtype=np.float64).reshape(-1, k, 2),
        scores=np.array(columns[2], dtype=np.float64).reshape(-1, k),
        labelled=np.array(columns[4], dtype=bool).reshape(-1, k),
        areas=np.array(columns[5], dtype=np.float64),
        image_ids=np.array(columns[0]),
        oks=np.array(columns[6], dtype=np.float64),
        redundant=redundant,
        ignored=ignored,
        skeleton=skeleton,
    )


def _split(
    annotations: list[dict[str, Any]], names: tuple[str, ...], skeleton: Skeleton, area: Area
) -> tuple[list[tuple[np.ndarray, np.ndarray, float]], list[dict[str, Any]]]:
    """People with a labelled point as (truth, labelled, area), and the other annotations."""
    good, other = [], []
    for annotation in annotations:
        labels = reordered_labels(annotation, names, skeleton)
        labelled = labels[:, 2] > 0
        if annotation.get("iscrowd", 0) or not labelled.any():
            other.append(annotation)
            continue
        _, _, w, h = box_of(annotation)
        size = w * h if area == "box" else annotation.get("area", w * h)
        good.append((labels[:, :2], labelled, float(size)))
    return good, other


def _match_image(
    people: list[tuple[np.ndarray, np.ndarray, float]],
    results: list[dict[str, Any]],
    skeleton: Skeleton,
) -> tuple[list[tuple[Any, ...]], list[np.ndarray]]:
    k, sigmas = len(skeleton), np.array(skeleton.sigmas)
    taken: dict[int, tuple[np.ndarray, float]] = {}
    left = []
    for result in sorted(results, key=lambda r: -r["score"]):
        points = np.asarray(result["keypoints"], dtype=np.float64).reshape(k, 3)
        free = [i for i in range(len(people)) if i not in taken]
        meant = [_belongs(points[:, :2], people[i], skeleton) for i in free]
        if free and max(meant) > 0:
            best = free[int(np.argmax(meant))]
            truth, labelled, size = people[best]
            taken[best] = points, float(oks(points[:, :2], truth, labelled, size, sigmas))
        else:
            left.append(points)
    rows = []
    for i, (truth, labelled, size) in enumerate(people):
        points, value = taken.get(i, (np.full((k, 3), np.nan), 0.0))
        scores = np.nan_to_num(points[:, 2])
        rows.append((points[:, :2], scores, truth, labelled, size, value))
    return rows, left


def _belongs(
    points: np.ndarray, person: tuple[np.ndarray, np.ndarray, float], skeleton: Skeleton
) -> float:
    """How surely a pose is meant for a person, 0 where it is not.

    OKS, also with the sides swapped, and after any OKS the overlap of the boxes around the points:
    a pose that is all wrong, or inverted, must still be counted against its person.
    """
    truth, labelled, size = person
    sigmas = np.array(skeleton.sigmas)
    straight = oks(points, truth, labelled, size, sigmas)
    swapped = oks(points[skeleton.mirror], truth, labelled, size, sigmas)
    similarity = float(max(straight, swapped))
    if similarity > _MEANT_OKS:
        return 1.0 + similarity
    share = _box_overlap(points[labelled], truth[labelled])
    return share if share > _MEANT_OVERLAP else 0.0


def _box_overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of the tight boxes of two sets of points (n, 2)."""
    low = np.maximum(a.min(axis=0), b.min(axis=0))
    high = np.minimum(a.max(axis=0), b.max(axis=0))
    inside = float(np.prod(np.clip(high - low, 0, None)))
    union = float(np.prod(np.ptp(a, axis=0)) + np.prod(np.ptp(b, axis=0))) - inside
    return inside / union if union > 0 else 0.0


def _inside(points: np.ndarray, box: tuple[float, float, float, float]) -> bool:
    """Whether the middle of a pose lies in an xywh box."""
    x, y = (
        np.nanmean(points[points[:, 2] > 0, :2], axis=0) if (points[:, 2] > 0).any() else (-1, -1)
    )
    return bool(box[0] <= x <= box[0] + box[2] and box[1] <= y <= box[1] + box[3])


def measures(pairs: Pairs) -> dict[str, Any]:
    """All numbers over the pairs; fractions are 0 to 1, None where there is nothing to measure."""
    errors = np.linalg.norm(pairs.predicted - pairs.truth, axis=-1)
    trunks = pairs.trunks[:, None]
    counted = pairs.labelled & np.isfinite(trunks)
    # a person who was not found has every point wrong, at no distance that could be averaged
    right = counted & (np.nan_to_num(errors / trunks, nan=np.inf) <= PCK_TRUNKS)
    placed = counted & np.isfinite(errors)
    found = pairs.oks >= MATCH_OKS
    poor = int((~found & np.isfinite(pairs.predicted).any(axis=(1, 2))).sum())
    predictions = int(np.isfinite(pairs.predicted).any(axis=(1, 2)).sum()) + pairs.redundant
    return {
        "people": len(pairs.oks),
        "people_with_trunk": int(np.isfinite(trunks).sum()),
        "PCK@0.2": _ratio(right, counted),
        "mean_error_trunks": _mean((errors / trunks)[placed]),
        "median_error_trunks": _median((errors / trunks)[placed]),
        "inversion_rate": inversion_rate(pairs, trunks[:, 0]),
        "missed": int((~found).sum()),
        "missed_rate": _ratio(~found, np.ones_like(found)),
        "redundant": pairs.redundant + poor,
        "redundant_rate": (pairs.redundant + poor) / predictions if predictions else None,
        "ignored": pairs.ignored,
        "per_keypoint": _per_keypoint(pairs, errors / trunks, right, counted, placed),
        "calibration": calibration(pairs),
    }


def _per_keypoint(
    pairs: Pairs, errors: np.ndarray, right: np.ndarray, counted: np.ndarray, placed: np.ndarray
) -> dict[str, dict[str, Any]]:
    sigmas = np.array(pairs.skeleton.sigmas)
    similarity = point_similarity(pairs.predicted, pairs.truth, pairs.areas, sigmas)
    return {
        name: {
            "labelled": int(pairs.labelled[:, k].sum()),
            "similarity": _mean(similarity[pairs.labelled[:, k], k]),
            "PCK@0.2": _ratio(right[:, k], counted[:, k]),
            "mean_error_trunks": _mean(errors[placed[:, k], k]),
            "mean_score": _mean(pairs.scores[pairs.labelled[:, k], k]),
        }
        for k, name in enumerate(pairs.skeleton.keypoints)
    }


def inversion_rate(pairs: Pairs, trunks: np.ndarray) -> dict[str, Any]:
    """How often left and right are taken for each other.

    Counted are mirror pairs whose two points are labelled, predicted, and at least 0.25 trunk
    lengths apart; inverted are those that would fit better with sides swapped. trunks: (P,) px.
    """
    inverted = counted = 0
    for i, j in pairs.skeleton.mirror_pairs:
        both = pairs.labelled[:, i] & pairs.labelled[:, j]
        apart = np.linalg.norm(pairs.truth[:, i] - pairs.truth[:, j], axis=-1) >= _APART * trunks
        use = both & apart & np.isfinite(pairs.predicted[:, [i, j]]).all(axis=(1, 2))
        straight = sum(
            np.linalg.norm(pairs.predicted[:, k] - pairs.truth[:, k], axis=-1) for k in (i, j)
        )
        swapped = sum(
            np.linalg.norm(pairs.predicted[:, a] - pairs.truth[:, b], axis=-1)
            for a, b in ((i, j), (j, i))
        )
        counted += int(use.sum())
        inverted += int((use & (swapped < straight)).sum())
    return {"pairs": counted, "inverted": inverted, "rate": inverted / counted if counted else None}


def calibration(pairs: Pairs) -> dict[str, Any]:
    """What a score tells: how likely a point is right (one OKS term of 0.5 or more), how similar
    (that term's mean), and how far off it is (trunk lengths, median).

    ``error`` is the expected calibration error (Guo et al., ICML 2017) over ten bins of scores;
    ``similarity_error`` the same against the mean similarity, for scores that are meant to be
    expected similarities.
    """
    sigmas = np.array(pairs.skeleton.sigmas)
    similarity = point_similarity(pairs.predicted, pairs.truth, pairs.areas, sigmas)
    far = np.linalg.norm(pairs.predicted - pairs.truth, axis=-1) / pairs.trunks[:, None]
    use = pairs.labelled & np.isfinite(pairs.predicted).all(axis=-1)
    scores, similarity, far = pairs.scores[use].clip(0, 1), similarity[use], far[use]
    where = np.minimum((scores * BINS).astype(int), BINS - 1)
    bins = []
    for b in range(BINS):
        inside = where == b
        if inside.any():
            bins.append(
                {
                    "from": b / BINS,
                    "to": (b + 1) / BINS,
                    "points": int(inside.sum()),
                    "mean_score": float(scores[inside].mean()),
                    "right": float((similarity[inside] >= RIGHT_SIMILARITY).mean()),
                    "similarity": float(similarity[inside].mean()),
                    "median_error_trunks": _median(far[inside & np.isfinite(far)]),
                }
            )
    return {
        "error": _calibration_error(bins, "right"),
        "similarity_error": _calibration_error(bins, "similarity"),
        "bins": bins,
    }


def _calibration_error(bins: list[dict[str, Any]], against: str) -> float | None:
    """Mean over the points of how far a bin's mean score is from what it should tell."""
    total = sum(b["points"] for b in bins)
    return (
        sum(b["points"] * abs(b["mean_score"] - b[against]) for b in bins) / total if bins else None
    )


def _ratio(part: np.ndarray, whole: np.ndarray) -> float | None:
    return float(part.sum() / whole.sum()) if whole.sum() else None


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _median(values: np.ndarray) -> float | None:
    return float(np.median(values)) if len(values) else None
