"""Cutting crops, running the network on them, and bringing key points back to the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aggpose.data.pictures import warp_picture
from aggpose.decoding import decode_maps, decoder_words
from aggpose.geometry import (
    apply_affine,
    box_to_crop,
    crop_affine,
    flip_back,
    input_to_heatmap,
    invert_affine,
    turned_box,
    xyxy_to_xywh,
)
from aggpose.inference.foreign_runtime import ForeignRuntime
from aggpose.inference.runtime import Runtime
from aggpose.meta import ModelMeta


@dataclass(frozen=True)
class Crop:
    """What part of a picture the network looks at.

    box: (4,) xyxy px, the box asked for. center: (2,) px. size: (2,) = (width, height) px, along
    the crop's own axes. rotation: degrees; positive turns the content counter-clockwise.
    """

    box: np.ndarray
    center: np.ndarray
    size: np.ndarray
    rotation: float = 0.0


def crop_of_box(
    box: np.ndarray, meta: ModelMeta, rotation: float = 0.0, padding: float | None = None
) -> Crop:
    """The crop that shows a box. box: (4,) xyxy px. padding: None for the model's own.

    With a rotation, the crop covers what the box holds as it lies in the turned picture.
    """
    width, height = meta.input_size
    xywh = turned_box(xyxy_to_xywh(box), rotation)
    # a crop of one pixel or less has no scale
    grown = np.maximum(xywh[2:], 2.0)
    xywh = np.concatenate([xywh[:2] + (xywh[2:] - grown) / 2, grown])
    center, size = box_to_crop(
        xywh, width / height, meta.box_padding if padding is None else padding
    )
    return Crop(np.asarray(box, dtype=np.float64), center, size, rotation)


def cut_crop(image: np.ndarray, crop: Crop, meta: ModelMeta) -> np.ndarray:
    """(h, w, 3) uint8 RGB: what a crop shows of an (H, W, 3) uint8 RGB picture.

    Bilinear, black outside of the picture, as published; large pictures are reduced by area first
    where the network wants it.
    """
    affine = crop_affine(crop.center, crop.size, crop.rotation, meta.input_size)
    return warp_picture(image, affine, meta.input_size, meta.antialias)


def normalise(cut: np.ndarray, meta: ModelMeta) -> np.ndarray:
    """(B, h, w, 3) uint8 RGB crops to our networks' input, (B, 3, h, w) float32."""
    std = np.asarray(meta.std, dtype=np.float32)
    scale = (1.0 / (255.0 * std)).reshape(3, 1, 1)
    shift = (np.asarray(meta.mean, dtype=np.float32) / std).reshape(3, 1, 1)
    batch = np.empty((len(cut), 3, *cut.shape[1:3]), np.float32)
    np.multiply(cut.transpose(0, 3, 1, 2), scale, out=batch)
    batch -= shift
    return batch


def cut_crops(images: Sequence[np.ndarray], crops: Sequence[Crop], meta: ModelMeta) -> np.ndarray:
    """(B, 3, h, w) float32 normalised batch of the i-th crop of the i-th image."""
    return normalise(_stack(images, crops, meta), meta)


def _stack(images: Sequence[np.ndarray], crops: Sequence[Crop], meta: ModelMeta) -> np.ndarray:
    pairs = zip(images, crops, strict=True)
    return np.stack([cut_crop(image, crop, meta) for image, crop in pairs])


def run_flipped(runtime: Runtime, batch: np.ndarray) -> np.ndarray:
    """Mean of a batch's heat maps and those of its mirror image, brought back; no shift."""
    maps = runtime.run(batch)
    mirrored = runtime.run(np.ascontiguousarray(batch[..., ::-1]))
    return (maps + flip_back(mirrored, runtime.meta.skeleton)) * 0.5


def crop_points(
    runtime: Runtime, cut: np.ndarray, flip_test: bool = False, near: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Key points in crops, by the kind of the network.

    cut: (B, h, w, 3) uint8 RGB. near: (K, 2) crop px, for following frames, see
    `aggpose.decoding.expected_similarity`; foreign networks do without. Returns points (B, K, 2)
    float64 in crop px, pixel centres at integers, and scores (B, K). Points of a score of 0 or
    less mean nothing.
    """
    if isinstance(runtime, ForeignRuntime):
        return runtime.points(cut, flip_test)
    batch = normalise(cut, runtime.meta)
    maps = run_flipped(runtime, batch) if flip_test else runtime.run(batch)
    height, width = maps.shape[-2:]
    into = input_to_heatmap(runtime.meta.input_size, (width, height))
    last = None if near is None else apply_affine(into, near)
    points, scores = decode_maps(maps, runtime.meta, last)
    return apply_affine(invert_affine(into), points), scores


def decoder_of(runtime: Runtime) -> str:
    """How key points are read from the network's output, in words."""
    if isinstance(runtime, ForeignRuntime):
        return runtime.decoder
    return decoder_words(runtime.meta)


def estimate(
    runtime: Runtime,
    cut: np.ndarray,
    crops: Sequence[Crop],
    flip_test: bool = False,
    near: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Key points of crops that were cut before.

    cut: (B, h, w, 3) uint8 RGB from `cut_crop`. near: (K, 2) picture px, where the points were a
    frame before, NaN where not known; the crops are then one and the same, of following frames.
    Returns keypoints (B, K, 2) float64 in picture px
    and scores (B, K) float32; NaN and 0 where the network gives no positive score.
    """
    affines = [crop_affine(c.center, c.size, c.rotation, runtime.meta.input_size) for c in crops]
    last = None if near is None else apply_affine(affines[0], near)
    coords, scores = crop_points(runtime, cut, flip_test, last)
    for i, affine in enumerate(affines):
        coords[i] = apply_affine(invert_affine(affine), coords[i])
    nothing = ~(scores > 0)
    coords[nothing] = np.nan
    return coords, np.where(nothing, 0, scores)


def look(
    runtime: Runtime,
    images: Sequence[np.ndarray],
    crops: Sequence[Crop],
    flip_test: bool = False,
    batch_size: int = 8,
) -> tuple[np.ndarray, np.ndarray]:
    """Cut crops and `estimate` in batches: keypoints (n, K, 2) px and scores (n, K)."""
    keypoints, scores = [], []
    for start in range(0, len(crops), batch_size):
        part = slice(start, start + batch_size)
        cut = _stack(images[part], crops[part], runtime.meta)
        points, peaks = estimate(runtime, cut, crops[part], flip_test)
        keypoints.append(points)
        scores.append(peaks)
    return np.concatenate(keypoints), np.concatenate(scores)


def look_on(
    runtime: Runtime,
    images: Sequence[np.ndarray],
    crop: Crop,
    near: np.ndarray | None,
    flip_test: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """The same crop of following frames, in one batch.

    near: (K, 2) px, key points of the frame before, see `estimate`. Returns keypoints (n, K, 2) px
    and scores (n, K).
    """
    crops = [crop] * len(images)
    return estimate(runtime, _stack(images, crops, runtime.meta), crops, flip_test, near)
