"""aggpose predict"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from aggpose.errors import UserError

SAVED = ("csv", "coco", "video")


def predict(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="pictures, videos, folders or globs")
    ],
    out: Annotated[Path, typer.Option(help="folder for the results")],
    model: Annotated[str, typer.Option(help="shipped model or weights file")] = "aggpose-t",
    skeleton: Annotated[
        str | None, typer.Option(help="infant21, coco17 or infant24; default: the model's own")
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(help="COCO-form boxes; in a video, image_id is the frame, from 0"),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, openvino or cuda")] = "auto",
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="crops a call of the network")
    ] = None,
    flip_test: Annotated[
        bool, typer.Option("--flip-test", help="also look at the mirror image: better, slower")
    ] = False,
    save: Annotated[
        str | None,
        typer.Option(
            help="some of csv,coco,video (overlays); default csv,video for videos and "
            "coco,video for pictures"
        ),
    ] = None,
    hide_face: Annotated[
        bool, typer.Option("--hide-face", help="cover the infant's face in overlays, nobody else's")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace results that are there")
    ] = False,
) -> None:
    """Key points of pictures and videos: tables, overlays and what was done.

    Research use only, not a medical device.
    """
    from aggpose.cli.predict_jobs import Settings

    settings = Settings(
        out=out,
        skeleton=skeleton,
        boxes=boxes,
        batch_size=batch_size,
        flip_test=flip_test,
        save=_saved(save),
        hide_face=hide_face,
        overwrite=overwrite,
    )
    run_predict(sources, model, device, settings)


def run_predict(sources: list[str], model: str, device: str, settings: object) -> None:
    """What the command does; `settings` is a `predict_jobs.Settings`."""
    from aggpose.cli import predict_jobs as jobs
    from aggpose.cli.predict_pictures import predict_pictures
    from aggpose.cli.predict_video import predict_one_video
    from aggpose.cli.sources import find_sources
    from aggpose.formats.coco_boxes import read_boxes
    from aggpose.inference import MANY, load
    from aggpose.skeleton import get_skeleton

    assert isinstance(settings, jobs.Settings)
    wanted = get_skeleton(settings.skeleton) if settings.skeleton else None
    found, problems = find_sources(sources)
    if not found:
        raise UserError("; ".join(problems))
    prepare_folder(settings.out)
    refuse_existing(jobs.planned_outputs(found, settings), settings.overwrite)
    given = read_boxes(settings.boxes) if settings.boxes else None
    many = len(found) >= MANY or not all(s.is_picture for s in found)
    network = load(model, device=device, many=many)
    if wanted is not None and not set(wanted.keypoints) & set(network.skeleton.keypoints):
        raise UserError(
            f"--skeleton {wanted.name}: model {network.meta.name} knows none of its key points"
        )
    job = jobs.Job(network, settings, wanted or network.skeleton, given)

    pictures = [s for s in found if s.is_picture]
    videos = [s for s in found if not s.is_picture]
    failed = list(problems)
    several = len(found) + len(problems) > 1
    for problem in problems:
        _say(problem)
    if pictures:
        for message in predict_pictures(job, pictures):
            failed.append(message)
            if several:
                _say(message)
    for source in videos:
        try:
            predict_one_video(job, source, alone=len(videos) == 1)
        except UserError as error:
            failed.append(str(error))
            if several:
                _say(str(error))
    print("Research use only, not a medical device.")
    if failed:
        total = len(found) + len(problems)
        raise UserError(
            f"{len(failed)} of {total} sources could not be used" if several else failed[0]
        )


def _say(message: str) -> None:
    print(f"aggpose: {' '.join(message.split())}", file=sys.stderr, flush=True)


def _saved(save: str | None) -> frozenset[str] | None:
    if save is None:
        return None
    kinds = frozenset(part.strip() for part in save.split(",") if part.strip())
    unknown = sorted(kinds - set(SAVED))
    if unknown or not kinds:
        what = f"unknown kind {unknown[0]!r}" if unknown else "nothing named"
        raise UserError(f"--save {save}: {what}; choose from {','.join(SAVED)}")
    return kinds


def prepare_folder(out: Path) -> None:
    """Make the folder and see that it can be written to."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except FileExistsError:
        raise UserError(f"--out {out}: is a file, not a folder; name another") from None
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written to ({error.strerror})") from None


def refuse_existing(outputs: list[Path], overwrite: bool) -> None:
    """UserError when an output is there already and may not be replaced."""
    there = [p for p in outputs if p.exists()]
    if there and not overwrite:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise UserError(f"{there[0]}{more}: is there already; give --overwrite or another --out")
