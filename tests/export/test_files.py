"""What an export writes and refuses: whole sets of files or none, and what it starts from."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from painted_people import painted_people

from aggpose.cli.app import main
from aggpose.errors import UserError
from aggpose.export.check_set import pictures_set
from aggpose.export.publish import publish, refuse_targets
from aggpose.export.sources import refuse_as_source
from aggpose.inference.model_file import model_bytes, model_sha256
from aggpose.meta import ModelMeta
from aggpose.skeleton import COCO17

META = ModelMeta(name="test", keypoints=COCO17.keypoints, input_size=(64, 64))


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What `aggpose export` says on its way to exit code 2."""
    with pytest.raises(SystemExit) as stop:
        main(["export", *(str(a) for a in arguments)])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.count("\n") == 1, said
    return said


def test_files_come_together(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "deep"
    publish({folder / "net.bin": b"weights", folder / "net.xml": b"graph"})
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        "net.bin": b"weights",
        "net.xml": b"graph",
    }
    publish({folder / "net.bin": b"other", folder / "net.xml": b"graph"})
    assert (folder / "net.bin").read_bytes() == b"other"


def test_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "net.bin"
    kept.write_bytes(b"old")
    (tmp_path / "net.xml").mkdir()
    with pytest.raises(UserError, match=r"net\.xml: is a folder"):
        publish({kept: b"new", tmp_path / "net.xml": b"new"})
    (tmp_path / "net.xml").rmdir()
    # a name too long for the temporary one is met while writing
    long = tmp_path / ("n" * 250)
    with pytest.raises(UserError, match="cannot be written"):
        publish({kept: b"new", long: b"new"})
    # a disk that fails while files come to their names
    real = Path.replace

    def fails(self: Path, target: Path) -> Path:
        if target.name == "net.xml":
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(UserError, match=r"net\.xml: cannot be written \(Input/output error\)"):
        publish({tmp_path / "net.xml": b"new", kept: b"new"})
    assert kept.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["net.bin"]


def test_targets_are_looked_at_first(tmp_path: Path) -> None:
    there = tmp_path / "net.bin"
    there.write_bytes(b"old")
    refuse_targets([there])
    with pytest.raises(UserError, match=r"net\.bin: is there already; give --overwrite"):
        refuse_targets([there], overwrite=False)
    with pytest.raises(UserError, match="cannot be written"):
        refuse_targets([there / "below" / "net.onnx"])
    refuse_targets([tmp_path / "none" / "net.onnx"])
    assert [p.name for p in tmp_path.iterdir()] == ["net.bin"]


@pytest.mark.parametrize(
    ("arguments", "there", "folder"),
    [
        (["--to", "openvino", "--out", "net.xml"], "net.bin", False),
        (["--to", "openvino", "--out", "net.xml"], "net.xml.certificate.json", False),
        (["--out", "net.onnx"], "net.onnx", True),
        (["--out", "net.onnx"], "net.onnx.certificate.json", False),
        (["--with-decode", "--out", "net.onnx"], "net.yaml", False),
        (["--out", "file/net.onnx"], "file", False),
    ],
)
def test_the_command_refuses_before_it_works(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    there: str,
    folder: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    if folder:
        Path(there).mkdir()
        arguments = [*arguments, "--overwrite"]
    else:
        Path(there).write_bytes(b"mine")
    # the model is not even looked for
    assert there in refused(capsys, "none.safetensors", *arguments)
    assert [p.name for p in tmp_path.iterdir()] == [there]


def test_openvino_s_two_files_are_one_model(tmp_path: Path) -> None:
    graph, weights = tmp_path / "net.xml", tmp_path / "net.bin"
    graph.write_bytes(b"graph")
    alone = model_sha256(graph)
    weights.write_bytes(b"weights")
    assert model_sha256(graph) == hashlib.sha256(b"graphweights").hexdigest() != alone
    assert model_bytes(graph) == 12
    # weights beside another kind of file are not its own
    other = tmp_path / "net.onnx"
    other.write_bytes(b"graph")
    assert model_sha256(other) == alone and model_bytes(other) == 5
    with pytest.raises(UserError, match=r"none\.onnx: cannot be read"):
        model_sha256(tmp_path / "none.onnx")


def graph_file(path: Path, nodes: list[Any], tensors: list[Any]) -> Path:
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "graph",
        [value("x", onnx.TensorProto.FLOAT, [1])],
        [value("y", onnx.TensorProto.FLOAT, [1])],
        tensors,
    )
    onnx.save(onnx.helper.make_model(graph), str(path))
    return path


def test_exports_do_not_start_from_exports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node, half = onnx.helper.make_node, onnx.numpy_helper.from_array(np.ones(1, np.float16), "h")
    widened = [node("Cast", ["h"], ["w"], to=1), node("Add", ["x", "w"], ["y"])]
    refuse_as_source(graph_file(tmp_path / "stored.onnx", widened, [half]))
    computed = [
        node("Cast", ["x"], ["l"], to=10),
        node("Add", ["l", "h"], ["m"]),
        node("Cast", ["m"], ["y"], to=1),
    ]
    eight = [
        node("QuantizeLinear", ["x", "s"], ["q"]),
        node("DequantizeLinear", ["q", "s"], ["y"]),
    ]
    scale = onnx.numpy_helper.from_array(np.float32(1), "s")
    files = {
        "fp16": graph_file(tmp_path / "fp16.onnx", computed, [half]),
        "int8": graph_file(tmp_path / "int8.onnx", eight, [scale]),
    }
    for word, file in files.items():
        said = refused(capsys, file, "--out", tmp_path / "out.onnx")
        assert f"{file.name}: is an {word} export itself" in said
    (tmp_path / "net.xml").write_text("<net/>")
    said = refused(capsys, tmp_path / "net.xml", "--out", tmp_path / "out.onnx")
    assert "exports start from .onnx, .safetensors or .pth" in said
    # what is no ONNX file at all is the reader's to name
    (tmp_path / "bad.onnx").write_text("no")
    assert "not a readable ONNX file" in refused(
        capsys, tmp_path / "bad.onnx", "--out", tmp_path / "out.onnx"
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.pop("categories"), "no category lists 'keypoints'"),
        (lambda c: c["categories"][0].pop("keypoints"), "no category lists 'keypoints'"),
        (
            lambda c: c["annotations"][1].update(keypoints=[1, 2, 2]),
            "annotation 1: wrong number of key points",
        ),
        (lambda c: c["annotations"][1].pop("bbox"), "annotation 1: no box"),
        (lambda c: c["annotations"][1]["keypoints"].__setitem__(0, "a"), "not a number"),
        (
            lambda c: c["categories"][0].update(keypoints=["left_paw"] * 17),
            "do not make a skeleton",
        ),
        (lambda c: c.update(annotations=[]), "no labelled person"),
    ],
)
def test_damaged_labels_are_named(tmp_path: Path, change: Any, words: str) -> None:
    path = painted_people(tmp_path, 2)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=rf"people\.json: .*{words}"):
        pictures_set(META, tmp_path, path)


def test_entries_without_anybody_to_label_are_left_out(tmp_path: Path) -> None:
    path = painted_people(tmp_path, 3)
    content = json.loads(path.read_text())
    content["annotations"][0]["iscrowd"] = 1
    content["annotations"][1]["keypoints"] = [0] * 51
    path.write_text(json.dumps(content))
    checks = pictures_set(META, tmp_path, path)
    assert checks.image_ids == (2,) and checks.labels is not None
    assert len(checks.labels["annotations"]) == 1
