"""The part of a ground that a camera sees, at all sizes, on the renderer's device."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import warp as wp

from aggpose.synthetic.camera import Camera
from aggpose.synthetic.mesh import Ground
from aggpose.synthetic.render.optics import FAR_M

_KEPT = 16  # cuts of grounds that the device keeps
_ALIGNED = 64  # px: cuts begin and end where half, a quarter, ... of their pixels do, too
_SLOPE = 4096.0  # slopes are kept as whole numbers of 1 / 4096


@dataclass(frozen=True)
class GroundPictures:
    """A cut of a ground as `optics.Job` has it. cut: first column, first row, columns, rows of the
    largest size, px. mean: linear RGB."""

    colour: Any
    slope: Any
    level: Any
    cut: tuple[int, int, int, int]
    mean: np.ndarray


def _roots() -> np.ndarray:
    """(256,) uint8: square roots of the linear values of sRGB's codes (IEC 61966-2-1)."""
    code = np.arange(256) / 255.0
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return (np.sqrt(linear) * 255).round().astype(np.uint8)


def _slopes() -> np.ndarray:
    """(65536,) int16 in 1/4096 for the bits of every float16."""
    value = np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float32)
    steepest = 32767 / _SLOPE
    value = np.nan_to_num(value, nan=0.0, posinf=steepest, neginf=-steepest)
    return (value.clip(-steepest, steepest) * _SLOPE).round().astype(np.int16)


_ROOTS, _SLOPES = _roots(), _slopes()


class Grounds:
    """Cuts of grounds on a device; those used last are kept, for the frames of a clip."""

    def __init__(self, device: str):
        self._device = device
        self._kept: OrderedDict[tuple[int, ...], tuple[Ground, GroundPictures]] = OrderedDict()

    def of(self, ground: Ground, camera: Camera) -> GroundPictures:
        """What the camera sees of a ground. Grounds are known by identity."""
        cut = seen_cut(ground, camera)
        key = (id(ground), *cut)
        found = self._kept.pop(key, None)
        pictures = found[1] if found else self._prepare(ground, cut)
        self._kept[key] = (ground, pictures)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return pictures

    def _prepare(self, ground: Ground, cut: tuple[int, int, int, int]) -> GroundPictures:
        column, row, columns, rows = cut
        part = np.s_[row : row + rows, column : column + columns]
        colour: np.ndarray = np.ascontiguousarray(ground.colour[part])
        if ground.tint is not None:
            tint = ground.tint.astype(np.float32).copy()
            tint[:, 3] *= 255
            colour = cv2.transform(colour, tint)
        colour = cv2.LUT(colour, _ROOTS)
        colour = cv2.cvtColor(colour, cv2.COLOR_RGB2RGBA)
        slope: np.ndarray = _SLOPES.take(np.ascontiguousarray(ground.slope[part]).view(np.uint16))
        colours, slopes = [], []
        while True:
            colours.append(colour.reshape(-1).view(np.int32))
            slopes.append(slope.reshape(-1).view(np.int32))
            columns, rows = columns // 2, rows // 2
            if len(colours) > np.log2(_ALIGNED):
                break
            colour = cv2.resize(colour, (columns, rows), interpolation=cv2.INTER_AREA)
            slope = cv2.resize(slope, (columns, rows), interpolation=cv2.INTER_AREA)
        level = np.cumsum([0] + [len(c) for c in colours[:-1]]).astype(np.int32)
        return GroundPictures(
            colour=wp.array(np.concatenate(colours), dtype=wp.int32, device=self._device),
            slope=wp.array(np.concatenate(slopes), dtype=wp.int32, device=self._device),
            level=wp.array(level, dtype=wp.int32, device=self._device),
            cut=cut,
            mean=((colour[..., :3] / 255.0) ** 2).reshape(-1, 3).mean(axis=0),
        )


def seen_cut(ground: Ground, camera: Camera) -> tuple[int, int, int, int]:
    """First column, first row, columns, rows of what a camera can see of a ground's pictures.

    All of a side where the camera looks beyond it, for there the pictures are mirrored.
    """
    size = len(ground.colour)
    width, height = camera.size
    x, y = np.linspace(-0.5, width - 0.5, 17), np.linspace(-0.5, height - 0.5, 17)
    rays = camera.rays(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))
    down = np.maximum(-rays[:, 2], 1e-9)
    far = np.minimum(camera.position[2] / down, float(FAR_M))
    places = np.asarray(camera.position)[:2] + rays[:, :2] * far[:, None]
    c, s = turn_of(ground)
    places = places @ np.array([[c, -s], [s, c]])  # into the ground's own frame
    scale = size / ground.side_m
    column = (places[:, 0] + ground.side_m / 2) * scale
    row = (ground.side_m / 2 - places[:, 1]) * scale
    found: list[tuple[int, int]] = []
    for at in (column, row):
        # wider by what lies between the rays, and by a pixel of a small size
        spare = 0.02 * float(np.ptp(at)) + 8
        low = int(np.floor((at.min() - spare) / _ALIGNED)) * _ALIGNED
        high = int(np.ceil((at.max() + spare) / _ALIGNED)) * _ALIGNED
        if low < 0 or high > size or size % _ALIGNED:
            low, high = 0, size
        found.append((low, high - low))
    (first, columns), (top, rows) = found
    return first, top, columns, rows


def turn_of(ground: Ground) -> tuple[float, float]:
    """Cosine and sine of a ground's turn."""
    angle = np.deg2rad(ground.turn_deg)
    return float(np.cos(angle)), float(np.sin(angle))
