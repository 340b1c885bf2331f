"""Files of ours that say of themselves what is not so: one line, exit code 2, never wrong dots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from colour_net import colour_net, save_rgb

from aggpose.cli.app import main
from aggpose.errors import UserError
from aggpose.inference import load
from aggpose.inference.openvino_runtime import computed_precision, has_openvino, openvino_core
from aggpose.meta import DECODED_KEY, META_KEY, PRECISION_KEY
from aggpose.skeleton import COCO17, INFANT21


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([*map(str, arguments)])
    return int(stop.value.code or 0)


def changed(path: Path, **values: Any) -> Path:
    """A network whose metadata says something else."""
    model = onnx.load(colour_net(path))
    about = {p.key: p.value for p in model.metadata_props}
    text = json.dumps({**json.loads(about[META_KEY]), **values})
    onnx.helper.set_model_props(model, {META_KEY: text})
    onnx.save(model, path)
    return path


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"input_size": "x"}, "metadata is damaged (input_size is x)"),
    ({"std": [0, 0, 0]}, "metadata is damaged (std is"),
    ({"keypoints": INFANT21.keypoints}, "its output is (batch, 17, 64, 48), but its metadata (21"),
    ({"input_size": [160, 192]}, "its input is (batch, 3, 256, 192), but its metadata (17"),
    ({"input_size": [256, 192]}, "makes it (batch, 3, 192, 256)"),
]


@pytest.mark.parametrize(("values", "message"), WRONG, ids=range(len(WRONG)))
def test_what_the_graph_contradicts_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], values: dict[str, Any], message: str
) -> None:
    network = changed(tmp_path / "net.onnx", **values)
    picture = save_rgb(tmp_path / "grey.png", np.full((64, 64, 3), 128, np.uint8))
    devices = ("cpu", "openvino") if has_openvino() else ("cpu",)
    predict = [("predict", picture, "--out", tmp_path / "out", "--device", d) for d in devices]
    for command in (("info", network), *[(*p, "--model", network) for p in predict]):
        assert run(*command) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"aggpose: {network}: ") and said.count("\n") == 1
        assert message in said.replace("(?,", "(batch,")  # OpenVINO does not name free axes


def test_a_network_that_decodes_without_its_description_is_told_so(tmp_path: Path) -> None:
    model = onnx.load(colour_net(tmp_path / "net.onnx"))
    (about,) = model.metadata_props
    onnx.helper.set_model_props(model, {DECODED_KEY: about.value})
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(UserError, match=r"its description, net\.yaml, is missing") as refused:
        load(tmp_path / "net.onnx")
    assert "make it with" not in str(refused.value)


ABLE = ["FP32", "BF16", "FP16", "INT8"]


@pytest.mark.parametrize(
    ("precision", "able", "expected"),
    [
        ("fp32", ABLE, "fp32"),
        ("bf16", ABLE, "bf16"),
        ("fp16", ABLE, "fp16"),
        ("int8", ABLE, "bf16"),
        ("fp16", ["FP32", "BF16", "INT8"], "fp32"),
        ("bf16", ["FP32", "INT8"], "fp32"),
        ("int8", ["FP32", "INT8"], "fp32"),
    ],
)
def test_precision_is_never_lowered_unasked(precision: str, able: list[str], expected: str) -> None:
    assert computed_precision(precision, able) == expected


def openvino_file(path: Path, **about: str) -> Path:
    """`colour_net` in OpenVINO's form, with such words in it."""
    import openvino

    model = openvino_core().read_model(str(colour_net(path.with_suffix(".onnx"))))
    for key, value in about.items():
        model.set_rt_info(value, key)
    openvino.save_model(model, str(path), compress_to_fp16=False)
    return path


@pytest.fixture
def meta_text(tmp_path: Path) -> str:
    return load(colour_net(tmp_path / "meta.onnx")).meta.to_json()


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16", "int8"])
def test_the_compiled_precision_is_known(tmp_path: Path, meta_text: str, precision: str) -> None:
    pytest.importorskip("openvino")
    about = {META_KEY: meta_text, PRECISION_KEY: precision}
    model = load(openvino_file(tmp_path / "net.xml", **about))
    able = openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert model.runtime.computed_in == computed_precision(precision, able)  # type: ignore[attr-defined]
    assert model.run(np.zeros((1, 3, 256, 192), np.float32)).shape == (1, 17, 64, 48)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({}, "does not name its key points"),
        ({META_KEY: "{", PRECISION_KEY: "fp32"}, r"net\.xml: its aggpose metadata is damaged"),
        ({PRECISION_KEY: "fp64"}, "its aggpose_precision is 'fp64', none of fp32, bf16"),
        ({PRECISION_KEY: None}, "its aggpose_precision is '', none of"),
        ({"keypoints": [*COCO17.keypoints, "chin"]}, r"its output is \(\?, 17, 64, 48\)"),
    ],
    ids=["nothing", "damaged", "unknown precision", "no precision", "another network"],
)
def test_openvino_files_that_are_wrong_are_named(
    tmp_path: Path, meta_text: str, about: dict[str, Any], message: str
) -> None:
    pytest.importorskip("openvino")
    words: dict[str, Any] = {META_KEY: meta_text, PRECISION_KEY: "fp32"} if about else {}
    if "keypoints" in about:
        words[META_KEY] = json.dumps({**json.loads(meta_text), **about})
    else:
        words.update(about)
    path = openvino_file(tmp_path / "net.xml", **{k: v for k, v in words.items() if v is not None})
    with pytest.raises(UserError, match=message) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}: ") and "\n" not in str(refused.value)
