"""Boxes given in COCO's forms: detections (a list) or annotations (with a list of images)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aggpose.errors import UserError
from aggpose.files import read_json
from aggpose.formats.coco_results import PERSON

_NOBODY = np.zeros((0, 5))


@dataclass(frozen=True)
class BoxFile:
    """Boxes by picture or by frame.

    path: the file. by_id: image id -> (N, 5) xyxy px and score. by_name: file name as given, with
    ``/`` -> image id -> (N, 5), for entries that name their file. ids: file name -> image id.
    empty: boxes without size, which were left out.
    """

    path: Path
    by_id: dict[int, np.ndarray]
    by_name: dict[str, dict[int, np.ndarray]]
    ids: dict[str, int]
    empty: int = 0

    def image_id(self, picture: Path) -> int | None:
        """The file's id of a picture: by its name, or a number that is its stem, as COCO's."""
        name = self._named(picture, self.ids)
        if name is not None:
            return self.ids[name]
        return int(picture.stem) if picture.stem.isdecimal() else None

    def of_picture(self, picture: Path) -> np.ndarray:
        """(N, 5) xyxy px and score; UserError when the file does not tell which are its boxes."""
        name = self._named(picture, self.by_name)
        if name is not None:
            return np.concatenate(list(self.by_name[name].values()))
        image_id = self.image_id(picture)
        if image_id is None:
            raise UserError(
                f"{self.path}: names no boxes for {picture.name}; "
                "give entries a 'file_name', or name pictures by their image_id"
            )
        return self.by_id.get(image_id, _NOBODY)

    def of_video(self, video: Path, alone: bool) -> dict[int, np.ndarray]:
        """Frame index -> (N, 5). In a video, image_id is the frame's number, from 0.

        alone: this is the only video, so that entries without a file name are its.
        """
        name = self._named(video, self.by_name)
        if name is not None:
            return self.by_name[name]
        if self.by_name or not alone:
            raise UserError(
                f"{self.path}: names no boxes for {video.name}; "
                "give each entry the video's 'file_name' and the frame's number as 'image_id'"
            )
        return self.by_id

    def _named(self, file: Path, names: Mapping[str, object]) -> str | None:
        """The name in the box file that means a file: by its last part, or where several end so, by
        the folders before it. UserError where it could be several."""
        same = [n for n in names if n.rsplit("/", 1)[-1] == file.name]
        if len(same) > 1:
            whole = "/" + file.absolute().as_posix().lstrip("/")
            same = [n for n in same if whole.endswith("/" + n.lstrip("./"))] or same
        if len(same) > 1:
            raise UserError(
                f"{self.path}: {same[0]} and {same[1]} could both be {file}; "
                "give 'file_name' with the folders that tell them apart"
            )
        return same[0] if same else None


def read_boxes(path: str | Path) -> BoxFile:
    """Read a box file; entries of other categories than person are left out.

    Where the file lists a single category, that one counts whatever its number.
    """
    path = Path(path)
    content = read_json(path)
    names: dict[int, str] = {}
    empty = 0
    entries, person = content, PERSON
    by_id: dict[int, list[list[float]]] = defaultdict(list)
    by_name: dict[str, dict[int, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    try:
        if isinstance(content, dict):
            entries = content["annotations"]
            names = {i["id"]: _slashes(i["file_name"]) for i in content.get("images", [])}
            if len(content.get("categories", [])) == 1:
                person = content["categories"][0]["id"]
        for entry in entries:
            if entry.get("category_id", person) != person or entry.get("iscrowd", 0):
                continue
            row, image_id = _row(entry), _image_id(entry)
            if row[2] <= row[0] or row[3] <= row[1]:
                empty += 1
                continue
            by_id[image_id].append(row)
            if "file_name" in entry:
                by_name[_slashes(entry["file_name"])][image_id].append(row)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path}: is not a list of COCO detections (image_id, bbox, score): {error}"
        ) from None
    if entries and not by_id and empty:
        raise UserError(f"{path}: none of its boxes has a size (bbox is x, y, width, height)")
    if entries and not by_id:
        raise UserError(
            f"{path}: none of its {len(entries)} boxes is of category {person} (person)"
        )
    return BoxFile(
        path,
        {i: np.array(rows) for i, rows in by_id.items()},
        {n: {i: np.array(r) for i, r in rows.items()} for n, rows in by_name.items()},
        {name: i for i, name in names.items()},
        empty,
    )


def _slashes(file_name: str) -> str:
    return file_name.replace("\\", "/")


def _image_id(entry: dict[str, Any]) -> int:
    """Of a picture that is named by its file, no number is needed."""
    if "image_id" not in entry and "file_name" in entry:
        return 0
    return int(entry["image_id"])


def _row(entry: dict[str, Any]) -> list[float]:
    x, y, w, h = (float(v) for v in entry["bbox"])
    row = [x, y, x + w, y + h, float(entry.get("score", 1.0))]
    if not np.isfinite(row).all():
        raise ValueError(f"bbox {entry['bbox']} is not x, y, width, height of a box")
    return row
