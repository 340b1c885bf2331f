"""Which files a model is, what tells them from others, and which can be exported from."""

from __future__ import annotations

import hashlib
from pathlib import Path

from aggpose.errors import UserError


def model_files(path: Path) -> tuple[Path, ...]:
    """The file, and of OpenVINO's form (``.xml``) the weights beside it."""
    weights = path.with_suffix(".bin")
    return (path, weights) if path.suffix.lower() == ".xml" and weights.is_file() else (path,)


def model_bytes(path: Path) -> int:
    """Size of a model, all its files together."""
    return sum(file.stat().st_size for file in model_files(path))


def model_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a model, its files one after the other: of OpenVINO's form what
    ``cat net.xml net.bin | sha256sum`` says."""
    digest = hashlib.sha256()
    for file in model_files(path):
        try:
            with file.open("rb") as stream:
                while piece := stream.read(1 << 20):
                    digest.update(piece)
        except OSError as error:
            raise UserError(f"{file}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()


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
