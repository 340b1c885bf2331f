"""ONNX files that take pixels and return key points: normalisation and decoding in the graph.

Input ``crop`` (B, H, W, 3) uint8 RGB; output ``keypoints`` (B, K, 3): x, y in px of the crop (pixel
centres at integers), score. Decoding is that of `aggpose.decoding`, in single precision. A YAML
file beside describes the graph as one of anybody's (`aggpose.inference.foreign`), so that
``aggpose.load`` reads it through the same door as every other runtime of yours would.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
import yaml
from pydantic import ValidationError
from torch import Tensor, nn

from aggpose.decoding import STRICT, decode_maps, kernels, reaches
from aggpose.errors import UserError
from aggpose.export.certificate import (
    Certificate,
    Seen,
    certify,
    look,
    parts,
    refuse_unmeasured,
)
from aggpose.export.check_set import CheckSet, bundled_set
from aggpose.export.job import publish_certified, targets, too_far, torch_run, within
from aggpose.export.publish import refuse_targets
from aggpose.geometry import input_to_heatmap, invert_affine
from aggpose.heatmaps import REACH, blur_kernel
from aggpose.inference.foreign import DOCUMENTED, Description
from aggpose.inference.runtime import open_session
from aggpose.meta import DECODED_KEY, HEATMAP_STRIDE, ModelMeta
from aggpose.network import AggPose
from aggpose.network.export import TooFarOff, forget_origin, to_onnx

MAX_SHIFT_PX = 0.02
"""Crop px by which key points that count may differ on average from those decoded outside."""

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
        smooth = self._smoothed(maps)
        # to the old height, which matters where the floor bites
        smooth = smooth * (maps.amax((2, 3), keepdim=True) / smooth.amax((2, 3), keepdim=True))
        log = smooth.clamp(min=_FLOOR).log().flatten(2)
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


def description_text(meta: ModelMeta, out: Path) -> str:
    """The YAML file's content; UserError where our own reader would not take it."""
    try:
        Description.model_validate(description(meta))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{out}: --with-decode cannot describe this network: {where}: {first['msg']}"
        ) from None
    words = yaml.safe_dump(description(meta), sort_keys=False, allow_unicode=True)
    return f"# Written by aggpose export --with-decode; {DOCUMENTED} explains every key.\n{words}"


def export_decoded(
    net: AggPose,
    meta: ModelMeta,
    out: Path,
    checks: CheckSet | None = None,
    max_shift: float | None = None,
    source: Path | None = None,
) -> Certificate:
    """Write ``FILE.onnx``, ``FILE.yaml`` and the certificate.

    checks: None for the bundled clip. max_shift: crop px by which the key points that count may lie
    from those of the network in torch decoded outside, on average, None for `MAX_SHIFT_PX`. source:
    the file of the weights. Above that TooFarOff is raised; UserError where too few points count.
    Either leaves nothing.
    """
    limit = MAX_SHIFT_PX if max_shift is None else max_shift
    refuse_targets(decoded_targets(out))
    text = description_text(meta, out)
    checks = bundled_set(meta) if checks is None else checks
    net = net.float().cpu().eval()
    run = torch_run(net)
    # timed as the graph is, decoding included
    reference = replace(
        look(run, meta, checks), once=lambda: decode_maps(run(checks.images[:1]), meta)
    )
    refuse_unmeasured(reference, meta, checks)
    crops = _pixels(checks.images, meta)
    model = to_onnx(Decoded(net, meta).eval(), torch.from_numpy(crops[:2]), "crop", "keypoints")
    forget_origin(model)
    onnx.helper.set_model_props(model, {DECODED_KEY: meta.to_json()})
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / out.name
        onnx.save(model, str(made))
        made.with_suffix(".yaml").write_bytes(text.encode())
        words = f"ONNX Runtime {onnxruntime.__version__}"
        found = certify(reference, _seen(made, crops), made, meta, checks, "fp32", words)
        if not within(found, limit):
            raise TooFarOff(too_far(found, limit))
        return publish_certified(found, out, (made, made.with_suffix(".yaml")), source)


def decoded_targets(out: Path) -> list[Path]:
    """All that such an export writes: the description, the file, the certificate."""
    return [out.with_suffix(".yaml"), *targets(out)]


def _pixels(images: np.ndarray, meta: ModelMeta) -> np.ndarray:
    """(N, H, W, 3) uint8 of normalised crops (N, 3, H, W)."""
    mean, std = (np.array(v, np.float32)[:, None, None] for v in (meta.mean, meta.std))
    colours = (images * std + mean) * 255
    return np.ascontiguousarray(colours.round().clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1))


def _seen(path: Path, crops: np.ndarray) -> Seen:
    session, _ = open_session(path, "cpu", None)

    def run(part: np.ndarray) -> np.ndarray:
        found: np.ndarray = session.run(None, {"crop": part})[0]
        return found

    found = np.concatenate([run(part) for part in parts(crops)])
    return Seen(found[:, :, :2], found[:, :, 2], lambda: run(crops[:1]))
