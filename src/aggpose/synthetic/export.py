"""Folders of synthetic pictures in COCO form, by several processes, resumed where they stopped.

While it is written a folder holds ``.parts/``: the settings, and the annotations of finished
batches. At the end they become ``annotations.json``. Running the same command again goes on.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from aggpose import __version__
from aggpose.data.pictures import PICTURE_SUFFIXES, read_rgb
from aggpose.errors import UserError
from aggpose.files import read_json, write_bytes, write_json
from aggpose.skeleton import INFANT24, Skeleton

BATCH = 16
"""Pictures drawn, rendered and written together."""

_PARTS = ".parts"
_LICENCE = {
    "id": 1,
    "name": "CC0 1.0",
    "url": "https://creativecommons.org/publicdomain/zero/1.0/",
}


@dataclass(frozen=True)
class Settings:
    """What a folder of pictures is made from. size: (width, height) px. backgrounds: a folder of
    photographs to use as grounds and backdrops, or empty. nobody: the places without infants, for
    networks that are to learn when to say that nobody is there."""

    count: int
    seed: int = 0
    size: tuple[int, int] = (256, 256)
    skeleton: str = "infant24"
    backgrounds: str = ""
    jpeg_quality: int = 92
    nobody: bool = False


def photos_of(folder: str) -> list[np.ndarray]:
    """The pictures of a folder, (H, W, 3) uint8 RGB, by name; none for an empty name."""
    if not folder:
        return []
    paths = sorted(p for p in Path(folder).glob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    if not paths:
        raise UserError(f"{folder}: no pictures there to be used as backgrounds")
    return [read_rgb(path) for path in paths]


def run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """COCO's uncompressed RLE of a mask (H, W): lengths of runs down the columns, 0 first."""
    flat = mask.T.ravel().astype(np.int8)
    edges = np.flatnonzero(np.diff(flat)) + 1
    ends = np.concatenate([[0] if flat[0] == 0 else [0, 0], edges, [len(flat)]])
    return {"size": list(mask.shape), "counts": np.diff(ends).tolist()}


def annotation_of(index: int, picture: Any, skeleton: Skeleton) -> dict[str, Any]:
    """COCO's entry of a picture's infant, with ``notes`` of all that was drawn."""
    order = [INFANT24.index(name) for name in skeleton.keypoints]
    places = np.where(picture.visibility[:, None] > 0, picture.keypoints, 0.0)[order]
    flags = picture.visibility[order]
    triples = np.concatenate([np.round(places, 2), flags[:, None]], axis=1)
    notes = picture.notes
    return {
        "id": index + 1,
        "image_id": index + 1,
        "category_id": 1,
        "bbox": list(picture.box),
        "area": int(picture.mask.sum()),
        "segmentation": run_lengths(picture.mask),
        "iscrowd": 0,
        "keypoints": [v if i % 3 != 2 else int(v) for i, v in enumerate(triples.ravel().tolist())],
        "num_keypoints": int((flags > 0).sum()),
        "posture": notes["posture"],
        "notes": notes,
    }


def file_name(index: int) -> str:
    return f"images/{index:06d}.jpg"


def synthesize(
    settings: Settings, out: Path, workers: int = 1, say: Callable[[str], None] = print
) -> Path:
    """Make the pictures that are still missing and write ``annotations.json``; returns its path.

    workers: processes. UserError when the folder holds pictures of other settings.
    """
    target = out / "annotations.json"
    if target.exists():
        raise UserError(f"{target}: is already there; give another folder, or remove it")
    parts = out / _PARTS
    photos_of(settings.backgrounds)  # a wrong folder is said before anything is written
    _begin(settings, out)
    starts = range(0, settings.count, BATCH)
    missing = [s for s in starts if not (parts / f"{s:08d}.json").is_file()]
    if len(missing) < len(starts):
        say(f"{out}: going on; {len(starts) - len(missing)} of {len(starts)} batches are there")
    total, done = len(starts), len(starts) - len(missing)
    for _ in _work(settings, out, missing, workers):
        done += 1
        say(f"{min(done * BATCH, settings.count)} of {settings.count} pictures")
    assert done == total
    _assemble(settings, out, starts)
    return target


