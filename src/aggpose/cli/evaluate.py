"""aggpose evaluate"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

import typer

from aggpose.errors import UserError

Value = TypeVar("Value")


def evaluate(
    annotations: Annotated[Path | None, typer.Option(help="COCO-form key-point file")] = None,
    images: Annotated[Path | None, typer.Option(help="folder of its pictures")] = None,
    model: Annotated[str | None, typer.Option(help="shipped model or weights file")] = None,
    coco: Annotated[
        Path | None, typer.Option(help="COCO folder: the published protocol, whole")
    ] = None,
    split: Annotated[str, typer.Option(help="val2017 or test-dev2017, of --coco")] = "val2017",
    predictions: Annotated[
        Path | None, typer.Option(help="score this COCO results file, made by anyone")
    ] = None,
    skeleton: Annotated[
        str | None, typer.Option(help="score these points; default: those of the annotations")
    ] = None,
    boxes: Annotated[
        str, typer.Option(help="gt, whole (the network finds the infant) or a detections file")
    ] = "gt",
    flip_test: Annotated[bool, typer.Option("--flip-test", help="average with mirrored")] = False,
    rotate: Annotated[int, typer.Option(help="turn the pictures first: 0, 90, 180 or 270")] = 0,
    area: Annotated[str, typer.Option(help="area of OKS: file, or box (width x height)")] = "file",
    out: Annotated[Path | None, typer.Option(help="folder for metrics.json")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace results that are there")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, openvino or cuda")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="crops a call of the network")] = 8,
) -> None:
    """Score a model, or a file of predictions, and say by which protocol."""
    from aggpose.cli import evaluate_jobs as jobs
    from aggpose.cli.predict import prepare_folder, refuse_existing

    if area not in ("file", "box"):
        raise UserError(f"--area {area}: choose file or box")
    if rotate not in (0, 90, 180, 270):
        raise UserError(f"--rotate {rotate}: choose 0, 90, 180 or 270")
    if out is not None:
        prepare_folder(out)
        written = [jobs.RESULTS_FILE] if predictions is None else []
        refuse_existing([out / name for name in (jobs.METRICS_FILE, *written)], overwrite)
    if coco is not None:
        given = [n for n, v in (("--annotations", annotations), ("--images", images)) if v]
        others = predictions or skeleton or flip_test or rotate
        if given or others or boxes != "gt" or area != "file":
            raise UserError(
                "--coco runs the published protocol: only --split, --model and --out go with it"
            )
        jobs.evaluate_coco(coco, split, _needed(model, "--model"), out, device, batch_size)
        return
    truth = _needed(annotations, "--annotations")
    if predictions is not None:
        if model is not None:
            raise UserError("give --model or --predictions, not both")
        if boxes != "gt" or flip_test or rotate:
            raise UserError("--boxes, --flip-test and --rotate are for --model, not --predictions")
        jobs.evaluate_predictions(truth, predictions, skeleton, area, out)
        return
    jobs.evaluate_model(
        jobs.Request(
            annotations=truth,
            images=_needed(images, "--images"),
            model=_needed(model, "--model"),
            skeleton=skeleton,
            boxes=boxes,
            flip_test=flip_test,
            rotate=rotate,
            area=area,
            out=out,
            device=device,
            batch_size=batch_size,
        )
    )


def _needed(value: Value | None, option: str) -> Value:
    if value is None:
        raise UserError(f"{option} is needed here; see `aggpose evaluate --help`")
    return value
