"""aggpose synthesize"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aggpose.errors import UserError, installing


def synthesize(
    out: Annotated[Path, typer.Option(help="folder to write to")],
    count: Annotated[int | None, typer.Option(min=1, help="so many pictures")] = None,
    clip: Annotated[float | None, typer.Option(min=0.1, help="a clip of so many seconds")] = None,
    fps: Annotated[int, typer.Option(min=1, max=240, help="frames a second of the clip")] = 30,
    skeleton: Annotated[str, typer.Option(help="infant24, infant21 or coco17")] = "infant24",
    seed: Annotated[int, typer.Option(min=0, help="other seed, other infants")] = 0,
    size: Annotated[
        str | None, typer.Option(help="WIDTHxHEIGHT px; 256x256, of a clip 480x640")
    ] = None,
    backgrounds: Annotated[
        Path | None, typer.Option(help="folder of photographs to lie on and to be seen behind")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="processes, 0: one a core")] = 0,
    nobody: Annotated[
        bool, typer.Option("--nobody", help="the same places without infants")
    ] = False,
    movement: Annotated[str | None, typer.Option(help="of the clip: writhing, fidgety, …")] = None,
    age: Annotated[
        float | None, typer.Option(min=0, max=12, help="of the clip's infant, months")
    ] = None,
    posture: Annotated[
        str | None, typer.Option(help="of the clip's infant: supine, prone or side")
    ] = None,
) -> None:
    """Make pictures or a clip of synthetic infants with exact key points."""
    try:
        from aggpose.cli.synthesize_jobs import make_clip, make_folder, sides
    except ImportError as error:
        raise UserError(
            f"synthetic infants need more packages ({error.name}): {installing('synthetic')}"
        ) from None
    if (count is None) == (clip is None):
        raise UserError("give either --count N for pictures or --clip SECONDS for a clip")
    if count is not None:
        if movement or posture or age is not None:
            raise UserError("--movement, --posture and --age belong to --clip")
        wanted = sides(size, (256, 256))
        make_folder(out, count, seed, skeleton, wanted, backgrounds, workers, nobody)
    elif clip is not None:
        if nobody:
            raise UserError("--nobody belongs to --count")
        wanted = sides(size, (480, 640))
        make_clip(
            out, clip, fps, seed, skeleton, wanted, backgrounds, movement, age, posture or "supine"
        )
