"""What an exported file costs: key points, accuracy and time beside the network in torch, fp32."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aggpose import __version__
from aggpose.decoding import decode_maps, decoder_words
from aggpose.errors import UserError
from aggpose.export.check_set import CheckSet
from aggpose.export.host import host_words
from aggpose.geometry import apply_affine, crop_affine, input_to_heatmap, invert_affine
from aggpose.inference.model_file import model_bytes, model_sha256
from aggpose.inference.runtime import available_threads
from aggpose.meta import ModelMeta
from aggpose.skeleton import trunk_length

Run = Callable[[np.ndarray], np.ndarray]
"""(B, 3, H, W) float32 -> (B, K, h, w) heat maps."""

LEAST_TRUNK_PX = 4.0
"""Shorter trunks in the crop are not taken as a measure."""

LEAST_POINTS = 20
"""Key points that must count in the set before a shift of them says anything."""

REFERENCE = "torch fp32"


@dataclass(frozen=True)
class Shift:
    """How far key points move, over ``points`` of them. Crop px; and lengths of the trunk that the
    reference finds. None where there is no point, or no crop shows a trunk."""

    points: int
    mean_px: float | None = None
    p99_px: float | None = None
    max_px: float | None = None
    mean_trunks: float | None = None
    p99_trunks: float | None = None
    max_trunks: float | None = None


@dataclass(frozen=True)
class Seen:
    """What a network finds in the crops of a set.

    points: (N, K, 2) crop px. scores: (N, K). once: looks at the first crop alone, to be timed.
    maps: (N, K, h, w), None of graphs that give key points.
    """

    points: np.ndarray
    scores: np.ndarray
    once: Callable[[], object]
    maps: np.ndarray | None = None


@dataclass(frozen=True)
class Certificate:
    """An exported file beside the network that it was made from.

    sha256, size_mb: of all its files (`model_file`). source, source_sha256: the file of the
    weights. runtime, threads: what ran, on how many threads. computed_in: in which precision
    OpenVINO computed here what is not int8, None where the runtime does not say.
    counting: shift of the key points that count (``ModelMeta.point_score``) in the reference.
    all: of all. The others are guesses, whose peak may jump. heatmap_difference: the largest, None
    of graphs that give key points. ap: AP of reference and file, where labels are given.
    ms_per_crop: of both on this host, single crops, median.
    """

    file: str
    sha256: str
    precision: str
    runtime: str
    against: str
    checked_on: str
    crops: int
    counting: Shift
    all: Shift
    heatmap_difference: float | None
    ap: dict[str, float] | None
    size_mb: float
    ms_per_crop: dict[str, float]
    threads: dict[str, int]
    host: str
    source: str | None = None
    source_sha256: str | None = None
    computed_in: str | None = None
    kept_in_float: tuple[str, ...] = ()
    version: str = __version__
    use: str = "research use only, not a medical device"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def look(run: Run, meta: ModelMeta, checks: CheckSet) -> Seen:
    """What a network that gives maps finds in a set."""
    maps = np.concatenate([run(part) for part in parts(checks.images)])
    coords, scores = decode_maps(maps, meta)
    size = (maps.shape[3], maps.shape[2])
    to_crop = invert_affine(input_to_heatmap(meta.input_size, size))
    once = partial(run, checks.images[:1])
    return Seen(apply_affine(to_crop, coords), scores, once, maps)


def parts(images: np.ndarray, batch: int = 8) -> list[np.ndarray]:
    return [images[i : i + batch] for i in range(0, len(images), batch)]


def refuse_unmeasured(reference: Seen, meta: ModelMeta, checks: CheckSet) -> None:
    """UserError where too few key points count in a set for their shift to be held to a limit."""
    count = int((reference.scores >= meta.point_score).sum())
    if count < LEAST_POINTS:
        raise UserError(
            f"{checks.name}: {count} key points score {meta.point_score:g} or more, {LEAST_POINTS} "
            "are needed to compare; give pictures that show more people (--images) or the score "
            "from which on points of this model count (--point-score)"
        )


def certify(
    reference: Run | Seen,
    exported: Run | Seen,
    path: Path,
    meta: ModelMeta,
    checks: CheckSet,
    precision: str,
    runtime: str,
) -> Certificate:
    """Compare both over the set. reference: the network in torch, fp32. path: of the other.
    runtime: its name and version."""
    expected = reference if isinstance(reference, Seen) else look(reference, meta, checks)
    got = exported if isinstance(exported, Seen) else look(exported, meta, checks)
    trunks = trunk_length(expected.points, meta.skeleton)
    difference = None
    if expected.maps is not None and got.maps is not None:
        difference = float(np.abs(got.maps - expected.maps).max())
    return Certificate(
        file=path.name,
        sha256=model_sha256(path),
        precision=precision,
        runtime=runtime,
        against=f"the network in torch {torch.__version__}, fp32, {decoder_words(meta)}",
        checked_on=checks.name,
        crops=len(checks.images),
        counting=shift_of(expected.points, got.points, expected.scores >= meta.point_score, trunks),
        all=shift_of(expected.points, got.points, expected.scores > 0, trunks),
        heatmap_difference=difference,
        ap=_both_ap(expected, got, meta, checks),
        size_mb=round(model_bytes(path) / 1e6, 2),
        ms_per_crop={REFERENCE: _milliseconds(expected.once), runtime: _milliseconds(got.once)},
        threads={REFERENCE: torch.get_num_threads(), runtime: available_threads()},
        host=host_words(),
    )


def shift_of(
    before: np.ndarray, after: np.ndarray, counts: np.ndarray, trunks: np.ndarray
) -> Shift:
    """before, after: (N, K, 2) crop px. counts: (N, K) bool. trunks: (N,) px."""
    distance = np.linalg.norm(after - before, axis=-1)
    known = counts & (trunks >= LEAST_TRUNK_PX)[:, None]
    in_trunks = (distance / np.where(trunks > 0, trunks, np.nan)[:, None])[known]
    return Shift(int(counts.sum()), *_spread(distance[counts], 5), *_spread(in_trunks, 6))


def _spread(values: np.ndarray, digits: int) -> list[float | None]:
    """Mean, 99th percentile, maximum; None of nothing."""
    if not len(values):
        return [None, None, None]
    return [
        round(float(v), digits) for v in (values.mean(), np.percentile(values, 99), values.max())
    ]


def _both_ap(
    expected: Seen, got: Seen, meta: ModelMeta, checks: CheckSet
) -> dict[str, float] | None:
    """AP of both in percent; None without labels, without the evaluator, or where it has nothing
    to measure."""
    if checks.labels is None:
        return None
    found = {"reference": _ap(expected, meta, checks), "exported": _ap(got, meta, checks)}
    known = {name: value for name, value in found.items() if value is not None}
    return known if len(known) == len(found) else None


def _ap(seen: Seen, meta: ModelMeta, checks: CheckSet) -> float | None:
    """AP in percent over the labelled crops, area of the box."""
    try:
        from aggpose.evaluation.metrics import average_precision
        from aggpose.formats.coco_results import result_entries
        from aggpose.pose import Poses

        assert checks.labels is not None and checks.skeleton is not None
        results = []
        for i, (crop, number) in enumerate(zip(checks.crops, checks.image_ids, strict=True)):
            to_crop = crop_affine(crop.center, crop.size, crop.rotation, meta.input_size)
            points = apply_affine(invert_affine(to_crop), seen.points[i])[None]
            poses = Poses(points, seen.scores[i][None], crop.box[None], meta.skeleton, np.ones(1))
            results += result_entries(poses.select(checks.skeleton), number)
        found = average_precision(checks.labels, results, checks.skeleton, "box")["AP"]
    except ModuleNotFoundError:
        return None
    return None if found < 0 else round(100 * found, 2)


def _milliseconds(once: Callable[[], object], rounds: int = 9) -> float:
    """Median milliseconds of a call, after one that warms up."""
    once()
    spent = []
    for _ in range(rounds):
        start = time.perf_counter()
        once()
        spent.append(time.perf_counter() - start)
    return round(1000 * float(np.median(spent)), 2)
