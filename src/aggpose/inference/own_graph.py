"""Whether a graph that aggpose exported is of the shapes that its metadata says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aggpose.errors import UserError
from aggpose.meta import HEATMAP_STRIDE, ModelMeta

Shape = Sequence[object]
"""A graph's: whole numbers, anything else where an axis is free."""


def check_graph(path: Path, meta: ModelMeta, inputs: list[Shape], outputs: list[Shape]) -> None:
    """UserError where a graph does not take (B, 3, H, W) and give (B, K, H / 4, W / 4) of meta."""
    width, height = meta.input_size
    maps = [len(meta.keypoints), height // HEATMAP_STRIDE, width // HEATMAP_STRIDE]
    for word, shapes, wanted in (
        ("input", inputs, [3, height, width]),
        ("output", outputs, maps),
    ):
        if len(shapes) != 1 or not fits(shapes[0], wanted):
            has = " and ".join(written(shape) for shape in shapes) or "none"
            raise UserError(
                f"{path}: its {word} is {has}, but its metadata ({len(meta.keypoints)} key points, "
                f"input {width}x{height}) makes it {written(['batch', *wanted])}; export it anew"
            )


def fits(shape: Shape, wanted: Sequence[int]) -> bool:
    """Whether a graph's shape can be (batch, *wanted)."""
    return len(shape) == 1 + len(wanted) and all(
        not isinstance(s, int) or s == w for s, w in zip(shape[1:], wanted, strict=True)
    )


def written(shape: Shape) -> str:
    """A shape in words, ``?`` where an axis has no name."""
    return "(" + ", ".join("?" if n is None else str(n) for n in shape) + ")"
