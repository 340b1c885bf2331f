"""`aggpose predict` on pictures: results in COCO's form, overlays and one manifest."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from aggpose.cli.manifest import describe_input, manifest
from aggpose.cli.predict_jobs import PICTURES_MANIFEST, PICTURES_RESULTS, Job
from aggpose.cli.progress import Steps
from aggpose.cli.signals import uninterrupted
from aggpose.cli.sources import Source
from aggpose.data.pictures import read_rgb
from aggpose.draw import draw_notice, draw_poses
from aggpose.errors import UserError
from aggpose.files import write_bytes, write_json
from aggpose.formats.coco_results import ResultsWriter, result_entries
from aggpose.formats.poses_csv import PosesCsvWriter
from aggpose.inference.predict import DEFAULT_BATCH
from aggpose.pose import Poses


def predict_pictures(job: Job, sources: list[Source]) -> list[str]:
    """All files of some pictures; returns one line on each that could not be used.

    Where none could be used, nothing is written.
    """
    done = _PicturesDone()
    try:
        _write_pictures(job, sources, done)
    except _NothingReadable:
        if done.stopped:
            raise KeyboardInterrupt from None
        return done.failed
    settings = job.settings
    warnings = [f"nobody was found in {name}" for name in done.nobody]
    found = len(done.inputs) - len(done.nobody)
    parts: dict[str, Any] = {
        "inputs": done.inputs,
        "counts": {
            "pictures": len(done.inputs),
            "pictures_with_infant": found,
            "pictures_without_infant": len(done.nobody),
            "unreadable": len(done.failed),
        },
    }
    if settings.hide_face and "video" in settings.kinds(True):
        parts["face_hidden"] = len(done.inputs) - len(done.not_hidden)
        parts["face_not_hidden"] = done.not_hidden
        warnings += [f"the face could not be hidden in {name}" for name in done.not_hidden]
    if done.stopped:
        warnings.append(f"stopped after {len(done.inputs) + len(done.failed)} pictures")
    parts["warnings"] = [*warnings, *done.failed]
    content = manifest(job.model_description, job.settings_description(True), **parts)
    write_json(settings.out / PICTURES_MANIFEST, content, indent=2)
    print(f"{len(done.inputs)} pictures, infant in {found} -> {settings.out}")
    for warning in warnings:
        print(f"aggpose: {warning}", file=sys.stderr)
    if done.stopped:
        raise KeyboardInterrupt
    return done.failed


class _NothingReadable(Exception):
    """No picture could be read: results begun are dropped."""


@dataclass
class _PicturesDone:
    """What became of the pictures. failed: one line each; nobody, not_hidden: file names. stopped:
    whether the user did not wait for the rest."""

    inputs: list[dict[str, Any]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    nobody: list[str] = field(default_factory=list)
    not_hidden: list[str] = field(default_factory=list)
    stopped: bool = False


def _write_pictures(job: Job, sources: list[Source], done: _PicturesDone) -> None:
    with ExitStack() as outputs:
        results = None
        if "coco" in job.settings.kinds(True):
            results = outputs.enter_context(ResultsWriter(job.settings.out / PICTURES_RESULTS))
        steps = outputs.enter_context(Steps("pictures", "pictures", len(sources)))
        try:
            for source, image_id in zip(sources, _image_ids(job, sources), strict=True):
                steps.advance()
                _one_picture(job, source, image_id, results, done)
        except KeyboardInterrupt:
            done.stopped = True  # what is done is kept
        if not done.inputs:
            raise _NothingReadable


def _one_picture(
    job: Job, source: Source, image_id: int, results: ResultsWriter | None, done: _PicturesDone
) -> None:
    try:
        image, poses = _picture_poses(job, source)
    except UserError as error:
        done.failed.append(str(error))
        return
    with uninterrupted():  # a picture is in all files and counts, or in none
        hidden = _save_picture(job, source, image, poses)
        if results is not None:
            selected = poses.select(job.skeleton)
            results.write(result_entries(selected, image_id, source.path.name))
        if not hidden:
            done.not_hidden.append(source.path.name)
        done.inputs.append(describe_input(source.path) | {"image_id": image_id})
        if not len(poses):
            done.nobody.append(source.path.name)


def _image_ids(job: Job, sources: list[Source]) -> list[int]:
    """COCO's: of the box file, or the number that is a picture's name; the others get numbers that
    are not taken. A number that two pictures claim stays with the first."""
    if job.boxes is not None:
        given = [job.boxes.image_id(s.path) for s in sources]
    else:
        given = [int(s.path.stem) if s.path.stem.isdecimal() else None for s in sources]
    claimed = {i for i in given if i is not None}
    free = (i for i in count(1) if i not in claimed)
    ids: list[int] = []
    taken: set[int] = set()
    for image_id in given:
        own = image_id if image_id is not None and image_id not in taken else next(free)
        taken.add(own)
        ids.append(own)
    return ids


def _picture_poses(job: Job, source: Source) -> tuple[np.ndarray, Poses]:
    image = read_rgb(source.path)
    settings, given = job.settings, job.boxes
    if given is None:
        return image, job.model.predict(image, flip_test=settings.flip_test)
    found = given.of_picture(source.path)
    (poses,) = job.model.predict_many(
        [(image, found[:, :4], found[:, 4])],
        flip_test=settings.flip_test,
        batch_size=settings.batch_size or DEFAULT_BATCH,
    )
    return image, poses


def _save_picture(job: Job, source: Source, image: np.ndarray, poses: Poses) -> bool:
    """Overlay and table of one picture; False when a face should be hidden and is not."""
    settings, kinds = job.settings, job.settings.kinds(True)
    selected = poses.select(job.skeleton)
    if "csv" in kinds:
        with PosesCsvWriter(settings.output(source, "csv"), job.skeleton) as table:
            table.write(0, 0.0, selected)
    hidden = True
    if "video" in kinds:
        if settings.hide_face:
            hidden = job.face_cover().cover(image, poses, 0, 0.0)
        draw_notice(draw_poses(image, selected, job.model.meta.point_score))
        write_jpeg(settings.output(source, "video"), image)
    return hidden


def write_jpeg(path: Path, image: np.ndarray) -> None:
    """image: (H, W, 3) uint8 RGB. Whole or not at all."""
    done, coded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise UserError(f"{path}: a picture of {image.shape[1]}x{image.shape[0]} px is too large")
    write_bytes(path, coded.tobytes())
