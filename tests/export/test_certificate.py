"""What certificates measure, and when there is nothing to measure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import aggpose
from aggpose.errors import UserError
from aggpose.export.certificate import LEAST_POINTS, certify, look, refuse_unmeasured, shift_of
from aggpose.export.check_set import bundled_set
from aggpose.export.host import host_words
from aggpose.export.job import export_certified, torch_run, within
from aggpose.export.with_decode import export_decoded
from aggpose.inference.runtime import available_threads
from aggpose.meta import ModelMeta
from aggpose.network import AggPose, build_network, load_checkpoint
from aggpose.network.export import close_enough
from aggpose.skeleton import INFANT24

SHIPPED = Path(aggpose.__file__).parent / "models" / "aggpose-t.onnx"


def test_shifts_are_counted_where_points_count() -> None:
    before = np.zeros((1, 3, 2))
    after = np.array([[[3.0, 4.0], [0.0, 1.0], [100.0, 0.0]]])
    counts = np.array([[True, True, False]])
    shift = shift_of(before, after, counts, np.array([10.0]))
    assert (shift.points, shift.mean_px, shift.max_px) == (2, 3.0, 5.0)
    assert shift.p99_px == pytest.approx(4.96)
    assert shift.mean_trunks == pytest.approx(0.3)
    assert shift.p99_trunks == pytest.approx(0.496) and shift.max_trunks == pytest.approx(0.5)
    without = shift_of(before, after, counts, np.array([np.nan]))
    assert without.mean_px == 3.0 and without.mean_trunks is without.max_trunks is None
    nothing = shift_of(before, after, np.zeros((1, 3), bool), np.array([1.0]))
    assert nothing.points == 0 and nothing.mean_px is nothing.p99_px is nothing.max_px is None


def test_what_moves_shows_in_every_number() -> None:
    net = load_checkpoint(SHIPPED)
    assert net.meta is not None
    checks = bundled_set(net.meta, count=4)
    seen = look(torch_run(net), net.meta, checks)
    moved = replace(seen, points=seen.points + np.array([3.0, 4.0]))
    made = certify(seen, moved, SHIPPED, net.meta, checks, "fp32", "Some 1.2")
    assert made.counting.points == 96 and made.counting.mean_px == made.counting.max_px == 5.0
    trunks = (made.counting.mean_trunks, made.counting.p99_trunks, made.counting.max_trunks)
    assert all(0.05 < v < 0.5 for v in trunks if v is not None) and None not in trunks
    assert made.ap is not None and made.ap["reference"] > 90
    assert made.ap["exported"] < made.ap["reference"] - 2
    assert set(made.ms_per_crop) == set(made.threads) == {"torch fp32", "Some 1.2"}
    assert made.size_mb == round(SHIPPED.stat().st_size / 1e6, 2)
    assert made.host == host_words() and f"{available_threads()} cores" in made.host
    assert "expected similarity" in made.against
    assert within(made, 5.0) and not within(made, 4.9)
    assert not within(replace(made, heatmap_difference=float("nan")), 5.0)


@pytest.fixture(scope="module")
def untrained() -> tuple[AggPose, ModelMeta]:
    """Published start values: maps of 1e-5, in which no point counts."""
    meta = ModelMeta(name="new", keypoints=INFANT24.keypoints, input_size=(64, 64))
    return build_network("aggpose-t", keypoints=24).eval(), meta


def test_nothing_measured_is_not_held_to_a_limit(
    tmp_path: Path, untrained: tuple[AggPose, ModelMeta]
) -> None:
    net, meta = untrained
    checks = bundled_set(meta, count=2)
    words = "0 key points score 0.2 or more, 20 are needed.*--images.*--point-score"
    for options in (
        {"precision": "fp16"},
        {"precision": "int8"},
        {"half_weights": True},
        {"max_shift": 1.0},
        {"to": "openvino", "precision": "bf16"},
    ):
        out = tmp_path / ("net.xml" if "to" in options else "net.onnx")
        with pytest.raises(UserError, match=words):
            export_certified(net, meta, out, checks=checks, **options)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=words):
        export_decoded(net, meta, tmp_path / "net.onnx", checks)
    assert list(tmp_path.iterdir()) == []


def test_how_many_points_are_enough(untrained: tuple[AggPose, ModelMeta]) -> None:
    net, meta = untrained
    checks = bundled_set(meta, count=2)
    seen = look(torch_run(net), meta, checks)
    scores = np.zeros_like(seen.scores)
    scores.ravel()[: LEAST_POINTS - 1] = meta.point_score
    with pytest.raises(UserError, match="19 key points"):
        refuse_unmeasured(replace(seen, scores=scores), meta, checks)
    scores.ravel()[LEAST_POINTS] = 1
    refuse_unmeasured(replace(seen, scores=scores), meta, checks)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_fp32_is_held_by_its_maps(tmp_path: Path, untrained: tuple[AggPose, ModelMeta]) -> None:
    net, meta = untrained
    made = export_certified(net, meta, tmp_path / "net.onnx", checks=bundled_set(meta, count=2))
    assert made.counting.points == 0 and made.counting.mean_px is None
    assert made.heatmap_difference is not None and made.heatmap_difference < 1e-8
    assert made.source is None and made.computed_in is None


def test_low_maps_must_be_as_near_as_high_ones() -> None:
    high, low = np.full(4, 0.9), np.full(4, 1e-5)
    assert close_enough(9e-5, high) and not close_enough(2e-4, high)
    assert close_enough(1e-9, low) and not close_enough(1e-5, low)
    assert not close_enough(float("nan"), high)
