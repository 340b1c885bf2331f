"""Networks that are not ours, with known answers on pictures of painted discs (`colour_net`).

Each is written with the description that fits it, which tests then spoil.
"""

from __future__ import annotations

import copy
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import yaml
from colour_net import COLOURS, colour_net
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from aggpose.meta import IMAGENET_MEAN, IMAGENET_STD

SIZE = (192, 256)
MEAN_BGR = (103.53, 116.28, 123.675)
STD_BGR = (57.375, 57.12, 58.395)
RATIO = 2

COMMON: dict[str, Any] = {
    "name": "discs",
    "licence": "test",
    "source": "by formula",
    "skeleton": "coco17",
    "crop": {"padding": 1.25},
    "point_score": 0.2,
}
BGR = {
    "size": list(SIZE),
    "layout": "nchw",
    "channels": "bgr",
    "mean": list(MEAN_BGR),
    "std": list(STD_BGR),
}
SIMCC: dict[str, Any] = {
    **COMMON,
    "input": BGR,
    "output": {"kind": "simcc", "x": "simcc_x", "y": "simcc_y", "split_ratio": RATIO},
}
NORMALISED: dict[str, Any] = {
    **COMMON,
    "input": BGR,
    "output": {
        "kind": "keypoints",
        "name": "normalised",
        "columns": ["y", "x", "score"],
        "units": "normalised",
        "shift": -0.5,
    },
}
PIXELS: dict[str, Any] = {
    **COMMON,
    "input": BGR,
    "output": {
        "kind": "keypoints",
        "name": "pixels",
        "columns": ["x", "y"],
        "scores": "scores",
        "units": "pixels",
        "shift": 0.0,
    },
}
HEATMAPS: dict[str, Any] = {
    **COMMON,
    "input": {
        "size": list(SIZE),
        "layout": "nchw",
        "channels": "rgb",
        "white": 1.0,
        "mean": list(IMAGENET_MEAN),
        "std": list(IMAGENET_STD),
    },
    "output": {"kind": "heatmaps", "cells": "widths", "kernel": 11},
}
BYTES: dict[str, Any] = {
    **COMMON,
    "input": {"size": list(SIZE), "layout": "nhwc", "dtype": "uint8", "channels": "bgr"},
    "output": {"kind": "heatmaps", "layout": "nhwc", "cells": "widths"},
}

GONE = object()
"""In place of a value: the key is left out."""


def describe(network: Path, description: dict[str, Any], **changes: Any) -> Path:
    """Write the description beside a network; changes: ``input__size=[...]`` or ``x=GONE``."""
    content = copy.deepcopy(description)
    for path, value in changes.items():
        *groups, last = path.split("__")
        part = content
        for group in groups:
            part = part[group]
        if value is GONE:
            del part[last]
        else:
            part[last] = value
    network.with_suffix(".yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return network


class DiscNet(nn.Module):
    """Finds discs of the known colours. Says where in every form but heat maps: SimCC vectors, key
    points in parts of the crop from edge to edge, and in pixels from centre to centre."""

    def __init__(self, count: int = 17, narrow: float = 10.0, spread: float = 3.0) -> None:
        super().__init__()
        self.narrow = narrow
        self.register_buffer("colours", torch.tensor(COLOURS[:count], dtype=torch.float32))
        for name, values in (("mean", MEAN_BGR), ("std", STD_BGR)):
            self.register_buffer(name, torch.tensor(values).reshape(1, 3, 1, 1))
        for name, side in zip("xy", SIZE, strict=True):
            at = torch.arange(side, dtype=torch.float32)
            bins = torch.arange(side * RATIO, dtype=torch.float32) / RATIO
            self.register_buffer(f"at_{name}", at)
            under = torch.exp(-0.5 * ((at[:, None] - bins) / spread) ** 2)
            self.register_buffer(f"bins_{name}", under)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        bgr = (image * self.std + self.mean) / 255
        rgb = bgr[:, [2, 1, 0]]
        distance = (rgb[:, None] - self.colours[None, :, :, None, None]).square().sum(2)
        near = torch.relu(1 - self.narrow * distance)
        columns, rows = near.sum(2), near.sum(3)
        simcc_x = torch.tanh(columns @ self.bins_x / 40)
        simcc_y = torch.tanh(rows @ self.bins_y / 40)
        total = columns.sum(2)
        x = (columns * self.at_x).sum(2) / (total + 1e-6)
        y = (rows * self.at_y).sum(2) / (total + 1e-6)
        scores = torch.tanh(total / 40)
        width, height = SIZE
        parts = torch.stack([(y + 0.5) / height, (x + 0.5) / width, scores], dim=-1)
        return simcc_x, simcc_y, parts[:, None], torch.stack([x, y], dim=-1), scores


def disc_net(path: Path) -> Path:
    """Export `DiscNet` by torch, for one crop at a time."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            DiscNet().eval(),
            (torch.zeros(1, 3, SIZE[1], SIZE[0]),),
            input_names=["image"],
            output_names=["simcc_x", "simcc_y", "normalised", "pixels", "scores"],
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    onnx.save(program.model_proto, path)
    return path


def bare_colour_net(path: Path, **options: Any) -> Path:
    """`colour_net` without a word of what it is."""
    model = onnx.load(colour_net(path, **options))
    del model.metadata_props[:]
    onnx.save(model, path)
    return path


def byte_colour_net(path: Path) -> Path:
    """`bare_colour_net` that takes bytes (B, h, w, 3) in the order BGR and gives (B, h, w, K)."""
    model = onnx.load(bare_colour_net(path))
    graph = model.graph
    steps = [
        helper.make_node("Cast", ["bytes"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "full"], ["part"]),
        helper.make_node("Gather", ["part", "reverse"], ["coloured"], axis=3),
        helper.make_node("Transpose", ["coloured"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Sub", ["first", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "std"], ["image"]),
    ]
    old = [*graph.node]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(steps + old)
    graph.node.append(helper.make_node("Transpose", ["heatmaps"], ["last"], perm=[0, 2, 3, 1]))
    width, height = SIZE
    graph.input.append(
        helper.make_tensor_value_info("bytes", TensorProto.UINT8, ["batch", height, width, 3])
    )
    graph.output.append(
        helper.make_tensor_value_info("last", TensorProto.FLOAT, ["batch", None, None, 17])
    )
    graph.initializer.append(numpy_helper.from_array(np.array(255, np.float32), "full"))
    graph.initializer.append(numpy_helper.from_array(np.array([2, 1, 0]), "reverse"))
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
