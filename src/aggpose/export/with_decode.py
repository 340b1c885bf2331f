"""ONNX files that take pixels and return key points: normalisation and decoding in the graph.

Input ``crop`` (B, H, W, 3) uint8 RGB; output ``keypoints`` (B, K, 3): x, y in px of the crop (pixel
centres at integers), score. Decoding is that of `aggpose.decoding`, in single precision. A YAML
file beside describes the graph as one of anybody's (`aggpose.inference.foreign`), so that
``aggpose.load`` reads it through the same door as every other runtime of yours would.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor, nn

from aggpose.data.dataset import HEATMAP_STRIDE
from aggpose.decoding import STRICT, decode_maps, kernels, reaches
from aggpose.errors import UserError
from aggpose.export.certificate import Shift, shift_of
from aggpose.export.check_set import CheckSet
from aggpose.files import write_bytes
from aggpose.geometry import apply_affine, input_to_heatmap, invert_affine
from aggpose.heatmaps import REACH, blur_kernel
from aggpose.meta import ModelMeta
from aggpose.network import AggPose
from aggpose.network.export import forget_origin, to_onnx
from aggpose.skeleton import trunk_length

KEY = "aggpose.decoded"
"""Of the metadata: the `ModelMeta` of the network inside."""

MAX_SHIFT_PX = 0.02
"""Crop px by which the graph's key points may differ on average from those decoded outside."""

_FLOOR = 1e-10


