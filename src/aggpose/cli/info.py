"""aggpose info"""

from __future__ import annotations

from typing import Annotated

import typer


def info(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="shipped model or weights file")],
) -> None:
    """What a model file is: size, key points, input, where it came from, terms."""
    from aggpose.cli.manifest import STATEMENT
    from aggpose.inference import load
    from aggpose.inference.crops import decoder_of
    from aggpose.inference.model_file import model_bytes, model_sha256
    from aggpose.inference.runtime import TorchRuntime

    network = load(model, device="cpu")
    meta = network.meta
    if isinstance(network.runtime, TorchRuntime):
        meta = network.runtime.counted_meta()
    width, height = meta.input_size
    lines = [
        ("name", meta.name),
        ("file", str(network.path)),
        ("sha256", model_sha256(network.path)),
        ("size", f"{model_bytes(network.path) / 1e6:.2f} MB"),
        ("network", meta.variant or "not stated"),
        ("parameters", f"{meta.parameters:,}" if meta.parameters else "not stated"),
        ("compute", f"{meta.macs / 1e9:.3f} GMAC a crop" if meta.macs else "not stated"),
        ("input", f"{width}x{height} (width x height), RGB, mean {meta.mean}, std {meta.std}"),
        ("crop", f"box padded to the input's aspect, x{meta.box_padding}"),
        ("decoder", decoder_of(network.runtime)),
        ("counts", f"key points from score {meta.point_score} on"),
        ("skeleton", f"{meta.skeleton.name}, {len(meta.keypoints)} key points"),
        ("key points", ", ".join(meta.keypoints)),
        ("licence", meta.licence),
        ("source", meta.source),
    ]
    for name, value in lines:
        print(f"{name:<12}{value}")
    print(STATEMENT)
