"""aggpose demo"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aggpose.errors import UserError

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "infant.mp4"


def demo(
    out: Annotated[Path, typer.Option(help="folder for the results")] = Path("out/demo"),
) -> None:
    """The main job on the bundled clip of a synthetic infant: offline, with the shipped weights."""
    from aggpose.cli.predict import run_predict
    from aggpose.cli.predict_jobs import Settings

    if not EXAMPLE.is_file():
        raise UserError(f"{EXAMPLE}: the bundled clip is missing; install aggpose again")
    run_predict([str(EXAMPLE)], "aggpose-t", "auto", Settings(out=out, overwrite=True))
    print(f"overlay  {out / 'infant.overlay.mp4'}")
    print(f"table    {out / 'infant.poses.csv'}")
    print(f"manifest {out / 'infant.manifest.json'}")