class Decoded(nn.Module):
    """(B, H, W, 3) uint8 RGB crops -> (B, K, 3) x, y, score in px of the crop."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: AggPose, meta: ModelMeta) -> None:
        super().__init__()
        self.net, self.size = net, meta.input_size
        self.register_buffer("mean", 255 * torch.tensor(meta.mean)[:, None, None])
        self.register_buffer("std", 255 * torch.tensor(meta.std)[:, None, None])
        self.decode = Expected(meta) if meta.map_sigma else Dark(meta.decode_kernel)

    def forward(self, crop: Tensor) -> Tensor:
        images = (crop.permute(0, 3, 1, 2).float() - self.mean) / self.std
        maps = self.net(images)
        height, width = maps.shape[2:]
        px, py, scores = self.decode(maps)
        back = invert_affine(input_to_heatmap(self.size, (width, height)))
        px = px * float(back[0, 0]) + float(back[0, 2])
        py = py * float(back[1, 1]) + float(back[1, 2])
        return torch.stack([px, py, scores], dim=2)


class Dark(nn.Module):
    """Heat maps (B, K, h, w) -> x, y in heat-map px and scores, (B, K) each."""

    kernel: Tensor

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.register_buffer("kernel", torch.from_numpy(blur_kernel(kernel)).float())

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        height, width = maps.shape[2:]
        flat = maps.flatten(2)
        scores, peak = flat.max(dim=2)
        x, y = peak % width, peak // width
        log = self._smoothed(maps).clamp(min=_FLOOR).log().flatten(2)
        inside = (x >= REACH) & (x < width - REACH) & (y >= REACH) & (y < height - REACH)
        centre = torch.where(inside, peak, REACH * width + REACH)

        def at(dx: int, dy: int) -> Tensor:
            return log.gather(2, (centre + dy * width + dx)[:, :, None])[:, :, 0]

        gx, gy = 0.5 * (at(1, 0) - at(-1, 0)), 0.5 * (at(0, 1) - at(0, -1))
        gxx = 0.25 * (at(2, 0) - 2 * at(0, 0) + at(-2, 0))
        gyy = 0.25 * (at(0, 2) - 2 * at(0, 0) + at(0, -2))
        gxy = 0.25 * (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1))
        determinant = gxx * gyy - gxy * gxy
        counts = inside & (determinant != 0) & (scores > 0)
        safe = torch.where(determinant != 0, determinant, torch.ones_like(determinant))
        px = x + torch.where(counts, (gxy * gy - gyy * gx) / safe, torch.zeros_like(safe))
        py = y + torch.where(counts, (gxy * gx - gxx * gy) / safe, torch.zeros_like(safe))
        px = torch.where(scores > 0, px, torch.zeros_like(px))
        py = torch.where(scores > 0, py, torch.zeros_like(py))
        return px, py, scores

    def _smoothed(self, maps: Tensor) -> Tensor:
        half = len(self.kernel) // 2
        stacked = maps.flatten(0, 1)[:, None]
        rows = F.conv2d(stacked, self.kernel[None, None, None, :], padding=(0, half))
        both = F.conv2d(rows, self.kernel[None, None, :, None], padding=(half, 0))
        return both.reshape(maps.shape)


class Expected(nn.Module):
    """Probabilities (B, K, h, w) -> x, y in heat-map px and scores, (B, K) each."""

    across: Tensor
    down: Tensor
    reach: Tensor

    def __init__(self, meta: ModelMeta) -> None:
        super().__init__()
        width, height = (length // HEATMAP_STRIDE for length in meta.input_size)
        reach = reaches(meta, (width, height))
        self.scale = 1.0 / (2.0 * math.pi * meta.map_sigma**2)
        self.register_buffer("across", torch.from_numpy(kernels(STRICT * reach, width)))
        self.register_buffer("down", torch.from_numpy(kernels(STRICT * reach, height)))
        self.register_buffer("reach", torch.from_numpy(reach).float()[:, None])

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        height, width = maps.shape[2:]
        flat = (self.down @ maps @ self.across).flatten(2)
        peak = flat.argmax(dim=2)
        x, y = peak % width, peak // width
        px = x + self._between(flat, peak, (x > 0) & (x < width - 1), 1)
        py = y + self._between(flat, peak, (y > 0) & (y < height - 1), width)
        rows = (maps * self._near(px, width)[:, :, None, :]).sum(dim=3)
        scores = (rows * self._near(py, height)).sum(dim=2) * self.scale
        return px, py, scores.clamp(max=1.0)

    def _near(self, at: Tensor, cells: int) -> Tensor:
        """(B, K, cells) similarity of every cell with a place along one axis."""
        apart = torch.arange(cells, device=at.device) - at[:, :, None]
        return torch.exp(-0.5 * (apart / self.reach) ** 2)

    @staticmethod
    def _between(flat: Tensor, peak: Tensor, inner: Tensor, step: int) -> Tensor:
        middle = torch.where(inner, peak, torch.full_like(peak, step))

        def at(way: int) -> Tensor:
            cell = (middle + way * step)[:, :, None]
            return flat.gather(2, cell)[:, :, 0].clamp(min=1e-30).log()

        before, here, after = at(-1), at(0), at(1)
        bend = before - 2 * here + after
        found = inner & (bend < 0)
        safe = torch.where(found, bend, torch.full_like(bend, -1.0))
        return torch.where(found, 0.5 * (before - after) / safe, torch.zeros_like(bend))


def description(meta: ModelMeta) -> dict[str, Any]:
    """The YAML beside the file, as `docs/foreign.md` explains it."""
    return {
        "name": meta.name,
        "licence": meta.licence,
        "source": meta.source,
        "keypoints": list(meta.keypoints),
        "input": {
            "name": "crop",
            "size": list(meta.input_size),
            "layout": "nhwc",
            "dtype": "uint8",
            "channels": "rgb",
        },
        "crop": {
            "rule": "aspect",
            "padding": meta.box_padding,
            "antialias": meta.antialias,
            "upright": meta.upright,
        },
        "output": {
            "kind": "keypoints",
            "name": "keypoints",
            "columns": ["x", "y", "score"],
            "units": "pixels",
            "shift": 0.0,
        },
        "score_kind": "similarity" if meta.scores_are_similarities else "peak",
        "point_score": meta.point_score,
    }


def export_decoded(net: AggPose, meta: ModelMeta, out: Path, checks: CheckSet) -> Shift:
    """Write ``FILE.onnx`` and ``FILE.yaml``; returns how far the key points that count lie from
    those of the network in torch decoded outside. Above `MAX_SHIFT_PX` on average RuntimeError is
    raised and nothing is left."""
    module = Decoded(net.float().cpu().eval(), meta).eval()
    crops = _pixels(checks.images, meta)
    model = to_onnx(module, torch.from_numpy(crops[:2]), "crop", "keypoints")
    forget_origin(model)
    onnx.helper.set_model_props(model, {KEY: meta.to_json()})
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "decoded.onnx"
        onnx.save(model, str(made))
        shift = _shift(module, made, crops, meta)
        if shift.mean_px > MAX_SHIFT_PX:
            raise RuntimeError(f"the graph's key points are {shift.mean_px} crop px off")
        data = made.read_bytes()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror})") from None
    words = yaml.safe_dump(description(meta), sort_keys=False, allow_unicode=True)
    head = "# Written by aggpose export --with-decode; docs/foreign.md explains every key.\n"
    write_bytes(out.with_suffix(".yaml"), (head + words).encode())
    write_bytes(out, data)
    return shift


def _pixels(images: np.ndarray, meta: ModelMeta) -> np.ndarray:
    """(N, H, W, 3) uint8 of normalised crops (N, 3, H, W)."""
    mean, std = (np.array(v, np.float32)[:, None, None] for v in (meta.mean, meta.std))
    colours = (images * std + mean) * 255
    return np.ascontiguousarray(colours.round().clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1))


def _shift(module: Decoded, path: Path, crops: np.ndarray, meta: ModelMeta) -> Shift:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    got = np.concatenate([session.run(None, {"crop": part})[0] for part in _parts(crops)])
    with torch.inference_mode():
        maps = []
        for part in _parts(crops):
            images = torch.from_numpy(part).permute(0, 3, 1, 2).float()
            maps.append(module.net((images - module.mean) / module.std).numpy())
    coords, scores = decode_maps(np.concatenate(maps), meta)
    size = (maps[0].shape[3], maps[0].shape[2])
    before = apply_affine(invert_affine(input_to_heatmap(meta.input_size, size)), coords)
    counts = scores >= meta.point_score
    return shift_of(before, got[:, :, :2], counts, trunk_length(before, meta.skeleton))


def _parts(crops: np.ndarray, batch: int = 8) -> list[np.ndarray]:
    return [crops[i : i + batch] for i in range(0, len(crops), batch)]
