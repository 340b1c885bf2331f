"""Descriptions of foreign networks that would give wrong dots, or scores that mean nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import onnx
from colour_net import figure, paint
from foreign_nets import HEATMAPS, PIXELS, SIMCC, bare_colour_net, describe, disc_net

from aggpose.errors import UserError
from aggpose.inference import load
from aggpose.inference.foreign import read_description

PICTURE = (640, 480)
TRUTH = figure((110.3, 60.7), 330)
BOX = np.array([[100.0, 50.0, 450.0, 400.0]])
PARTS = {"input__mean": [0.485, 0.456, 0.406], "input__std": [0.229, 0.224, 0.225]}


@pytest.mark.parametrize(
    ("right", "changes", "message"),
    [
        (SIMCC, PARTS, r"are of colours 0\.\.1: give white: 1"),
        (HEATMAPS, {"input__mean": [123.675, 116.28, 103.53]}, r"lies outside of 0\.\.1, the"),
        (HEATMAPS, {"input__mean": [-0.1, 0.4, 0.4]}, r"lies outside of 0\.\.1"),
        (SIMCC, {"input__mean": [300, 0, 0]}, r"lies outside of 0\.\.255"),
    ],
)
def test_mean_and_std_are_of_colours_by_white(
    tmp_path: Path, right: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    path = describe(tmp_path / "net.onnx", right, **changes).with_suffix(".yaml")
    with pytest.raises(UserError, match=message) as refused:
        read_description(path)
    assert "net.yaml: input: " in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"input__mean": [0, 0, 0], "input__std": [1, 1, 1]},
        {"input__mean": [0, 0, 0], "input__std": [255, 255, 255]},
        {"input__mean": [127.5, 127.5, 127.5], "input__std": [127.5, 127.5, 127.5]},
        {"input__mean": [103.9, 116.8, 123.7], "input__std": [1, 1, 1]},
        {"input__white": 1, **PARTS},
        {"input__white": 1, "input__mean": [0.5, 0.5, 0.5], "input__std": [0.5, 0.5, 0.5]},
    ],
)
def test_usual_normalisations_are_taken(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = describe(tmp_path / "net.onnx", SIMCC, **changes).with_suffix(".yaml")
    assert read_description(path).input.size == (192, 256)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nlicence: b\nname: c\n", r"name is given twice \(line 3\)"),
        ("input:\n  size: [1, 2]\n  size: [2, 1]\n", r"size is given twice \(line 3\)"),
        ("[" * 5000, "nested too deeply"),
        ("a: " * 3, "is not YAML"),
        ("when: 2020-13-45\n", "is not YAML"),
        ("[a, b]: c\n", "is not YAML"),
        ("{[a]: b, [a]: c}", "is not YAML"),
        ("name: \ud800", "is not YAML"),
    ],
    ids=range(8),
)
def test_texts_that_are_no_description(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "net.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UserError, match=rf"net\.yaml: .*{message}") as refused:
        read_description(path)
    assert "\n" not in str(refused.value)


def scaled(path: Path, outputs: list[str], factor: float) -> Path:
    """The network with some of its outputs multiplied."""
    model = onnx.load(path)
    for node in model.graph.node:
        for i, name in enumerate(node.output):
            if name in outputs:
                node.output[i] = f"{name}_before"
    for name in outputs:
        model.graph.node.append(onnx.helper.make_node("Mul", [f"{name}_before", "factor"], [name]))
    factor_tensor = onnx.numpy_helper.from_array(np.array(factor, np.float32), "factor")
    model.graph.initializer.append(factor_tensor)
    onnx.save(model, path)
    return path


KINDS = {
    "heatmaps": (HEATMAPS, ["heatmaps"]),
    "simcc": (SIMCC, ["simcc_x", "simcc_y"]),
    "keypoints": (PIXELS, ["scores"]),
}


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return disc_net(tmp_path_factory.mktemp("discs") / "discs.onnx").read_bytes()


@pytest.mark.parametrize("flip_test", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_scores_far_above_one_are_refused(
    tmp_path: Path, discs: bytes, kind: str, flip_test: bool
) -> None:
    right, outputs = KINDS[kind]
    network, image = tmp_path / "net.onnx", paint(PICTURE, TRUTH)

    def scores(factor: float) -> np.ndarray:
        if kind == "heatmaps":
            bare_colour_net(network)
        else:
            network.write_bytes(discs)
        model = load(describe(scaled(network, outputs, factor), right))
        return model.predict(image, BOX, flip_test=flip_test).scores

    most = float(np.max(scores(1.0)))
    # peaks of real networks lie a little above 1
    assert scores(1.2 / most).max() == pytest.approx(1.2, abs=0.01)
    with pytest.raises(UserError, match=r"half of the scores are above .*0\.\.1") as refused:
        scores(30.0)
    assert str(refused.value).startswith(str(tmp_path / "net.yaml"))
