"""Pixels in, key points out: the graph decodes as `aggpose.decoding` does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import aggpose
from aggpose.cli.app import main
from aggpose.decoding import decode_maps
from aggpose.errors import UserError
from aggpose.export.check_set import bundled_set
from aggpose.export.with_decode import Dark, Decoded, description_text
from aggpose.geometry import apply_affine, input_to_heatmap, invert_affine
from aggpose.heatmaps import encode_heatmaps
from aggpose.inference.locate import thresholds_of
from aggpose.inference.model_file import model_sha256
from aggpose.meta import ModelMeta
from aggpose.network.export import to_onnx
from aggpose.skeleton import COCO17

META = ModelMeta(name="test", keypoints=COCO17.keypoints, decode_kernel=11)


class Fixed(nn.Module):
    """A network that answers with the same maps whatever it is shown."""

    def __init__(self, maps: np.ndarray) -> None:
        super().__init__()
        self.maps = torch.from_numpy(maps)
        self.shown: Tensor | None = None

    def forward(self, images: Tensor) -> Tensor:
        self.shown = images
        return self.maps


@pytest.mark.parametrize("map_sigma", [0.0, 2.0])
def test_as_decoded_outside(map_sigma: float) -> None:
    meta = replace(META, map_sigma=map_sigma)
    rng = np.random.default_rng(0)
    points = rng.uniform(0, [47, 63], (6, 17, 2))
    maps, _ = encode_heatmaps(points, np.full((6, 17), 2), (48, 64), 2.0)
    maps = (maps + rng.normal(size=maps.shape) * 0.01).astype(np.float32)
    maps[0, 0] = 0  # nothing there
    maps[0, 1] = -1
    maps[1, :3] = 0
    maps[1, 0, 0, 5] = maps[1, 1, 30, 47] = maps[1, 2, 63, 0] = 0.7  # on the border
    coords, scores = decode_maps(maps, meta)
    back = invert_affine(input_to_heatmap(META.input_size, (48, 64)))
    net = Fixed(maps)
    crops = torch.zeros((6, 256, 192, 3), dtype=torch.uint8)
    crops[..., 0] = 255
    out = Decoded(net, meta)(crops).numpy()  # type: ignore[arg-type]
    np.testing.assert_allclose(out[..., 2], scores, atol=1e-6)
    np.testing.assert_allclose(out[..., :2], apply_affine(back, coords), atol=0.02)
    assert net.shown is not None
    red, green = net.shown[0, 0, 0, 0], net.shown[0, 1, 0, 0]
    assert float(red) == pytest.approx((1 - META.mean[0]) / META.std[0], abs=1e-4)
    assert float(green) == pytest.approx(-META.mean[1] / META.std[1], abs=1e-4)


def test_dark_with_negative_surroundings() -> None:
    """There the floor under the logarithm bites, and the height of the smoothed map matters."""
    rng = np.random.default_rng(1)
    points = rng.uniform(4, [43, 59], (4, 17, 2))
    maps, _ = encode_heatmaps(points, np.full((4, 17), 2), (48, 64), 1.0)
    maps = (maps - rng.uniform(0.05, 0.6, (4, 17, 1, 1))).astype(np.float32)
    coords, _ = decode_maps(maps, META)
    px, py, _ = Dark(META.decode_kernel)(torch.from_numpy(maps))
    np.testing.assert_allclose(torch.stack([px, py], dim=2).numpy(), coords, atol=0.005)


class Colours(nn.Module):
    """A network whose maps are the colours of the crop, of as many key points."""

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(images, 4)


@pytest.mark.parametrize("map_sigma", [0.0, 2.0])
def test_the_graph_in_onnx_runtime(tmp_path: Path, map_sigma: float) -> None:
    """Normalised colours are negative around the blobs."""
    names = ("nose", "left_eye", "right_eye")
    meta = replace(META, keypoints=names, map_sigma=map_sigma)
    rng = np.random.default_rng(2)
    points = rng.uniform(20, [170, 230], (5, 3, 2))
    blobs, _ = encode_heatmaps(points, np.full((5, 3), 2), (192, 256), 10.0)
    crops = np.ascontiguousarray((255 * blobs).astype(np.uint8).transpose(0, 2, 3, 1))
    module = Decoded(Colours(), meta).eval()  # type: ignore[arg-type]
    path = tmp_path / "graph.onnx"
    onnx.save(to_onnx(module, torch.from_numpy(crops[:2]), "crop", "keypoints"), str(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    out = session.run(None, {"crop": crops})[0]
    images = (torch.from_numpy(crops).permute(0, 3, 1, 2).float() - module.mean) / module.std
    maps = Colours()(images).numpy()
    assert maps.min() < -1
    coords, scores = decode_maps(maps, meta)
    back = invert_affine(input_to_heatmap(meta.input_size, (48, 64)))
    np.testing.assert_allclose(out[..., 2], scores, atol=1e-5)
    np.testing.assert_allclose(out[..., :2], apply_affine(back, coords), atol=0.02)
    if not map_sigma:
        assert np.abs(out[..., :2] - points).max() < 4  # one cell


def test_a_description_that_would_not_be_read_is_not_written(tmp_path: Path) -> None:
    assert "point_score: 0.2" in description_text(META, tmp_path / "net.onnx")
    with pytest.raises(UserError, match=r"net\.onnx: --with-decode cannot .*point_score"):
        description_text(replace(META, point_score=0.0), tmp_path / "net.onnx")


@pytest.mark.slow
def test_the_file_through_our_own_door(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped = Path(aggpose.__file__).parent / "models" / "aggpose-t.onnx"
    out = tmp_path / "decoded.onnx"
    arguments = ["export", str(shipped), "--with-decode", "--out", str(out)]
    with pytest.raises(SystemExit) as done:
        main(arguments)
    assert done.value.code == 0, capsys.readouterr()
    certificate = json.loads((tmp_path / "decoded.onnx.certificate.json").read_text())
    assert certificate["counting"]["points"] > 100 and certificate["counting"]["mean_px"] < 0.02
    assert certificate["all"]["points"] >= certificate["counting"]["points"]
    assert certificate["ap"]["exported"] == pytest.approx(certificate["ap"]["reference"], abs=0.1)
    assert certificate["ap"]["reference"] > 90
    assert certificate["heatmap_difference"] is None and certificate["precision"] == "fp32"
    assert "expected similarity" in certificate["against"] and len(certificate["ms_per_crop"]) == 2
    assert certificate["sha256"] == model_sha256(out)
    assert certificate["source_sha256"] == model_sha256(shipped)
    theirs, ours = aggpose.load(out), aggpose.load("aggpose-t")
    assert theirs.meta.keypoints == ours.meta.keypoints
    image = (bundled_set(ours.meta, count=1).images[0].transpose(1, 2, 0) * 0.2 + 0.5).clip(0, 1)
    picture = (255 * image).astype(np.uint8)
    boxes = np.array([[10.0, 10.0, picture.shape[1] - 10, picture.shape[0] - 10]])
    a, b = theirs.predict(picture, boxes=boxes), ours.predict(picture, boxes=boxes)
    sure = b.scores[0] > 0.3
    np.testing.assert_allclose(a.keypoints[0][sure], b.keypoints[0][sure], atol=0.1)
    np.testing.assert_allclose(a.scores, b.scores, atol=0.01)
    # without boxes it takes the same score for somebody
    assert thresholds_of(theirs.meta) == thresholds_of(ours.meta)
    found = [model.predict(picture) for model in (theirs, ours)]
    assert len(found[0]) == len(found[1]) == 1
    np.testing.assert_allclose(found[0].boxes, found[1].boxes, atol=0.5)
    # nothing is replaced unasked, the description neither
    out.unlink()
    with pytest.raises(SystemExit) as done:
        main(arguments)
    assert done.value.code == 2 and "decoded.yaml" in capsys.readouterr().err


def test_only_with_whole_fp32(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for more in (["--precision", "int8"], ["--half-weights"]):
        with pytest.raises(SystemExit) as done:
            main(["export", "x", "--with-decode", *more, "--out", str(tmp_path / "a.onnx")])
        assert done.value.code == 2
        assert "--with-decode" in capsys.readouterr().err
