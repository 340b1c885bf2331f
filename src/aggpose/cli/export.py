"""aggpose export"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aggpose.errors import UserError


def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help=".safetensors or .pth weights")],
    out: Annotated[Path, typer.Option(help="the file to write")],
    to: Annotated[str, typer.Option(help="onnx")] = "onnx",
    half_weights: Annotated[
        bool, typer.Option("--half-weights", help="store weights in 16 bits: half the size")
    ] = False,
    point_score: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="score from which on a key point counts in this model"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace the file if it is there")
    ] = False,
) -> None:
    """Write a model as ONNX, checked against the network before the file gets its name."""
    if to != "onnx":
        raise UserError(f"--to {to}: this version writes onnx")
    if out.suffix != ".onnx":
        raise UserError(f"--out {out}: name a .onnx file")
    if out.exists() and not overwrite:
        raise UserError(f"{out}: is there already; give --overwrite or another name")
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401

        from aggpose.network import count_macs, count_parameters, load_checkpoint
        from aggpose.network.export import export_onnx
    except ImportError as error:
        raise UserError(f'exporting needs {error.name}: pip install "aggpose[export]"') from None
    from dataclasses import replace

    net = load_checkpoint(model)
    assert net.meta is not None
    meta = replace(
        net.meta,
        parameters=count_parameters(net),
        macs=count_macs(net, net.meta.input_size),
        point_score=net.meta.point_score if point_score is None else point_score,
    )
    difference = export_onnx(net, out, meta, half_weights)
    size = out.stat().st_size / 1e6
    print(f"{out}: {size:.2f} MB, largest difference from the network {difference:.1e}")
