"""The tidy table of a video's key points: ``poses.csv``.

One line a key point: ``frame,time_s,infant,keypoint,x,y,score``. Pixels of the picture as shown
(rotation applied), origin top left, pixel centres at integers. Frames count from 0. ``infant``
counts from 0 within its frame. Where there is nothing, x and y are empty and the score is 0; a
frame with nobody has such lines for infant 0, so that every frame is in the table.
"""

from __future__ import annotations

import csv
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from aggpose.errors import UserError
from aggpose.pose import Poses
from aggpose.skeleton import Skeleton, skeleton_from_names

COLUMNS = ("frame", "time_s", "infant", "keypoint", "x", "y", "score")


class PosesCsvWriter:
    """Writes the table frame by frame; the file takes its name only when it is whole.

    >>> with PosesCsvWriter("clip.poses.csv", skeleton) as table:  # doctest: +SKIP
    ...     table.write(0, 0.0, poses)
    """

    def __init__(self, path: str | Path, skeleton: Skeleton) -> None:
        self.path = Path(path)
        self._skeleton = skeleton
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            self._file = self._temporary.open("w", encoding="utf-8", newline="")
            self._file.write(",".join(COLUMNS) + "\n")
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror})") from None

    def write(self, frame: int, time_s: float, poses: Poses) -> None:
        """frame: from 0. time_s: seconds. poses: of the writer's skeleton."""
        if poses.skeleton.keypoints != self._skeleton.keypoints:
            raise ValueError(f"poses of {poses.skeleton.name} in a table of {self._skeleton.name}")
        start = f"{frame},{time_s:.6f},"
        lines = []
        for infant in range(max(1, len(poses))):
            for k, name in enumerate(self._skeleton.keypoints):
                values = ",,0"
                if infant < len(poses):
                    x, y = poses.keypoints[infant, k]
                    if np.isfinite(x) and np.isfinite(y):
                        values = f"{x:.3f},{y:.3f},{poses.scores[infant, k]:.4f}"
                lines.append(f"{start}{infant},{name},{values}\n")
        try:
            self._file.writelines(lines)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror})") from None

    def __enter__(self) -> PosesCsvWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
            if kind is None:
                self._temporary.replace(self.path)
        except OSError as failure:
            raise UserError(f"{self.path}: cannot be written ({failure.strerror})") from None
        finally:
            with suppress(OSError):
                self._temporary.unlink(missing_ok=True)


@dataclass(frozen=True)
class PoseTable:
    """A table read back: T frames, N infants, K key points.

    frames: (T,) int. times_s: (T,) seconds. keypoints: (T, N, K, 2) px, NaN where nothing.
    scores: (T, N, K), 0 where nothing.
    """

    frames: np.ndarray
    times_s: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray
    skeleton: Skeleton


def read_poses_csv(path: str | Path) -> PoseTable:
    """Read ``poses.csv``; UserError names the line that is wrong. Lines may come in any order."""
    path = Path(path)
    rows: list[tuple[int, float, int, str, float, float, float]] = []
    line = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [c for c in COLUMNS if c not in (reader.fieldnames or ())]
            if missing:
                raise UserError(f"{path}: column {missing[0]!r} is missing")
            for row in reader:
                line = reader.line_num
                x, y = (float(row[c]) if row[c] else np.nan for c in ("x", "y"))
                score = float(row["score"]) if row["score"] else 0.0
                key = int(row["frame"]), float(row["time_s"]), int(row["infant"])
                rows.append((*key, row["keypoint"], x, y, score))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: line {line} is not a line of poses ({error})") from None
    if not rows:
        raise UserError(f"{path}: has no lines of poses")
    return _table(rows)


def _table(rows: list[tuple[int, float, int, str, float, float, float]]) -> PoseTable:
    names = tuple(dict.fromkeys(row[3] for row in rows))
    times = {row[0]: row[1] for row in rows}
    frames = sorted(times)
    at = {f: i for i, f in enumerate(frames)}
    column = {n: i for i, n in enumerate(names)}
    infants = 1 + max(row[2] for row in rows)
    keypoints = np.full((len(frames), infants, len(names), 2), np.nan)
    scores = np.zeros((len(frames), infants, len(names)))
    for frame, _, infant, name, x, y, score in rows:
        where = at[frame], infant, column[name]
        keypoints[where] = x, y
        scores[where] = score
    return PoseTable(
        np.array(frames),
        np.array([times[f] for f in frames]),
        keypoints,
        scores,
        skeleton_from_names(names),
    )
