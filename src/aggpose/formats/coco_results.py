"""Predictions in COCO's results form: what COCO's server and pycocotools read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from aggpose.errors import UserError
from aggpose.pose import Poses

PERSON = 1
"""COCO's category of people."""

_COUNTS_FROM = 0.2
"""Key points at or below this score do not count in a pose's score, as published."""


def pose_scores(poses: Poses) -> np.ndarray:
    """(N,) score of each pose: box score times the mean of its key-point scores above 0.2.

    0 where no key point is above that.
    """
    counts = poses.scores > _COUNTS_FROM
    total = np.where(counts, poses.scores, 0.0).sum(axis=1)
    return poses.box_scores * total / np.maximum(counts.sum(axis=1), 1)


def result_entries(
    poses: Poses, image_id: int, file_name: str | None = None, category_id: int = PERSON
) -> list[dict[str, Any]]:
    """One entry a pose.

    ``keypoints`` holds x, y and the point's score by turns (0, 0, 0 where there is nothing),
    ``bbox`` the box that was cropped as x, y, width, height. ``file_name`` is ours, for people.
    """
    points = np.concatenate([poses.keypoints, poses.scores[..., None]], axis=-1)
    points[~np.isfinite(points).all(axis=-1)] = 0.0
    entries = []
    for i, score in enumerate(pose_scores(poses)):
        x1, y1, x2, y2 = poses.boxes[i]
        entry: dict[str, Any] = {
            "image_id": image_id,
            "category_id": category_id,
            "keypoints": [round(float(v), 4) for v in points[i].ravel()],
            "score": round(float(score), 6),
            "bbox": [round(float(v), 2) for v in (x1, y1, x2 - x1, y2 - y1)],
        }
        if file_name is not None:
            entry["file_name"] = file_name
        entries.append(entry)
    return entries


class ResultsWriter:
    """Writes a results file entry by entry, whole or not at all; memory stays flat.

    >>> with ResultsWriter("predictions.json") as results:  # doctest: +SKIP
    ...     results.write(result_entries(poses, image_id=139))
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        self._separator = "[\n"
        try:
            self._file = self._temporary.open("w", encoding="utf-8")
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror})") from None

    def write(self, entries: Iterable[dict[str, Any]]) -> None:
        try:
            for entry in entries:
                self._file.write(self._separator + json.dumps(entry))
                self._separator = ",\n"
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror})") from None

    def __enter__(self) -> ResultsWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            if kind is None:
                self._file.write("[]\n" if self._separator == "[\n" else "\n]\n")
            self._file.close()
            if kind is None:
                self._temporary.replace(self.path)
        except OSError as failure:
            raise UserError(f"{self.path}: cannot be written ({failure.strerror})") from None
        finally:
            with suppress(OSError):
                self._temporary.unlink(missing_ok=True)
