"""Exported files in every form and precision, and what their certificates say."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from clip_frames import clip_frames
from official_file import official_state
from painted_people import painted_people

import aggpose
from aggpose.cli.app import main
from aggpose.cli.manifest import describe_model
from aggpose.errors import UserError
from aggpose.export.certificate import look, shift_of
from aggpose.export.check_set import bundled_set, pictures_set
from aggpose.export.job import (
    certificate_path,
    counted,
    export_certified,
    refuse_unknown,
    torch_run,
)
from aggpose.export.precision import layer_names
from aggpose.export.sensitivity import fake_quantised, layer_sensitivity
from aggpose.inference.model_file import model_sha256
from aggpose.meta import ModelMeta
from aggpose.network import AggPose, load_checkpoint, save_checkpoint
from aggpose.skeleton import trunk_length

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


@slow
@pytest.mark.timeout(1200)
def test_fp32_certificate(tmp_path: Path, net: AggPose, meta: ModelMeta) -> None:
    out = tmp_path / "net.onnx"
    # so strict that some points of the bundled clip do not count
    meta = replace(meta, point_score=0.7)
    made = export_certified(net, meta, out, checks=bundled_set(meta, count=12), source=SHIPPED)
    assert made.counting.points > 50 and (made.counting.max_px or 1) < 0.01
    assert made.all.points > made.counting.points
    assert made.ap is not None and made.ap["exported"] == made.ap["reference"] > 90
    assert made.runtime.startswith("ONNX Runtime 1.") and made.computed_in is None
    assert (made.source, made.source_sha256) == (SHIPPED.name, model_sha256(SHIPPED))
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
        ("openvino", "fp32", 28.0),
        ("openvino", "bf16", 28.0),
        ("openvino", "fp16", 15.0),
        ("openvino", "int8", 13.0),
    ],
)
def test_other_forms_hold_what_their_certificate_says(
    tmp_path: Path,
    net: AggPose,
    meta: ModelMeta,
    capsys: pytest.CaptureFixture[str],
    to: str,
    precision: str,
    size_mb: float,
) -> None:
    if to == "openvino":
        pytest.importorskip("openvino", reason="the extra openvino is not installed")
    out = tmp_path / f"net{'.onnx' if to == 'onnx' else '.xml'}"
    checks = bundled_set(meta, count=8)
    made = export_certified(net, meta, out, to, precision, checks, max_shift=2.0)
    assert made.ap is not None and made.ap["exported"] > made.ap["reference"] - 10
    model = aggpose.load(out)
    assert model.meta == meta
    # the file that was left is the one that was certified
    reference, again = look(torch_run(net), meta, checks), look(model.runtime.run, meta, checks)
    counts = reference.scores >= meta.point_score
    trunks = trunk_length(reference.points, meta.skeleton)
    shift = shift_of(reference.points, again.points, counts, trunks)
    assert shift.points == made.counting.points > 100
    for name in ("mean_px", "p99_px", "mean_trunks"):
        expected = pytest.approx(getattr(made.counting, name), rel=0.05, abs=1e-4)
        assert getattr(shift, name) == expected, name
    assert (shift.mean_px or 1) < (1e-3 if precision == "fp32" else 2.0)
    if precision not in ("fp32", "fp16"):
        assert (shift.mean_px or 0) > 1e-3 or made.computed_in == "fp32"  # it did compute in less
    if to == "openvino":
        able = ("fp32",) if precision == "fp32" else ("fp32", "bf16", "fp16")
        assert made.computed_in in able
    assert made.size_mb < size_mb
    assert made.size_mb == round(sum(p.stat().st_size for p in written(out)) / 1e6, 2)
    assert made.sha256 == hashlib.sha256(b"".join(p.read_bytes() for p in written(out))).hexdigest()
    main_with("info", out, code=0)
    said = capsys.readouterr().out
    assert made.sha256 in said and f"{made.size_mb:.2f} MB" in said
    assert describe_model(model)["sha256"] == made.sha256


def written(out: Path) -> list[Path]:
    """The model's files, in the order in which they are hashed."""
    return [out, *([out.with_suffix(".bin")] if out.suffix == ".xml" else [])]


def main_with(*arguments: object, code: int) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    assert stop.value.code == code


@slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--precision", "fp16", "--max-shift", "0"], "more than 0.0 (--max-shift)"),
        (["--with-decode", "--max-shift", "0"], "more than 0.0 (--max-shift)"),
        ([], "the ONNX file differs from the network"),
    ],
)
def test_a_file_that_is_too_far_off_is_not_left(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: list[str],
    words: str,
) -> None:
    if not more:
        monkeypatch.setattr("aggpose.network.export.MAX_DIFFERENCE", -1.0)
    frames = clip_frames(tmp_path / "frames", 2)
    out = tmp_path / "out" / "net.onnx"
    main_with("export", SHIPPED, "--out", out, "--images", frames, *more, code=1)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and words in said and "no file was written" in said
    assert not out.parent.exists()


@slow
@pytest.mark.timeout(1800)
def test_int8_tries_again_with_sensitive_layers_in_float(
    tmp_path: Path, net: AggPose, meta: ModelMeta
) -> None:
    checks = bundled_set(meta, count=4)
    out = tmp_path / "net.onnx"
    plain = export_certified(net, meta, out, "onnx", "int8", checks, max_shift=9.0)
    assert plain.kept_in_float == () and plain.counting.mean_px is not None
    quantised = quantised_layers(out)
    said: list[str] = []
    limit = 0.7 * plain.counting.mean_px
    made = export_certified(
        net, meta, out, "onnx", "int8", checks, max_shift=limit, say=said.append
    )
    assert made.counting.mean_px is not None and made.counting.mean_px <= limit
    assert any("trying again" in line for line in said)
    # the worst of all is among those kept, and they alone are missing in the file
    worst = list(layer_sensitivity(net, checks.images))
    assert made.kept_in_float[0] == next(n for n in worst if n in quantised)
    assert quantised - quantised_layers(out) == set(made.kept_in_float)


def quantised_layers(path: Path) -> set[str]:
    """Layers whose weights a file holds as int8: convolutions keep their name, linear layers are
    found by their bias."""
    graph = onnx.load(str(path)).graph
    end = ".weight_quantized"
    found = {t.name.removesuffix(end) for t in graph.initializer if t.name.endswith(end)}
    widened = {n.output[0] for n in graph.node if n.op_type == "DequantizeLinear"}
    products = {n.name for n in graph.node if n.op_type == "MatMul" and n.input[1] in widened}
    return found | {layer for layer, node in layer_names(path).items() if node in products}


@slow
@pytest.mark.timeout(2400)
def test_published_weights_converted_and_exported(reference: Path, tmp_path: Path) -> None:
    """AggPose-L with weights by formula gives the recorded maps from its ONNX file."""
    name = "AggPose-L_256x192_COCO2017"
    torch.save({"state_dict": official_state(reference)}, tmp_path / f"{name}.pth")
    ours, out = tmp_path / f"{name}.safetensors", tmp_path / "l.onnx"
    main_with("convert", tmp_path / f"{name}.pth", ours, code=0)
    frames = clip_frames(tmp_path / "frames", 1)
    main_with("export", ours, "--out", out, "--images", frames, code=0)
    certificate = json.loads(certificate_path(out).read_text())
    assert certificate["source_sha256"] == model_sha256(ours)
    z = np.random.RandomState(zlib.crc32(b"coco17:input")).standard_normal((2, 3, 256, 192))
    expected = np.load(reference / "aggpose_l_coco17_256x192.npz")["heatmaps"]
    got = aggpose.load(out, device="cpu").run(z.astype(np.float32))
    assert np.abs(got - expected).max() < 1e-4


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
    weights = tmp_path / "net.safetensors"
    save_checkpoint(net, weights, meta)
    for arguments in (
        ["--to", "openvino", "--out", "net.onnx"],
        ["--to", "onnx", "--out", "net.xml"],
        ["--annotations", "people.json", "--out", "net.onnx"],
        ["--half-weights", "--precision", "int8", "--out", "net.onnx"],
        ["--point-score", "0", "--out", str(tmp_path / "net.onnx")],
        ["--point-score", "0", "--with-decode", "--out", str(tmp_path / "net.onnx")],
        ["--images", str(tmp_path / "none"), "--out", str(tmp_path / "net.onnx")],
    ):
        with pytest.raises(SystemExit) as stop:
            main(["export", str(weights), *arguments])
        assert stop.value.code == 2
    assert {p.name for p in tmp_path.iterdir()} == {"net.safetensors"}
