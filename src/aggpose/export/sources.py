"""Which files can be exported from."""

from __future__ import annotations

from pathlib import Path

from aggpose.errors import UserError


def refuse_as_source(model: Path) -> None:
    """UserError where a file cannot be exported from, or is an fp16 or int8 export itself: what
    is made of it would be compared with a network that had lost something before."""
    weights = ".onnx, .safetensors or .pth weights"
    if model.suffix.lower() == ".xml":
        raise UserError(f"{model}: exports start from {weights}, not from an OpenVINO file")
    reduced = _reduced(model) if model.suffix.lower() == ".onnx" else None
    if reduced:
        raise UserError(
            f"{model}: is an {reduced} export itself; export from the {weights} it was made of"
        )


def _reduced(path: Path) -> str | None:
    """``int8`` or ``fp16`` where an ONNX file computes in it; None of others, and of files that
    are none. Weights that are stored in 16 bits and widened are whole ones."""
    import onnx

    try:
        graph = onnx.load(str(path)).graph
    except Exception:  # protobuf's own errors have no common ancestor; the reader names them
        return None
    if any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in graph.node):
        return "int8"
    half = {t.name for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT16}
    used = any(half & set(node.input) for node in graph.node if node.op_type != "Cast")
    return "fp16" if used else None
