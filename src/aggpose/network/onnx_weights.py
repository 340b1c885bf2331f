"""Weights out of our own ONNX files, so that a training can start from what is shipped.

Linear layers are stored there as a product with the transposed matrix and an addition of the bias;
only the bias keeps its name, and leads to the matrix.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aggpose.errors import UserError, installing

_HALF = "_half"


def read_onnx(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """({name of ours: tensor}, {metadata key: text}) of an ONNX file that we exported."""
    try:
        import onnx
    except ModuleNotFoundError:
        raise UserError(
            f"{path}: weights are read from ONNX with the package onnx; {installing('export')}"
        ) from None
    try:
        model: Any = onnx.load(str(path))
    except Exception as error:  # protobuf's own errors have no common ancestor
        raise UserError(f"{path}: is not a readable ONNX file ({error})") from None
    arrays = {
        t.name.removesuffix(_HALF): onnx.numpy_helper.to_array(t).astype(np.float32)
        for t in model.graph.initializer
        if t.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    }
    state = {n: a for n, a in arrays.items() if n.endswith((".weight", ".bias"))}
    products = {n.output[0]: n.input[1] for n in model.graph.node if n.op_type == "MatMul"}
    for node in model.graph.node:
        if node.op_type != "Add":
            continue
        bias = next((n for n in node.input if n in state and n.endswith(".bias")), None)
        matrix = next((products[n] for n in node.input if n in products), None)
        if bias is not None and matrix in arrays:
            state[bias.removesuffix("bias") + "weight"] = arrays[matrix].T
    header = {entry.key: entry.value for entry in model.metadata_props}
    return {n: torch.from_numpy(np.array(a)) for n, a in state.items()}, header
