"""Checking and reading the outputs of foreign networks, one function each a kind.

Frames of reference and the rules that join them: `aggpose.inference.foreign`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from aggpose.geometry import apply_affine, input_to_heatmap, invert_affine
from aggpose.heatmaps import decode_heatmaps
from aggpose.inference.foreign import (
    Description,
    HeatmapOutput,
    KeypointOutput,
    SimccOutput,
)

Outputs = Mapping[str, np.ndarray]
"""What the network said, by the output's name."""

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of the outputs by name, for a batch of one."""


@dataclass(frozen=True)
class Mismatch(Exception):
    """The description and the network differ. Says how, without the file's name."""

    text: str

    def __str__(self) -> str:
        return self.text


def output_names(description: Description, offered: tuple[str, ...]) -> tuple[str, ...]:
    """The outputs that the description uses, of those that the graph offers.

    For heat maps (maps,), for SimCC (x, y), for key points (points,) or (points, scores).
    """
    output = description.output
    wanted: list[str | None]
    if isinstance(output, SimccOutput):
        wanted = [output.x, output.y]
    elif isinstance(output, KeypointOutput) and output.scores is not None:
        wanted = [output.name, output.scores]
    else:
        wanted = [output.name]
    listed = ", ".join(offered)
    names = []
    for name in wanted:
        if name is None and len(offered) > 1:
            raise Mismatch(f"output.name is needed, for the network has several: {listed}")
        name = offered[0] if name is None else name
        if name not in offered:
            raise Mismatch(f"the network has no output {name!r}; it has: {listed}")
        names.append(name)
    return tuple(names)


def check_shapes(description: Description, names: tuple[str, ...], shapes: Shapes) -> None:
    """Mismatch where the outputs' shapes cannot be what the description says."""
    output = description.output
    if isinstance(output, HeatmapOutput):
        _check_heatmaps(description, output, names[0], shapes[names[0]])
    elif isinstance(output, SimccOutput):
        for axis, name in enumerate(names):
            _check_simcc(description, output, axis, name, shapes[name])
    else:
        _check_keypoints(description, output, names, shapes)


def _check_heatmaps(
    description: Description, output: HeatmapOutput, name: str, shape: tuple[int, ...]
) -> None:
    wanted = "(batch, K, h, w)" if output.layout == "nchw" else "(batch, h, w, K)"
    if len(shape) != 4:
        raise Mismatch(f"kind heatmaps needs an output {wanted}, but {name!r} is {shape}")
    maps, height, width = shape[1:] if output.layout == "nchw" else shape[3:] + shape[1:3]
    _check_count(description, maps, name, shape)
    full_width, full_height = description.input.size
    # aspect alike, but for one cell
    if abs(width * full_height - height * full_width) > max(full_width, full_height):
        raise Mismatch(
            f"heat maps of {width}x{height} cells do not fit a crop of {full_width}x{full_height} "
            f"pixels; {name!r} is {shape}, read as {wanted}"
        )
    if min(width, height) < 2:
        raise Mismatch(f"{name!r} is {shape}: heat maps have two cells each way at least")


def _check_simcc(
    description: Description, output: SimccOutput, axis: int, name: str, shape: tuple[int, ...]
) -> None:
    side, word = description.input.size[axis], ("width", "height")[axis]
    if len(shape) != 3:
        raise Mismatch(f"kind simcc needs outputs (batch, K, bins), but {name!r} is {shape}")
    _check_count(description, shape[1], name, shape)
    if abs(shape[2] - side * output.split_ratio) >= 1:
        raise Mismatch(
            f"{name!r} has {shape[2]} bins, but {word} {side} times split_ratio "
            f"{output.split_ratio:g} is {side * output.split_ratio:g}; "
            f"the ratio would be {shape[2] / side:g}, or x and y are exchanged"
        )


def _check_keypoints(
    description: Description, output: KeypointOutput, names: tuple[str, ...], shapes: Shapes
) -> None:
    shape, columns = shapes[names[0]], len(output.columns)
    if len(shape) < 3 or any(n != 1 for n in shape[1:-2]):
        raise Mismatch(
            f"kind keypoints needs an output (batch, K, {columns}), but {names[0]!r} is {shape}"
        )
    if shape[-1] != columns:
        raise Mismatch(
            f"{names[0]!r} is {shape}: its last axis holds {shape[-1]} values, "
            f"but columns names {columns}"
        )
    _check_count(description, shape[-2], names[0], shape)
    if output.scores is not None:
        scores = shapes[names[1]]
        if int(np.prod(scores[1:])) != len(description.names):
            raise Mismatch(
                f"{names[1]!r} is {scores}, but {len(description.names)} key points need a score"
            )


def _check_count(description: Description, count: int, name: str, shape: tuple[int, ...]) -> None:
    if count != len(description.names):
        raise Mismatch(
            f"{len(description.names)} key points are named, but output {name!r}, {shape}, "
            f"holds {count}"
        )


Decoded = tuple[np.ndarray, np.ndarray]
"""points (B, K, 2) float64 crop px and scores (B, K) float32."""


def decode(description: Description, names: tuple[str, ...], outputs: Outputs) -> Decoded:
    """Key points of a batch from the network's outputs."""
    output = description.output
    if isinstance(output, HeatmapOutput):
        return decode_maps(description, heat_maps(output, outputs[names[0]]))
    if isinstance(output, SimccOutput):
        bins = [outputs[name].argmax(axis=2) for name in names]
        peaks = [outputs[name].max(axis=2) for name in names]
        points = np.stack(bins, axis=-1) / output.split_ratio
        return points, np.minimum(*peaks).astype(np.float32)
    values = outputs[names[0]]
    values = values.reshape(len(values), *values.shape[-2:]).astype(np.float64)
    columns = output.columns
    points = values[..., [columns.index("x"), columns.index("y")]]
    if output.units == "normalised":
        points = points * np.array(description.input.size, np.float64)
    if output.scores is None:
        scores = values[..., columns.index("score")]
    else:
        scores = outputs[names[1]].reshape(points.shape[:2])
    return points + output.shift, scores.astype(np.float32)


def heat_maps(output: HeatmapOutput, maps: np.ndarray) -> np.ndarray:
    """(B, K, h, w) float32 from the output as it is."""
    if output.layout == "nhwc":
        maps = maps.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(maps, np.float32)


def decode_maps(description: Description, maps: np.ndarray) -> Decoded:
    """Key points from heat maps (B, K, h, w)."""
    assert isinstance(description.output, HeatmapOutput)
    height, width = maps.shape[-2:]
    kernel = description.meta(width).decode_kernel
    points, scores = decode_heatmaps(maps, kernel)
    to_crop = _CELLS[description.output.cells]
    return to_crop(points, (width, height), description.input.size), scores


Size = tuple[int, int]


def _corners(points: np.ndarray, cells: Size, size: Size) -> np.ndarray:
    return points * ((np.array(size) - 1) / (np.array(cells) - 1))


def _multiples(points: np.ndarray, cells: Size, size: Size) -> np.ndarray:
    return points * (np.array(size) / np.array(cells))


def _centres(points: np.ndarray, cells: Size, size: Size) -> np.ndarray:
    return (points + 0.5) * (np.array(size) / np.array(cells)) - 0.5


def _widths(points: np.ndarray, cells: Size, size: Size) -> np.ndarray:
    return apply_affine(invert_affine(input_to_heatmap(size, cells)), points)


_CELLS: dict[str, Callable[[np.ndarray, Size, Size], np.ndarray]] = {
    "corners": _corners,
    "multiples": _multiples,
    "centres": _centres,
    "widths": _widths,
}