def _begin(settings: Settings, out: Path) -> None:
    parts = out / _PARTS
    written = parts / "settings.json"
    mine = json.loads(json.dumps(asdict(settings) | {"version": __version__}))
    try:
        if written.is_file():
            if read_json(written, "settings") != mine:
                raise UserError(
                    f"{out}: holds the beginning of other settings ({written}); give the same "
                    "ones to go on, or another folder"
                )
            return
        if out.is_dir() and any(out.iterdir()):
            raise UserError(f"{out}: is not empty; give another folder")
        (out / "images").mkdir(parents=True, exist_ok=True)
        parts.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror})") from None
    write_json(written, mine)


def _work(settings: Settings, out: Path, starts: list[int], workers: int) -> Iterator[int]:
    """Make batches, here or in processes of their own; yields each when it is done."""
    if workers <= 1 or len(starts) <= 1:
        kit = _make_kit(settings)
        for start in starts:
            yield _make_batch(kit, settings, out, start)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers, len(starts)), _enter, (settings, str(out))) as pool:
        yield from pool.imap_unordered(_make_in_process, starts)


_OF_PROCESS: dict[str, Any] = {}


def _enter(settings: Settings, out: str) -> None:
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _OF_PROCESS.update(kit=_make_kit(settings), settings=settings, out=Path(out))


def _make_in_process(start: int) -> int:
    return _make_batch(_OF_PROCESS["kit"], _OF_PROCESS["settings"], _OF_PROCESS["out"], start)


def _make_kit(settings: Settings) -> Any:
    from aggpose.synthetic.picture import Kit

    return Kit(photos=photos_of(settings.backgrounds))


def _make_batch(kit: Any, settings: Settings, out: Path, start: int) -> int:
    from aggpose.skeleton import get_skeleton
    from aggpose.synthetic.picture import make_pictures

    skeleton = get_skeleton(settings.skeleton)
    entries = []
    indices = range(start, min(start + BATCH, settings.count))
    for index, picture in make_pictures(
        kit, settings.seed, indices, settings.size, settings.nobody
    ):
        _, coded = cv2.imencode(
            ".jpg",
            cv2.cvtColor(picture.image, cv2.COLOR_RGB2BGR),
            [cv2.IMWRITE_JPEG_QUALITY, settings.jpeg_quality],
        )
        write_bytes(out / file_name(index), coded.tobytes())
        if settings.nobody:
            entries.append({"id": index + 1, "image_id": index + 1})
        else:
            entries.append(annotation_of(index, picture, skeleton))
    entries.sort(key=lambda entry: entry["id"])
    write_json(out / _PARTS / f"{start:08d}.json", entries)
    return start


def _assemble(settings: Settings, out: Path, starts: range) -> None:
    from aggpose.skeleton import get_skeleton

    skeleton = get_skeleton(settings.skeleton)
    entries = [
        entry
        for start in starts
        for entry in read_json(out / _PARTS / f"{start:08d}.json", "annotations of a batch")
    ]
    width, height = settings.size
    content = {
        "info": {
            "description": "synthetic infants made by aggpose; research use only",
            "version": __version__,
            "settings": asdict(settings) | {"backgrounds": Path(settings.backgrounds).name},
            "left_out": settings.count - len(entries),
        },
        "licenses": [_LICENCE],
        "images": [
            {
                "id": entry["id"],
                "file_name": file_name(entry["id"] - 1),
                "width": width,
                "height": height,
                "license": 1,
            }
            for entry in entries
        ],
        "annotations": [] if settings.nobody else entries,
        "categories": [
            {
                "id": 1,
                "name": "person",
                "supercategory": "person",
                "keypoints": list(skeleton.keypoints),
                "skeleton": [[a + 1, b + 1] for a, b in skeleton.link_indices],
            }
        ],
    }
    write_json(out / "annotations.json", content)
    shutil.rmtree(out / _PARTS, ignore_errors=True)


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
