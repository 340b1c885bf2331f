"""What the annotation doctor can find: every kind, how bad it is, and the mend."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

ERROR, WARNING, INFO = "error", "warning", "info"
SEVERITIES = (ERROR, WARNING, INFO)
"""Worst first. Errors make training or a score wrong or impossible; warnings deserve a look and
occur in good data too; infos are only worth knowing."""

Id = int | str
"""An image's or annotation's id, as the file gives it."""


@dataclass(frozen=True)
class Kind:
    """One kind of finding. mend: what to do about it. fixable: whether ``--fix`` does it."""

    severity: str
    mend: str
    fixable: bool = False


@dataclass(frozen=True)
class Finding:
    """One thing found.

    severity: error, warning or info. code: a key of `KINDS`. file: the annotation file.
    image_id, annotation_id: the file's own, None where the finding is not about one.
    message: what is wrong, with numbers, and the mend.
    """

    severity: str
    code: str
    file: str
    image_id: Id | None
    annotation_id: Id | None
    message: str

    @property
    def fixable(self) -> bool:
        return KINDS[self.code].fixable


@dataclass(frozen=True)
class Source:
    """One annotation file as read, and the folder that its file names are relative to."""

    path: Path
    images: Path
    content: dict[str, Any]

    def finding(
        self, code: str, what: str, image: object = None, annotation: object = None
    ) -> Finding:
        """A finding in this file. image, annotation: ids; dropped where they are none."""
        kind = KINDS[code]
        message = f"{what}; {kind.mend}" if kind.mend else what
        return Finding(
            severity=kind.severity,
            code=code,
            file=str(self.path),
            image_id=image if is_id(image) else None,
            annotation_id=annotation if is_id(annotation) else None,
            message=message,
        )

    def pictures(self) -> list[dict[str, Any]]:
        """The entries of ``images`` that have an id and a file name."""
        return [e for e in self.content["images"] if _is_picture(e)]

    def malformed_pictures(self) -> list[Any]:
        """The other entries of ``images``."""
        return [e for e in self.content["images"] if not _is_picture(e)]

    def people(self) -> list[dict[str, Any]]:
        """The entries of ``annotations`` that are objects."""
        return [a for a in self.content.get("annotations", []) if isinstance(a, dict)]

    def categories(self) -> list[dict[str, Any]]:
        """The entries of ``categories`` that are objects with an id."""
        return [
            c
            for c in self.content.get("categories", [])
            if isinstance(c, dict) and is_id(c.get("id"))
        ]


def _is_picture(entry: object) -> bool:
    return isinstance(entry, dict) and is_id(entry.get("id")) and is_name(entry.get("file_name"))


def is_id(value: object) -> TypeGuard[int | str]:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value


def is_number(value: object) -> TypeGuard[int | float]:
    """A number that fits a float; NaN and infinities too, as Python's JSON reads them."""
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < 2**1000
    return isinstance(value, float)


def some(items: list[str], most: int = 4) -> str:
    """The first few, and how many more there are."""
    rest = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + rest


_FIX = "--fix"

