"""The contact sheets of docs/synthetic.md, from a folder that `aggpose synthesize` made.

aggpose synthesize --count 600 --seed 7 --out out/sheets
python benchmarks/synthetic_sheets.py out/sheets docs/pictures
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from aggpose.draw import draw_poses
from aggpose.pose import Poses
from aggpose.skeleton import INFANT24, Skeleton
from aggpose.synthetic.body.keypoints import DEFINITIONS
from aggpose.synthetic.clip import ClipSettings, frames_of, sample_clip
from aggpose.synthetic.picture import POSES_OF_ONE, Kit

TILE, COLUMNS, LABEL = 160, 8, 110


def _elevation(entry: dict[str, Any]) -> str:
    camera = entry["notes"]["camera"]
    sight = np.subtract(camera["target_m"], camera["position_m"])
    above = np.rad2deg(np.arcsin(-sight[2] / np.linalg.norm(sight)))
    return "overhead" if above > 65 else "slanting" if above > 30 else "low"


GROUPS: dict[str, Callable[[dict[str, Any]], str]] = {
    "posture": lambda entry: str(entry["posture"]),
    "clothing": lambda entry: str(entry["notes"]["infant"]["outfit"]),
    "skin": lambda entry: str(entry["notes"]["infant"]["skin"]),
    "camera": _elevation,
}


def skeleton_of(content: dict[str, Any]) -> Skeleton:
    names = tuple(content["categories"][0]["keypoints"])
    if names != INFANT24.keypoints:
        raise SystemExit("make the folder with --skeleton infant24")
    return INFANT24


def picture(folder: Path, entry: dict[str, Any], drawn: bool) -> np.ndarray:
    """(TILE, TILE, 3) uint8 RGB."""
    image = cv2.cvtColor(
        cv2.imread(str(folder / f"images/{entry['image_id'] - 1:06d}.jpg")), cv2.COLOR_BGR2RGB
    )
    if drawn:
        labels = np.array(entry["keypoints"], dtype=float).reshape(1, -1, 3)
        points = np.where(labels[..., 2:] > 0, labels[..., :2], np.nan)
        scores = labels[..., 2] / 2
        image = draw_poses(image, Poses(points, scores, np.zeros((1, 4)), INFANT24, np.ones(1)))
    return cv2.resize(image, (TILE, TILE), interpolation=cv2.INTER_AREA)


def infant(entry: dict[str, Any]) -> int:
    """The number of the infant within its seed."""
    return (int(entry["image_id"]) - 1) // POSES_OF_ONE


def rows(
    folder: Path, entries: list[dict[str, Any]], group: Callable[[dict[str, Any]], str]
) -> Iterator[np.ndarray]:
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        own = found.setdefault(group(entry), [])
        # one of each infant: pictures in a row show the same one
        if all(infant(entry) != infant(other) for other in own):
            own.append(entry)
    for name, members in sorted(found.items()):
        label = np.full((TILE, LABEL, 3), 255, np.uint8)
        for i, word in enumerate(name.split(" ")):
            cv2.putText(
                label,
                word,
                (4, 70 + 18 * i),
                cv2.FONT_HERSHEY_SIMPLEX,
                0.5,
                (0, 0, 0),
                1,
                cv2.LINE_AA,
            )
        tiles = [picture(folder, entry, False) for entry in members[:COLUMNS]]
        tiles += [np.full((TILE, TILE, 3), 255, np.uint8)] * (COLUMNS - len(tiles))
        yield np.hstack([label, *tiles])


def main() -> None:
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    content = json.loads((folder / "annotations.json").read_text())
    skeleton_of(content)
    entries = content["annotations"]
    out.mkdir(parents=True, exist_ok=True)
    for name, group in GROUPS.items():
        write(out / f"synthetic-{name}.jpg", np.vstack(list(rows(folder, entries, group))))
    drawn = [picture(folder, entry, True) for entry in entries[: 3 * COLUMNS]]
    lines = [np.hstack(drawn[i : i + COLUMNS]) for i in range(0, len(drawn), COLUMNS)]
    write(out / "synthetic-keypoints.jpg", np.vstack(lines))
    write(out / "synthetic-definitions.jpg", definitions())


def definitions() -> np.ndarray:
    """A naked infant from the front with every key point's name, and what each means below."""
    kit = Kit()
    clip = sample_clip(kit, 31, ClipSettings(0.1, 30, (960, 1280), "rest", 4.0, "diaper", True))
    image, poses = next(iter(frames_of(kit, clip)))
    image = draw_poses(image, poses)
    height, width = image.shape[:2]
    margin = 330
    canvas = np.full((height, width + 2 * margin, 3), 255, np.uint8)
    canvas[:, margin : margin + width] = image
    middle = poses.keypoints[0, :, 0].mean()
    for left in (True, False):
        own = [k for k in range(len(INFANT24)) if (poses.keypoints[0, k, 0] < middle) == left]
        own.sort(key=lambda k: poses.keypoints[0, k, 1])
        for place, k in enumerate(own):
            y = round((place + 0.5) * height / len(own))
            at = np.rint(poses.keypoints[0, k] + np.array([margin, 0])).astype(int)
            x = margin - 10 if left else margin + width + 10
            cv2.line(canvas, (x, y), at.tolist(), (90, 90, 90), 1, cv2.LINE_AA)
            name, words = (
                INFANT24.keypoints[k],
                textwrap.wrap(DEFINITIONS[INFANT24.keypoints[k]], 44),
            )
            start = 8 if left else margin + width + 14
            put(canvas, name, (start, y - 6), 0.5)
            for row, line in enumerate(words[:4]):
                put(canvas, line, (start, y + 9 + 13 * row), 0.37)
    return canvas


def put(canvas: np.ndarray, text: str, at: tuple[int, int], size: float) -> None:
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 1, cv2.LINE_AA)


def write(path: Path, sheet: np.ndarray) -> None:
    coded = cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(path), coded, [cv2.IMWRITE_JPEG_QUALITY, 82])
    print(f"{path}: {sheet.shape[1]}x{sheet.shape[0]}, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
