"""Boxes given in COCO's forms: detections (a list) or annotations (with a list of images)."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aggpose.errors import UserError
from aggpose.formats.coco_results import PERSON

_NOBODY = np.zeros((0, 5))


@dataclass(frozen=True)
class BoxFile:
    """Boxes by picture or by frame.

    path: the file. by_id: image id -> (N, 5) xyxy px and score. by_name: file name (without
    folders) -> image id -> (N, 5), for entries that name their file. ids: file name -> image id.
    """

    path: Path
    by_id: dict[int, np.ndarray]
    by_name: dict[str, dict[int, np.ndarray]]
    ids: dict[str, int]

    def image_id(self, picture: Path) -> int | None:
        """The file's id of a picture: by its name, or a number that is its stem, as COCO's."""
        if picture.name in self.ids:
            return self.ids[picture.name]
        return int(picture.stem) if picture.stem.isdecimal() else None

    def of_picture(self, picture: Path) -> np.ndarray:
        """(N, 5) xyxy px and score; UserError when the file does not tell which are its boxes."""
        if picture.name in self.by_name:
            return np.concatenate(list(self.by_name[picture.name].values()))
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
        if video.name in self.by_name:
            return self.by_name[video.name]
        if self.by_name or not alone:
            raise UserError(
                f"{self.path}: names no boxes for {video.name}; "
                "give each entry the video's 'file_name' and the frame's number as 'image_id'"
            )
        return self.by_id


def read_boxes(path: str | Path) -> BoxFile:
    """Read a box file; entries of other categories than person are left out."""
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: is not JSON (line {error.lineno}: {error.msg})") from None
    names: dict[int, str] = {}
    entries = content
    try:
        if isinstance(content, dict):
            entries = content["annotations"]
            names = {i["id"]: _base(i["file_name"]) for i in content.get("images", [])}
        by_id: dict[int, list[list[float]]] = defaultdict(list)
        by_name: dict[str, dict[int, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
        for entry in entries:
            if entry.get("category_id", PERSON) != PERSON or entry.get("iscrowd", 0):
                continue
            row, image_id = _row(entry), int(entry["image_id"])
            by_id[image_id].append(row)
            if "file_name" in entry:
                by_name[_base(entry["file_name"])][image_id].append(row)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path}: is not a list of COCO detections (image_id, bbox, score): {error}"
        ) from None
    return BoxFile(
        path,
        {i: np.array(rows) for i, rows in by_id.items()},
        {n: {i: np.array(r) for i, r in rows.items()} for n, rows in by_name.items()},
        {name: i for i, name in names.items()},
    )


def _base(file_name: str) -> str:
    return file_name.replace("\\", "/").rsplit("/", 1)[-1]


def _row(entry: dict[str, Any]) -> list[float]:
    x, y, w, h = (float(v) for v in entry["bbox"])
    row = [x, y, x + w, y + h, float(entry.get("score", 1.0))]
    if not np.isfinite(row).all() or w <= 0 or h <= 0:
        raise ValueError(f"bbox {entry['bbox']} is not x, y, width, height of a box")
    return row