KINDS: dict[str, Kind] = {
    # the file
    "entry-malformed": Kind(ERROR, "write it as COCO does, or drop it"),
    "names-missing": Kind(ERROR, "points are matched by name"),
    "names-differ": Kind(ERROR, "only the first is read; keep one file for each set of names"),
    "name-twice": Kind(ERROR, "give every key point its own name"),
    "name-unknown": Kind(WARNING, "rename them so that they match a skeleton, or ignore this"),
    "name-order": Kind(INFO, "fine, points are matched by name"),
    "name-subset": Kind(INFO, "fine, the missing points count as not labelled"),
    "mirror-open": Kind(ERROR, "flipping needs both sides: add the name, points 0, 0, 0"),
    "link-out-of-range": Kind(ERROR, "links count key points from 1"),
    "sides-swapped": Kind(WARNING, "look at some: left is the subject's own left"),
    # ids
    "image-id-twice": Kind(ERROR, "give every picture its own id"),
    "file-name-twice": Kind(ERROR, "merge the two entries"),
    "annotation-id-twice": Kind(ERROR, "give every annotation its own id"),
    "annotation-id-missing": Kind(ERROR, "number the annotations from 1"),
    "annotation-id-zero": Kind(
        WARNING,
        "COCO's evaluation takes id 0 for 'no match', so a hit counts as a miss: start at 1",
    ),
    "image-unknown": Kind(ERROR, "add the picture to 'images' or drop the annotation"),
    "category-unknown": Kind(ERROR, "add the category or mend category_id"),
    # boxes
    "box-malformed": Kind(ERROR, "give bbox as four numbers x, y, width, height"),
    "box-empty": Kind(ERROR, "such people are left out: draw the box again"),
    "box-tiny": Kind(WARNING, "people in boxes up to 1 px are left out"),
    "box-outside": Kind(ERROR, "draw the box again, or mend image_id"),
    "box-over-edge": Kind(WARNING, f"clip it to the picture ({_FIX} does)", fixable=True),
    "area-missing": Kind(ERROR, f"OKS needs it: {_FIX} writes width x height", fixable=True),
    "area-impossible": Kind(ERROR, f"OKS needs it: {_FIX} writes width x height", fixable=True),
    "area-small": Kind(WARNING, "AP falls with the area: look whether it is the person's"),
    # key points
    "no-keypoints": Kind(INFO, "left out in training and evaluation"),
    "keypoints-length": Kind(ERROR, "write x, y, flag for every name of the category"),
    "keypoints-malformed": Kind(ERROR, "write finite numbers only"),
    "flag-impossible": Kind(ERROR, "flags are 0 not labelled, 1 hidden, 2 seen"),
    "flag-zero-with-place": Kind(WARNING, "the point is not used: flag it 1 or 2, or write 0, 0"),
    "point-at-origin": Kind(ERROR, f"flag 0 is meant ({_FIX} writes it)", fixable=True),
    "point-outside-picture": Kind(ERROR, f"{_FIX} marks it as not labelled", fixable=True),
    "point-outside-box": Kind(WARNING, "look whether the box or the point is wrong"),
    "num-keypoints": Kind(ERROR, f"count the flags above 0 ({_FIX} does)", fixable=True),
    "person-twice": Kind(ERROR, "drop one: the second can never be matched"),
    "sides-crossed": Kind(INFO, "look whether left and right are swapped in one of them"),
    # pictures
    "picture-missing": Kind(ERROR, "copy it there, or give the right --images"),
    "picture-unreadable": Kind(ERROR, "copy the file again, or save it as JPEG or PNG"),
    "picture-truncated": Kind(ERROR, "copy the file again"),
    "picture-size": Kind(
        ERROR, "mend the size or put the right picture there (places were not checked against it)"
    ),
    "picture-size-missing": Kind(WARNING, "add width and height in pixels"),
    "picture-size-stored": Kind(
        ERROR, "aggpose reads pictures as shown: save it without the tag, pixels unchanged"
    ),
    "picture-exif": Kind(INFO, "aggpose reads it so; tools that ignore EXIF do not"),
    "picture-exif-unclear": Kind(
        WARNING, "look whether the points lie on the picture as shown, and save it without the tag"
    ),
    "picture-twice": Kind(WARNING, "keep one, or merge their people"),
    "picture-near": Kind(INFO, "keep them on one side of a split"),
    # between files
    "split-same-picture": Kind(ERROR, "keep it on one side only"),
    "split-same-name": Kind(WARNING, "look whether they show the same scene"),
    "split-same-source": Kind(WARNING, "keep one source on one side"),
    "split-near-picture": Kind(WARNING, "keep look-alikes on one side"),
}
"""Every code. See `Kind`."""
