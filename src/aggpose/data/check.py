"""The annotation doctor: what in COCO-form key-point files would spoil training or a score.

Any skeleton; key points go by their names in the category. `KINDS` lists all that is looked for.
COCO itself passes without errors: its areas are those of the outlines (smaller than the boxes),
its points lie outside their boxes now and then, and many of its people have no key points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from aggpose.data.check_findings import (
    ERROR,
    INFO,
    KINDS,
    SEVERITIES,
    WARNING,
    Finding,
    Id,
    Kind,
    Source,
)
from aggpose.data.check_fix import mend
from aggpose.data.check_names import check_names, check_sides
from aggpose.data.check_people import check_people
from aggpose.data.check_pictures import Picture, check_pictures, inspect_picture
from aggpose.data.check_split import check_doubles
from aggpose.data.coco import load_coco
from aggpose.errors import UserError

__all__ = [
    "ERROR",
    "INFO",
    "KINDS",
    "SEVERITIES",
    "WARNING",
    "Checked",
    "Finding",
    "Kind",
    "Source",
    "check_files",
    "mend",
    "read_sources",
]


@dataclass(frozen=True)
class Checked:
    """findings: all of them, worst first. sizes: for each file, the (width, height) px of each
    picture by id that places were checked against, None where they could not be."""

    findings: tuple[Finding, ...]
    sizes: tuple[dict[Id, tuple[int, int] | None], ...]


def read_sources(annotations: Sequence[Path], images: Sequence[Path]) -> list[Source]:
    """Annotation files with their folders of pictures.

    images: one folder for all, or one for each file in order. UserError for a file that is not in
    COCO form, a folder that is not there, a file given twice, or another number of folders.
    """
    if len(images) not in (1, len(annotations)):
        raise UserError(
            f"{len(images)} folders of pictures for {len(annotations)} annotation files: "
            "give --images once, or once for each file"
        )
    for folder in images:
        if not Path(folder).is_dir():
            raise UserError(f"{folder}: no such folder of pictures (--images)")
    seen: set[Path] = set()
    for path in annotations:
        if Path(path).resolve() in seen:
            raise UserError(f"{path}: given twice; a file cannot be split from itself")
        seen.add(Path(path).resolve())
    folders = list(images) * (len(annotations) if len(images) == 1 else 1)
    return [
        Source(Path(path), Path(folder), load_coco(path, entries=False))
        for path, folder in zip(annotations, folders, strict=True)
    ]


def check_files(
    sources: Sequence[Source],
    quick: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> Checked:
    """Everything about some annotation files and what they share.

    quick: do not decode JPEG and PNG pictures; then look-alikes and damage inside are not found.
    advance: called once for every listed picture.
    """
    sources = list(sources)
    pictures: dict[Path, Picture] = {}

    def look(path: Path) -> Picture:
        advance()
        if path not in pictures:
            pictures[path] = inspect_picture(path, decode=not quick)
        return pictures[path]

    findings: list[Finding] = []
    sizes = []
    for source in sources:
        found, known = check_pictures(source, look)
        findings += [*check_names(source), *found, *check_people(source, known)]
        findings += check_sides(source)
        sizes.append(known)
    findings += check_doubles(sources, pictures)
    findings.sort(key=lambda f: SEVERITIES.index(f.severity))
    return Checked(tuple(findings), tuple(sizes))
