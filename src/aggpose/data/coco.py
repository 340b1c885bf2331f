"""Reading key points in COCO form, for any skeleton, matched by name.

The file's own names (``categories[].keypoints``) decide which number is which point; the order in
the file never matters. Points of the wanted skeleton that the file does not label are masked, so
people with 12, 17 or 24 labelled kinds can train and score one network together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aggpose.data.pictures import PICTURE_SUFFIXES, picture_problem, read_rgb
from aggpose.errors import UserError
from aggpose.files import read_json
from aggpose.skeleton import Skeleton


@dataclass(frozen=True)
class Person:
    """One labelled person.

    image_path: the picture. image_id, annotation_id: the file's own.
    image_size: (width, height) px as the file says.
    box: (4,) float64 xywh px. area: px², as the file says.
    keypoints: (K, 2) float32 px in the wanted skeleton's order, 0 where not labelled.
    visibility: (K,) int8, COCO's 0 not labelled, 1 labelled but hidden, 2 seen; 0 where the file
        does not know this kind of point.
    nobody: there is none to be found. posture: as the file says, if it does.
    """

    image_path: Path
    image_id: int
    annotation_id: int
    image_size: tuple[int, int]
    box: np.ndarray
    area: float
    keypoints: np.ndarray
    visibility: np.ndarray
    nobody: bool = False
    posture: str = ""


@dataclass(frozen=True)
class People:
    """The usable people of one annotation file.

    labelled: (K,) bool, which points of the skeleton the file names at all.
    skipped: why entries were left out, and how many.
    """

    skeleton: Skeleton
    labelled: np.ndarray
    records: tuple[Person, ...]
    skipped: dict[str, int]


_NEEDED = {"images": ("id", "file_name"), "annotations": ("image_id",)}


def load_coco(path: Path, entries: bool = True) -> dict[str, Any]:
    """An annotation file as a dict; UserError when it is not one.

    entries: refuse entries of images and annotations that cannot be told apart or opened;
    `aggpose check` reports them instead.
    """
    content = read_json(path, "annotation file")
    if not isinstance(content, dict) or "images" not in content:
        raise UserError(f"{path}: is not a COCO annotation file (no list 'images')")
    for key in ("images", "annotations", "categories"):
        if not isinstance(content.get(key, []), list):
            raise UserError(f"{path}: '{key}' must be a list")
    for kind, needed in _NEEDED.items() if entries else ():
        for i, entry in enumerate(content.get(kind, [])):
            missing = [k for k in needed if not isinstance(entry, dict) or k not in entry]
            if missing:
                raise UserError(f"{path}: entry {i} of '{kind}' has no {missing[0]!r}")
            if not isinstance(entry.get("file_name", ""), str):
                raise UserError(
                    f"{path}: entry {i} of '{kind}': file_name must be text, "
                    f"not {entry['file_name']!r}"
                )
    return content


def keypoint_names(content: dict[str, Any], path: Path | str) -> tuple[str, ...]:
    """Names of the key points in a COCO file, in the file's order."""
    for category in content.get("categories", []):
        if category.get("keypoints"):
            return tuple(category["keypoints"])
    raise UserError(
        f"{path}: no category lists 'keypoints'; add the names so that points can be matched"
    )


def image_file(images: Path, file_name: str) -> Path:
    """Where a picture lies; file names may carry either kind of slash."""
    return Path(images) / file_name.replace("\\", "/")


def read_people(annotations: Path, images: Path, skeleton: Skeleton) -> People:
    """The people of a COCO-form file that can train or score a network.

    annotations: the JSON file. images: the folder that ``file_name`` is relative to. Left out and
    counted in ``skipped``: crowds, boxes without size, people without a labelled point of the
    skeleton, pictures that are missing, empty or cut off (told by their first and last bytes, not
    by decoding), malformed entries.
    """
    content = load_coco(annotations)
    names = keypoint_names(content, annotations)
    where = np.array([names.index(n) if n in names else -1 for n in skeleton.keypoints])
    if (where < 0).all():
        raise UserError(
            f"{annotations}: none of its key points ({', '.join(names)}) is in {skeleton.name}"
        )
    pictures = {entry["id"]: entry for entry in content["images"]}
    problems: dict[int, str | None] = {}
    skipped: Counter[str] = Counter()
    records = []
    for annotation in content.get("annotations", []):
        reason = unusable(annotation, pictures, len(names))
        if reason is None:
            entry = pictures[annotation["image_id"]]
            path = image_file(images, entry["file_name"])
            if entry["id"] not in problems:
                problems[entry["id"]] = picture_problem(path)
            reason = problems[entry["id"]]
            if reason is None:
                person = _person(annotation, entry, path, where)
                if (person.visibility > 0).any():
                    records.append(person)
                    continue
                reason = "no key points"
        skipped[reason] += 1
    return People(skeleton, where >= 0, tuple(records), dict(skipped))


def read_nobody(images: Path, skeleton: Skeleton, held_out: int = 0) -> People:
    """The pictures of a folder, which show nobody; the last ``held_out`` by name are left out."""
    paths = sorted(p for p in Path(images).glob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    if len(paths) <= held_out:
        raise UserError(f"{images}: {len(paths)} pictures, of which {held_out} are to be held out")
    records, count = [], len(skeleton)
    for path in paths[: len(paths) - held_out]:
        height, width = read_rgb(path).shape[:2]
        records.append(
            Person(
                image_path=path,
                image_id=-1,
                annotation_id=-1,
                image_size=(width, height),
                box=np.array([0.0, 0.0, width, height]),
                area=float(width * height),
                keypoints=np.zeros((count, 2), np.float32),
                visibility=np.zeros(count, np.int8),
                nobody=True,
            )
        )
    return People(skeleton, np.zeros(count, bool), tuple(records), {})


def unusable(annotation: dict[str, Any], pictures: Collection[int], kinds: int) -> str | None:
    """Why an annotation cannot be used, None when it can.

    pictures: ids of the pictures listed. kinds: how many kinds of key points the file labels.
    """
    if annotation.get("image_id") not in pictures:
        return "picture not listed"
    if annotation.get("iscrowd", 0):
        return "crowd"
    keypoints = annotation.get("keypoints")
    if not keypoints:
        return "no key points"
    if len(keypoints) != 3 * kinds:
        return "wrong number of key points"
    box = annotation.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        return "no box"
    try:
        if not np.isfinite(np.array([*keypoints, *box], dtype=np.float64)).all():
            return "not a number"
    except (TypeError, ValueError):
        return "not a number"
    if not set(keypoints[2::3]) <= {0, 1, 2}:
        return "impossible visibility flag"
    if not (box[2] > 1 and box[3] > 1):
        return "box without size"
    if not any(keypoints[2::3]):
        return "no key points"
    return None


def _person(
    annotation: dict[str, Any], entry: dict[str, Any], path: Path, where: np.ndarray
) -> Person:
    labels = np.array(annotation["keypoints"], dtype=np.float32).reshape(-1, 3)[where]
    labels[where < 0] = 0
    box = np.array(annotation["bbox"], dtype=np.float64)
    return Person(
        image_path=path,
        image_id=entry["id"],
        annotation_id=annotation.get("id", -1),
        image_size=(int(entry.get("width", 0)), int(entry.get("height", 0))),
        box=box,
        area=float(annotation.get("area", box[2] * box[3])),
        keypoints=np.where(labels[:, 2:] > 0, labels[:, :2], 0),
        visibility=labels[:, 2].astype(np.int8),
        posture=str(annotation.get("posture", "")),
    )
