"""ONNX files equal the network, at every size, and carry what is needed to use them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import aggpose
from aggpose.errors import UserError
from aggpose.meta import ModelMeta
from aggpose.network import (
    build_network,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    select_keypoints,
)
from aggpose.network.export import MAX_DIFFERENCE, export_onnx
from aggpose.skeleton import INFANT21, INFANT24

slow = pytest.mark.slow


def stirred(variant: str, **options: object) -> torch.nn.Module:
    """A network whose maps are of size 1: the published start values give 1e-5."""
    torch.manual_seed(0)
    return build_network(variant, keypoints=21, init="unit", **options).eval()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "variant, size",
    [
        ("aggpose-t", (64, 96)),
        pytest.param("aggpose-s", (96, 64), marks=slow),
        pytest.param("aggpose-m", (64, 64), marks=slow),
        pytest.param("aggpose-b", (64, 64), marks=slow),
        pytest.param("aggpose-l", (192, 256), marks=slow),
    ],
)
def test_every_size_equals_torch(tmp_path: Path, variant: str, size: tuple[int, int]) -> None:
    net = stirred(variant)
    meta = ModelMeta(name=variant, keypoints=INFANT21.keypoints, input_size=size)
    path = tmp_path / "net.onnx"
    assert export_onnx(net, path, meta) < MAX_DIFFERENCE
    # nothing of the machine that exported
    assert str(Path(aggpose.__file__).parent).encode() not in path.read_bytes()
    model = aggpose.load(path, device="cpu")
    assert model.meta == meta
    generator = torch.Generator().manual_seed(7)
    images = torch.randn(3, 3, size[1], size[0], generator=generator)
    with torch.no_grad():
        expected = net(images).numpy()
    assert expected.std() > 0.01  # maps of nothing would be equal too
    assert np.abs(model.run(images.numpy()) - expected).max() < 1e-4


def test_half_weights_are_half_the_size_and_close(tmp_path: Path) -> None:
    net = stirred("aggpose-t", output="softmax")
    meta = ModelMeta(name="t", keypoints=INFANT21.keypoints, input_size=(64, 64))
    assert export_onnx(net, tmp_path / "half.onnx", meta, half_weights=True) < MAX_DIFFERENCE
    size = (tmp_path / "half.onnx").stat().st_size
    assert size < 16_000_000
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        expected = net(images).numpy()
    got = aggpose.load(tmp_path / "half.onnx", device="cpu").run(images.numpy())
    np.testing.assert_allclose(got, expected, atol=0.01)


@slow
def test_a_file_that_differs_gets_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from aggpose.network import export

    monkeypatch.setattr(export, "MAX_DIFFERENCE", -1.0)
    meta = ModelMeta(name="t", keypoints=INFANT21.keypoints, input_size=(64, 64))
    with pytest.raises(RuntimeError, match="differs from the network"):
        export_onnx(stirred("aggpose-t"), tmp_path / "net.onnx", meta)
    assert list(tmp_path.iterdir()) == []


def test_some_key_points_of_a_network() -> None:
    net = stirred("aggpose-t")
    chosen = select_keypoints(net, [3, 0, 20])
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(chosen(images), net(images)[:, [3, 0, 20]])
    with pytest.raises(ValueError):
        select_keypoints(net, [21])


def test_the_commands_from_published_file_to_onnx(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """convert, export and info, on weights of ours (the published ones: test_network)."""
    from aggpose.cli.app import main

    meta = ModelMeta(name="mine", keypoints=INFANT21.keypoints, input_size=(64, 64))
    start, ours, onnx = (tmp_path / n for n in ("a.safetensors", "b.safetensors", "c.onnx"))
    save_checkpoint(stirred("aggpose-t"), start, meta)

    def run(*arguments: object) -> int:
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in arguments])
        return int(stop.value.code or 0)

    assert run("convert", start, ours, "--name", "yours") == 0
    assert load_checkpoint(ours).meta.name == "yours"
    assert run("convert", start, ours) == 2 and "--overwrite" in capsys.readouterr().err
    assert run("export", ours, "--to", "onnx", "--out", onnx) == 0
    capsys.readouterr()
    assert run("info", onnx) == 0
    said = capsys.readouterr().out
    assert "infant21, 21 key points" in said and "GMAC" in said and "yours" in said
    assert run("info", tmp_path / "none.onnx") == 2
    with pytest.raises(UserError, match="not a readable ONNX file"):
        (tmp_path / "bad.onnx").write_text("no")
        aggpose.load(tmp_path / "bad.onnx")


@pytest.mark.parametrize("half", [pytest.param(False, marks=slow), True])
def test_a_network_comes_back_from_its_onnx_file(tmp_path: Path, half: bool) -> None:
    net = stirred("aggpose-t", output="softmax", nowhere=True)
    with torch.no_grad():  # a trained network: the exporter joins tensors that are equal
        for tensor in net.parameters():
            tensor.add_(0.01 * torch.randn_like(tensor))
    path = tmp_path / "net.onnx"
    meta = ModelMeta(name="t", keypoints=INFANT21.keypoints, input_size=(64, 64), map_sigma=2.0)
    export_onnx(net, path, meta, half_weights=half)
    back = load_checkpoint(path)
    assert back.config == net.config and back.meta == meta
    for name, tensor in net.state_dict().items():
        rounded = tensor.half().float() if half and tensor.ndim > 1 else tensor
        torch.testing.assert_close(back.state_dict()[name], rounded, rtol=0, atol=0, msg=name)


def test_start_weights_keep_the_key_points_of_the_same_name(tmp_path: Path) -> None:
    net = stirred("aggpose-t")
    path = tmp_path / "net.safetensors"
    save_checkpoint(net, path, ModelMeta(name="t", keypoints=INFANT21.keypoints))
    wider = build_network("aggpose-t", keypoints=24)
    fresh = wider.state_dict()["head.fc2.weight"].clone()
    load_weights(wider, path, names=INFANT24.keypoints)
    for i, name in enumerate(INFANT24.keypoints):
        row = wider.state_dict()["head.fc2.weight"][i]
        known = name in INFANT21.keypoints
        source = net.state_dict()["head.fc2.weight"]
        expected = source[INFANT21.keypoints.index(name)] if known else fresh[i]
        assert torch.equal(row, expected), name


def test_a_foreign_onnx_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(UserError, match=r"other\.onnx"):
        load_checkpoint(path)
