"""Exported files in every form and precision, and what their certificates say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from painted_people import painted_people

import aggpose
from aggpose.errors import UserError
from aggpose.export.certificate import shift_of
from aggpose.export.check_set import bundled_set, pictures_set
from aggpose.export.job import (
    TooFarOff,
    certificate_path,
    counted,
    export_certified,
    refuse_unknown,
)
from aggpose.export.precision import layer_names
from aggpose.export.sensitivity import fake_quantised, layer_sensitivity
from aggpose.meta import ModelMeta
from aggpose.network import AggPose, load_checkpoint, save_checkpoint

slow = pytest.mark.slow
SHIPPED = Path(aggpose.__file__).parent / "models" / "aggpose-t.onnx"


@pytest.fixture(scope="module")
def net() -> AggPose:
    """The shipped network: a trained one has peaks to be moved."""
    return load_checkpoint(SHIPPED)


@pytest.fixture(scope="module")
def meta(net: AggPose) -> ModelMeta:
    assert net.meta is not None
    return counted(net, net.meta, None)


def test_shifts_are_counted_where_points_count() -> None:
    before = np.zeros((1, 3, 2))
    after = np.array([[[3.0, 4.0], [0.0, 1.0], [100.0, 0.0]]])
    counts = np.array([[True, True, False]])
    shift = shift_of(before, after, counts, np.array([10.0]))
    assert (shift.points, shift.mean_px, shift.max_px) == (2, 3.0, 5.0)
    assert shift.mean_trunks == pytest.approx(0.3)
    assert shift_of(before, after, counts, np.array([np.nan])).mean_trunks is None
    assert shift_of(before, after, np.zeros((1, 3), bool), np.array([1.0])).points == 0


def test_the_bundled_set_shows_its_infant(meta: ModelMeta) -> None:
    checks = bundled_set(meta, count=6)
    width, height = meta.input_size
    assert checks.images.shape == (6, 3, height, width) and len(checks.crops) == 6
    assert checks.labels is not None and len(checks.labels["annotations"]) == 6
    turns = {round(crop.rotation, 3) for crop in checks.crops}
    assert len(turns) == 6  # no two alike
    again = bundled_set(meta, count=6)
    np.testing.assert_array_equal(again.images, checks.images)


def test_sets_of_own_pictures(tmp_path: Path, meta: ModelMeta) -> None:
    painted_people(tmp_path, 3, size=(240, 200))
    whole = pictures_set(meta, tmp_path)
    assert len(whole.images) == 3 and whole.labels is None
    labelled = pictures_set(meta, tmp_path, tmp_path / "people.json")
    assert len(labelled.images) == 3 and labelled.skeleton is not None
    assert set(labelled.image_ids) == {i["id"] for i in labelled.labels["images"]}  # type: ignore[index]
    with pytest.raises(UserError, match="no pictures"):
        (tmp_path / "empty").mkdir()
        pictures_set(meta, tmp_path / "empty")
    with pytest.raises(UserError, match="no such folder"):
        pictures_set(meta, tmp_path / "none")


def test_int8_steps() -> None:
    values = torch.linspace(-1, 3, 1000)
    assert (fake_quantised(values, per_channel=False) - values).abs().max() < 4 / 255
    assert fake_quantised(values, per_channel=False).unique().numel() <= 256
    rows = torch.stack([values, 100 * values])
    error = (fake_quantised(rows, per_channel=True) - rows).abs().amax(dim=1)
    assert error[0] < 3 / 127 and error[1] < 300 / 127  # each row by its own scale


def test_sensitivity_names_every_layer_once_and_leaves_the_network_alone(
    net: AggPose, meta: ModelMeta
) -> None:
    before = {n: t.clone() for n, t in net.state_dict().items()}
    found = layer_sensitivity(net, bundled_set(meta, count=1).images)
    values = list(found.values())
    assert values == sorted(values, reverse=True) and min(values) >= 0 and max(values) > 0
    linear = [n for n, m in net.named_modules() if isinstance(m, torch.nn.Linear)]
    convolutions = [
        n for n, m in net.named_modules() if isinstance(m, torch.nn.Conv2d) and m.groups == 1
    ]
    assert set(found) == {*linear, *convolutions}
    assert all(torch.equal(before[n], t) for n, t in net.state_dict().items())


@pytest.mark.timeout(1200)
def test_fp32_certificate(tmp_path: Path, net: AggPose, meta: ModelMeta) -> None:
    out = tmp_path / "net.onnx"
    # so strict that some points of the bundled clip do not count
    meta = replace(meta, point_score=0.7)
    made = export_certified(net, meta, out, checks=bundled_set(meta, count=12))
    assert made.counting.points > 50 and made.counting.mean_px < 0.001
    assert made.all.points > made.counting.points
    assert made.ap is not None and made.ap["exported"] == made.ap["reference"]
    written = json.loads(certificate_path(out).read_text())
    assert written == json.loads(json.dumps(made.as_dict()))
    assert aggpose.load(out).meta == meta
    assert "not a medical device" in written["use"]
    # every layer of the network is known in the file
    assert len(layer_names(out)) == len(layer_sensitivity(net, bundled_set(meta, count=1).images))


@slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("to", "precision", "size_mb"),
    [
        ("onnx", "fp16", 14.0),
        ("onnx", "int8", 9.0),
        ("openvino", "bf16", 28.0),
        ("openvino", "int8", 13.0),
    ],
)
def test_other_forms_hold_what_their_certificate_says(
    tmp_path: Path, net: AggPose, meta: ModelMeta, to: str, precision: str, size_mb: float
) -> None:
    if to == "openvino":
        pytest.importorskip("openvino", reason="the extra openvino is not installed")
    out = tmp_path / f"net{'.onnx' if to == 'onnx' else '.xml'}"
    checks = bundled_set(meta, count=16)
    made = export_certified(net, meta, out, to, precision, checks, max_shift=2.0)
    assert made.size_mb < size_mb
    model = aggpose.load(out)
    assert model.meta == meta
    # the file that was left is the one that was certified
    frame = cv2.cvtColor(np.full((200, 160, 3), 90, np.uint8), cv2.COLOR_BGR2RGB)
    assert len(model.predict(frame, np.array([[10.0, 10.0, 150.0, 190.0]]))) == 1
    again = model.runtime.run(checks.images[:1])
    assert again.shape == (1, len(meta.keypoints), checks.images.shape[2] // 4, again.shape[3])


def test_a_file_that_moves_points_too_far_is_not_left(
    tmp_path: Path, net: AggPose, meta: ModelMeta
) -> None:
    out = tmp_path / "net.onnx"
    with pytest.raises(TooFarOff, match="--max-shift"):
        export_certified(net, meta, out, "onnx", "fp16", bundled_set(meta, count=2), max_shift=0.0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("to", "precision", "words"),
    [
        ("tflite", "fp32", "choose one of onnx, openvino"),
        ("onnx", "bf16", "openvino"),
        ("onnx", "fp8", "choose one of fp32, fp16, int8"),
    ],
)
def test_unknown_forms(to: str, precision: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        refuse_unknown(to, precision)


def test_wrong_use_of_the_command(tmp_path: Path, net: AggPose, meta: ModelMeta) -> None:
    from aggpose.cli.app import main

    weights = tmp_path / "net.safetensors"
    save_checkpoint(net, weights, meta)
    for arguments in (
        ["--to", "openvino", "--out", "net.onnx"],
        ["--to", "onnx", "--out", "net.xml"],
        ["--annotations", "people.json", "--out", "net.onnx"],
        ["--half-weights", "--precision", "int8", "--out", "net.onnx"],
        ["--images", str(tmp_path / "none"), "--out", str(tmp_path / "net.onnx")],
    ):
        with pytest.raises(SystemExit) as stop:
            main(["export", str(weights), *arguments])
        assert stop.value.code == 2
    assert {p.name for p in tmp_path.iterdir()} == {"net.safetensors"}
