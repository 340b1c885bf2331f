"""aggpose train"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aggpose.errors import UserError, installing


def train(
    recipe: Annotated[Path, typer.Argument(help="recipe file, YAML")],
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="changes to the recipe")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on from the last checkpoint")
    ] = False,
    devices: Annotated[int, typer.Option(min=1, help="processes on this machine")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="machines, under torchrun or SLURM")] = 1,
    contact_sheet: Annotated[
        Path | None,
        typer.Option(help="write what the network sees to this PNG, and do not train"),
    ] = None,
) -> None:
    """Train a network by a recipe."""
    try:
        from aggpose.training.contact_sheet import write_contact_sheet
        from aggpose.training.people import read_training_data
        from aggpose.training.recipe import read_recipe
        from aggpose.training.run import train as run
    except ImportError as error:
        raise UserError(
            f"training needs more packages ({error.name}): {installing('train')}"
        ) from None

    settings = read_recipe(recipe, changes or [])
    if contact_sheet is not None:
        data = read_training_data(settings)
        write_contact_sheet(data, settings, contact_sheet)
        print(f"contact sheet: {contact_sheet}")
        return
    weights = run(settings, resume=resume, devices=devices, nodes=nodes)
    if weights is not None:
        print(f"weights: {weights}")
