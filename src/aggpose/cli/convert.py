"""aggpose convert"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aggpose.errors import UserError, installing


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="published .pth, or our weights")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="a .safetensors file to write")],
    name: Annotated[str | None, typer.Option(help="what the model calls itself")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace OUT if it is there")
    ] = False,
) -> None:
    """Turn a published checkpoint into ours: safe to read, and says what it is."""
    try:
        from aggpose.network import count_macs, count_parameters, load_checkpoint, save_checkpoint
    except ImportError as error:
        raise UserError(f"converting weights needs {error.name}: {installing('train')}") from None
    from dataclasses import replace

    if target.suffix != ".safetensors":
        raise UserError(f"{target}: converted weights are .safetensors files; name OUT so")
    if target.exists() and not overwrite:
        raise UserError(f"{target}: is there already; give --overwrite or another name")
    net = load_checkpoint(source)
    assert net.meta is not None and net.load_report is not None
    meta = replace(
        net.meta,
        name=name or net.meta.name,
        parameters=count_parameters(net),
        macs=count_macs(net, net.meta.input_size),
    )
    save_checkpoint(net, target, meta)
    print(f"{source}: {net.load_report}")
    print(
        f"{target}: {meta.name} ({meta.variant}), "
        f"{len(meta.keypoints)} key points ({meta.skeleton.name})"
    )
