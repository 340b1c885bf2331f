"""aggpose demo"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aggpose.errors import UserError

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "infant.mp4"
TRUTH = EXAMPLE.with_name("infant.truth.poses.csv")


def demo(
    out: Annotated[Path, typer.Option(help="folder for the results")] = Path("out/demo"),
) -> None:
    """The main job on the bundled clip of a synthetic infant: offline, with the shipped weights.
    How far the result is from the clip's truth is printed."""
    from aggpose.cli.predict import run_predict
    from aggpose.cli.predict_jobs import Settings
    from aggpose.evaluation.against_truth import against_truth
    from aggpose.formats.poses_csv import read_poses_csv

    if not EXAMPLE.is_file():
        raise UserError(f"{EXAMPLE}: the bundled clip is missing; install aggpose again")
    run_predict([str(EXAMPLE)], "aggpose-t", "auto", Settings(out=out, overwrite=True))
    print(f"overlay  {out / 'infant.overlay.mp4'}")
    print(f"table    {out / 'infant.poses.csv'}")
    print(f"manifest {out / 'infant.manifest.json'}")
    errors = against_truth(read_poses_csv(out / "infant.poses.csv"), read_poses_csv(TRUTH))
    print(
        f"against the clip's truth, {errors.keypoints} key points, {errors.frames} frames: infant "
        f"found in {100 * errors.found:.0f} %; median error {100 * errors.seen:.1f} % of the trunk "
        f"of points seen, {100 * errors.hidden:.1f} % of points hidden; "
        f"{100 * errors.within:.0f} % of those seen within a fifth of the trunk"
    )
