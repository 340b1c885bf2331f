"""What an exported file costs: key points, accuracy and time beside the network in torch, fp32."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aggpose import __version__
from aggpose.decoding import decode_maps
from aggpose.export.check_set import CheckSet
from aggpose.geometry import apply_affine, heatmap_to_picture, input_to_heatmap, invert_affine
from aggpose.inference.runtime import file_sha256
from aggpose.meta import ModelMeta
from aggpose.skeleton import trunk_length

Run = Callable[[np.ndarray], np.ndarray]
"""(B, 3, H, W) float32 -> (B, K, h, w) heat maps."""

LEAST_TRUNK_PX = 4.0
"""Shorter trunks in the crop are not taken as a measure."""


@dataclass(frozen=True)
class Shift:
    """How far key points move, over ``points`` of them. Crop px; and lengths of the trunk that the
    reference finds, None where no crop shows one."""

    points: int
    mean_px: float
    p99_px: float
    max_px: float
    mean_trunks: float | None


@dataclass(frozen=True)
class Certificate:
    """An exported file beside the network that it was made from.

    counting: shift of the key points that count (``ModelMeta.point_score``) in the reference.
    all: of all. The others are guesses, whose peak may jump. ap: AP of reference and file, where
    labels are given. ms_per_crop: of both on this host, single crops, median.
    """

    file: str
    sha256: str
    precision: str
    runtime: str
    checked_on: str
    crops: int
    counting: Shift
    all: Shift
    heatmap_difference: float
    ap: dict[str, float] | None
    size_mb: float
    ms_per_crop: dict[str, float]
    kept_in_float: tuple[str, ...]
    host: str
    version: str = __version__
    use: str = "research use only, not a medical device"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def certify(
    reference: Run,
    exported: Run,
    path: Path,
    meta: ModelMeta,
    checks: CheckSet,
    precision: str,
    runtime: str,
    kept_in_float: tuple[str, ...] = (),
    batch: int = 8,
) -> Certificate:
    """Run both over the set and measure. reference: the network in torch, fp32."""
    expected = np.concatenate([reference(part) for part in _parts(checks.images, batch)])
    got = np.concatenate([exported(part) for part in _parts(checks.images, batch)])
    coords, scores = decode_maps(expected, meta)
    moved, moved_scores = decode_maps(got, meta)
    size = (expected.shape[3], expected.shape[2])
    to_crop = invert_affine(input_to_heatmap(meta.input_size, size))
    before, after = apply_affine(to_crop, coords), apply_affine(to_crop, moved)
    trunks = trunk_length(before, meta.skeleton)
    ap = None
    if checks.labels is not None:
        ap = {
            "reference": _ap(coords, scores, size, meta, checks),
            "exported": _ap(moved, moved_scores, size, meta, checks),
        }
        if ap["reference"] is None or ap["exported"] is None:
            ap = None
    return Certificate(
        file=path.name,
        sha256=file_sha256(path),
        precision=precision,
        runtime=runtime,
        checked_on=checks.name,
        crops=len(checks.images),
        counting=shift_of(before, after, scores >= meta.point_score, trunks),
        all=shift_of(before, after, scores > 0, trunks),
        heatmap_difference=float(np.abs(got - expected).max()),
        ap=ap,  # type: ignore[arg-type]
        size_mb=round(_size(path) / 1e6, 2),
        ms_per_crop={
            "torch fp32": _milliseconds(reference, checks.images[:1]),
            runtime: _milliseconds(exported, checks.images[:1]),
        },
        kept_in_float=kept_in_float,
        host=f"{platform.processor() or platform.machine()}, {platform.system()}",
    )


def shift_of(
    before: np.ndarray, after: np.ndarray, counts: np.ndarray, trunks: np.ndarray
) -> Shift:
    """before, after: (N, K, 2) crop px. counts: (N, K) bool. trunks: (N,) px."""
    distance = np.linalg.norm(after - before, axis=-1)
    chosen = distance[counts]
    if not len(chosen):
        return Shift(0, 0.0, 0.0, 0.0, None)
    known = counts & (trunks >= LEAST_TRUNK_PX)[:, None]
    in_trunks = (distance / np.where(trunks > 0, trunks, np.nan)[:, None])[known]
    return Shift(
        points=len(chosen),
        mean_px=round(float(chosen.mean()), 5),
        p99_px=round(float(np.percentile(chosen, 99)), 5),
        max_px=round(float(chosen.max()), 5),
        mean_trunks=round(float(in_trunks.mean()), 6) if len(in_trunks) else None,
    )


def _parts(images: np.ndarray, batch: int) -> list[np.ndarray]:
    return [images[i : i + batch] for i in range(0, len(images), batch)]


def _ap(
    coords: np.ndarray,
    scores: np.ndarray,
    size: tuple[int, int],
    meta: ModelMeta,
    checks: CheckSet,
) -> float | None:
    """AP in percent over the labelled crops, area of the box; None without the evaluator."""
    try:
        from aggpose.evaluation.metrics import average_precision
        from aggpose.formats.coco_results import result_entries
        from aggpose.pose import Poses

        assert checks.labels is not None and checks.skeleton is not None
        results = []
        for i, (crop, number) in enumerate(zip(checks.crops, checks.image_ids, strict=True)):
            back = heatmap_to_picture(crop.center, crop.size, size, crop.rotation)
            points = apply_affine(back, coords[i])[None]
            poses = Poses(points, scores[i][None], crop.box[None], meta.skeleton, np.ones(1))
            results += result_entries(poses.select(checks.skeleton), number)
        found = average_precision(checks.labels, results, checks.skeleton, "box")
    except ModuleNotFoundError:
        return None
    return round(100 * found["AP"], 2)


def _size(path: Path) -> int:
    """Bytes of a file, and of the weights beside it in OpenVINO's form."""
    weights = path.with_suffix(".bin")
    beside = weights.stat().st_size if path.suffix == ".xml" and weights.is_file() else 0
    return path.stat().st_size + beside


def _milliseconds(run: Run, one: np.ndarray, rounds: int = 9) -> float:
    """Median milliseconds of a call, after one that warms up."""
    run(one)
    spent = []
    for _ in range(rounds):
        start = time.perf_counter()
        run(one)
        spent.append(time.perf_counter() - start)
    return round(1000 * float(np.median(spent)), 2)
