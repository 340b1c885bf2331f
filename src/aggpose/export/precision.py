"""The same network in fewer bits: ONNX files in fp16 and int8.

int8: weights per output channel, activations per tensor, both symmetric, calibrated on real crops
(min and max); linear layers and convolutions only. Depth-wise convolutions, which are no faster in
int8 and would have their maps converted to and fro, products between activations (attention), norms
and soft-max stay in float.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

KEPT_OPS = ("LayerNormalization", "Softmax", "Resize")
"""Operators that stay in 32 bits in fp16 files: sums over many values, and an old fault of fp16
nearest-neighbour kernels."""


def write_fp16(source: Path, target: Path) -> None:
    """An ONNX file whose weights and products are 16-bit floats; input and output stay float32."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(
        onnx.load(str(source)), keep_io_types=True, op_block_list=list(KEPT_OPS)
    )
    onnx.save(model, str(target))


def layer_names(source: Path) -> dict[str, str]:
    """Layer of the network (``trunk.0.blocks.1.mlp.fc1``) -> node of its product in an fp32 ONNX
    file of ours, of the layers that int8 takes. The exporter keeps the names of biases and of
    convolutions' weights."""
    import onnx

    graph = onnx.load(str(source)).graph
    makers = {output: node for node in graph.node for output in node.output}
    found: dict[str, str] = {}
    for node in graph.node:
        if any(a.name == "group" and a.i > 1 for a in node.attribute):
            continue
        if node.op_type in ("Conv", "Gemm"):
            weight = next((n for n in node.input[1:] if n.endswith(".weight")), None)
            if weight:
                found[weight.removesuffix(".weight")] = node.name
        elif node.op_type == "Add":
            bias = next((n for n in node.input if n.endswith(".bias")), None)
            product = next((makers[n] for n in node.input if n in makers), None)
            if bias and product is not None and product.op_type == "MatMul":
                found[bias.removesuffix(".bias")] = product.name
    return found


def write_int8(
    source: Path, target: Path, crops: np.ndarray, keep: Sequence[str] = ()
) -> tuple[str, ...]:
    """An int8 ONNX file from an fp32 one; returns the layers that were quantised.

    crops: (N, 3, H, W) float32 to calibrate on. keep: layers (see `layer_names`) left in float.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Crops(CalibrationDataReader):
        def __init__(self) -> None:
            self.batches: Iterator[np.ndarray] = iter(np.array_split(crops, -(-len(crops) // 4)))

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self.batches, None)
            return None if batch is None else {"image": batch}

    layers = layer_names(source)
    chosen = {layer: node for layer, node in layers.items() if layer not in set(keep)}
    logging.getLogger().setLevel(logging.ERROR)  # advice that does not hold after pre-processing
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(target),
            Crops(),
            quant_format=QuantFormat.QDQ,
            nodes_to_quantize=sorted(chosen.values()),
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={
                "ActivationSymmetric": True,
                # what comes out goes to float operators first
                "OpTypesToExcludeOutputQuantization": ["Conv", "Gemm", "MatMul", "Add"],
            },
        )
    return tuple(sorted(chosen))
