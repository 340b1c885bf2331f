"""ONNX files that equal the network, and say of themselves what is needed to use them."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aggpose.errors import UserError
from aggpose.meta import META_KEY, ModelMeta
from aggpose.network.network import AggPose
from aggpose.network.variants import CONFIG_KEY

OPSET = 18
MAX_DIFFERENCE = 1e-4
"""Largest difference of heat maps between torch and the fp32 file that is let through."""
MAX_SHARE = 1e-3
"""The same as a share of the largest value, for networks whose maps are low throughout: 0 would be
within 1e-4 of them too."""


class TooFarOff(RuntimeError):
    """A file differs from the network by more than what is allowed; none is left."""


def close_enough(difference: float, expected: np.ndarray) -> bool:
    """Whether maps that differ by so much at most equal the expected ones. NaN equals nothing."""
    return difference <= min(MAX_DIFFERENCE, MAX_SHARE * float(np.abs(expected).max()))


def export_onnx(
    net: AggPose, path: str | Path, meta: ModelMeta, half_weights: bool = False
) -> float:
    """Write a network as ONNX with a dynamic batch, atomically; returns the largest difference.

    Input ``image`` (B, 3, H, W) float32 normalised, output ``heatmaps`` (B, K, H / 4, W / 4);
    H and W are ``meta.input_size``. The file is run on random input beside torch before it gets its
    name: where it is not `close_enough` TooFarOff is raised and no file left.
    half_weights: store large tensors as 16-bit floats, half the size. They are widened when the
        file is loaded and computing stays in 32 bit, so both the file and the network that it is
        compared with carry the rounded weights.
    """
    import onnx

    net = _rounded(net) if half_weights else net
    net = net.float().cpu().eval()
    width, height = meta.input_size
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, height, width, generator=generator)
    model = to_onnx(net, images, "image", "heatmaps")
    if half_weights:
        _store_half(model)
    forget_origin(model)
    onnx.helper.set_model_props(
        model, {META_KEY: meta.to_json(), CONFIG_KEY: json.dumps(asdict(net.config))}
    )

    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, temporary)
        difference = _difference(net, temporary, images)
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error})") from None
    finally:
        temporary.unlink(missing_ok=True)
    return difference


def to_onnx(module: torch.nn.Module, example: torch.Tensor, input_: str, output: str) -> Any:
    """The ONNX model of a module of one input and one output of these names, its batch dynamic."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            (example,),
            input_names=[input_],
            output_names=[output],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.optimize()
    return program.model_proto


def forget_origin(model: Any) -> None:
    """Drop the exporter's notes, which name source files of the machine that exported."""
    del model.metadata_props[:]
    graphs = [model.graph, *model.functions]
    for graph in graphs:
        del graph.metadata_props[:]
        entries = [*graph.node, *graph.value_info]
        if graph is model.graph:
            entries += [*graph.input, *graph.output, *graph.initializer]
        for entry in entries:
            entry.doc_string = ""
            del entry.metadata_props[:]


def _difference(net: AggPose, path: Path, images: torch.Tensor) -> float:
    """The largest of the maps, on these images; TooFarOff where it is too large."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch in (images, images[:1]):  # the batch must be dynamic in fact, not in name
        with torch.no_grad():
            expected = net(batch).numpy()
        got = session.run(None, {"image": batch.numpy()})[0]
        difference = float(np.abs(got - expected).max())
        if not close_enough(difference, expected):
            raise TooFarOff(f"the ONNX file differs from the network by {difference:.2g}")
        worst = max(worst, difference)
    return worst


def _rounded(net: AggPose) -> AggPose:
    """A copy whose large tensors are rounded to 16-bit floats."""
    copy = AggPose(net.config)
    copy.load_state_dict(
        {n: t.half().float() if t.ndim > 1 else t for n, t in net.state_dict().items()}
    )
    return copy


def _store_half(model: Any) -> None:
    """Replace float32 initialisers of two or more dimensions by float16 and a cast."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        values = numpy_helper.to_array(tensor).astype(np.float16)
        half = numpy_helper.from_array(values, tensor.name + "_half")
        casts.append(helper.make_node("Cast", [half.name], [tensor.name], to=TensorProto.FLOAT))
        tensor.CopyFrom(half)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
