"""The doctor's look at picture files: headers, wholeness, rotation tags, look-alikes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from aggpose.data.check_findings import Finding, Id, Source, is_number
from aggpose.data.coco import image_file
from aggpose.data.pictures import jpeg_segments

_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_FLAT = 3.0
"""Grey levels of deviation below which a picture has nothing to be told by."""


@dataclass(frozen=True)
class Header:
    """stored: (width, height) px as stored. orientation: EXIF's 1..8. whole: its end is there."""

    stored: tuple[int, int]
    orientation: int
    whole: bool


@dataclass(frozen=True)
class Picture:
    """What a picture file is.

    problem: code and words when it cannot be used; the rest is then mostly empty.
    stored, shown: (width, height) px without and with the EXIF rotation. turned: it carries a
    rotation tag. digest: SHA-256 of its bytes. look: 128 dHash bits as (8,) uint16, and
    thumbnail: (16, 16) uint8 grey, both as shown; None where not decoded or flat.
    """

    problem: tuple[str, str] | None = None
    stored: tuple[int, int] | None = None
    shown: tuple[int, int] | None = None
    turned: bool = False
    digest: str = ""
    look: np.ndarray | None = None
    thumbnail: np.ndarray | None = None


def jpeg_header(data: bytes) -> Header | None:
    """Size, rotation and wholeness of a JPEG from its segments; None without a frame header."""
    size, orientation = None, 1
    for marker, start, end in jpeg_segments(data):
        if marker == 0xD9:
            return Header(size, orientation, True) if size else None
        if marker in _FRAME_MARKERS and size is None:
            height, width = (
                int.from_bytes(data[start + at : start + at + 2], "big") for at in (3, 5)
            )
            size = (width, height)
        elif marker == 0xE1 and data[start + 2 : start + 8] == b"Exif\0\0":
            orientation = _orientation(data[start + 8 : end])
    return Header(size, orientation, False) if size else None


def _orientation(tiff: bytes) -> int:
    """EXIF's orientation, 1 where there is none."""
    order = "little" if tiff[:2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], order)  # type: ignore[arg-type]

    start = number(4, 4)
    for entry in range(min(number(start, 2), 512)):
        at = start + 2 + 12 * entry
        if number(at, 2) == 0x0112:
            value = number(at + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1


def png_header(data: bytes) -> Header | None:
    """Size and wholeness of a PNG from its chunks."""
    if data[12:16] != b"IHDR":
        return None
    size = (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    position = 8
    while position + 12 <= len(data):
        if data[position + 4 : position + 8] == b"IEND":
            return Header(size, 1, True)
        position += 12 + int.from_bytes(data[position : position + 4], "big")
    return Header(size, 1, False)


def inspect_picture(path: Path, decode: bool = True) -> Picture:
    """Reads one picture file; never raises.

    decode: also decode the pixels of JPEG and PNG. Without, damage inside the file and the look
    stay unknown; other formats are always decoded, since only that tells their size.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Picture(("picture-missing", "no such file"))
    except OSError as error:
        return Picture(("picture-unreadable", f"cannot be read ({error.strerror})"))
    if not data:
        return Picture(("picture-truncated", "the file is empty"))
    digest = hashlib.sha256(data).hexdigest()
    header: Header | None = None
    known = True
    if data[:2] == b"\xff\xd8":
        header = jpeg_header(data)
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        header = png_header(data)
    else:
        known = False
    if known and header is None:
        return Picture(("picture-truncated", "its header is cut off or damaged"), digest=digest)
    if header is not None and not header.whole:
        text = f"cut off: no end after {len(data)} bytes"
        return Picture(("picture-truncated", text), header.stored, digest=digest)
    return _decode(data, header, digest, decode)


def _decode(data: bytes, header: Header | None, digest: str, decode: bool) -> Picture:
    stored = header.stored if header else None
    turned = header is not None and header.orientation != 1
    shown = stored
    if header is not None and stored is not None and header.orientation >= 5:
        shown = (stored[1], stored[0])
    if header is not None and not decode:
        return Picture(None, stored, shown, turned, digest)
    coded = np.frombuffer(data, np.uint8)
    is_jpeg = data[:2] == b"\xff\xd8"
    grey = _read(coded, _grey_flag(stored) if is_jpeg else cv2.IMREAD_GRAYSCALE)
    if grey is None:
        return Picture(("picture-unreadable", "cannot be decoded"), stored, digest=digest)
    if not is_jpeg:
        shown = (grey.shape[1], grey.shape[0])
        if stored is None:
            raw = _read(coded, cv2.IMREAD_UNCHANGED)
            stored = shown if raw is None else (raw.shape[1], raw.shape[0])
        turned = stored != shown
    if not decode or float(grey.std()) < _FLAT:
        return Picture(None, stored, shown, turned, digest)
    return Picture(None, stored, shown, turned, digest, _look(grey), _small(grey, 16, 16))


def _read(coded: np.ndarray, flag: int) -> np.ndarray | None:
    try:
        return cv2.imdecode(coded, flag)
    except cv2.error:  # e.g. larger than OpenCV's limit
        return None


def _grey_flag(size: tuple[int, int] | None) -> int:
    """The coarsest decoding of a JPEG that leaves the look and all its coded data read."""
    side = min(size) if size else 0
    for scale, flag in (
        (8, cv2.IMREAD_REDUCED_GRAYSCALE_8),
        (4, cv2.IMREAD_REDUCED_GRAYSCALE_4),
        (2, cv2.IMREAD_REDUCED_GRAYSCALE_2),
    ):
        if side >= 48 * scale:
            return flag
    return cv2.IMREAD_GRAYSCALE


def _small(grey: np.ndarray, width: int, height: int) -> np.ndarray:
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)


def _look(grey: np.ndarray) -> np.ndarray:
    """Difference hash: which of two neighbours is lighter, 64 pairs across and 64 down."""
    across = np.diff(_small(grey, 9, 8).astype(np.int16), axis=1) > 0
    down = np.diff(_small(grey, 8, 9).astype(np.int16), axis=0) > 0
    return np.packbits(np.concatenate([across.ravel(), down.ravel()])).view(np.uint16)


def check_pictures(
    source: Source, look: Callable[[Path], Picture]
) -> tuple[list[Finding], dict[Id, tuple[int, int] | None]]:
    """Findings about the ``images`` of one file and the pictures they name.

    look: gives the `Picture` of a path. Also returns the size (width, height) px that places can
    be checked against, by image id, None where file and picture disagree or neither says.
    """
    findings = [
        source.finding("entry-malformed", f"images holds {str(entry)[:60]}, not id and file_name")
        for entry in source.malformed_pictures()
    ]
    entries = source.pictures()
    ids = Counter(e["id"] for e in entries)
    paths = Counter(image_file(source.images, e["file_name"]) for e in entries)
    sizes: dict[Id, tuple[int, int] | None] = {}
    said: set[Path] = set()
    for entry in entries:
        key, path = entry["id"], image_file(source.images, entry["file_name"])
        if ids[key] > 1 and key not in sizes:
            text = f"{ids[key]} pictures have id {key}"
            findings.append(source.finding("image-id-twice", text, key))
        if paths[path] > 1 and path not in said:
            text = f"{entry['file_name']} is listed {paths[path]} times"
            findings.append(source.finding("file-name-twice", text, key))
        said.add(path)
        new, size = _check_entry(source, entry, look(path))
        findings += [] if new is None else [new]
        # which of two pictures a person of a double id belongs to is not known
        sizes[key] = size if ids[key] == 1 else None
    return findings, sizes


def _check_entry(
    source: Source, entry: dict[str, Any], picture: Picture
) -> tuple[Finding | None, tuple[int, int] | None]:
    """What is wrong with one picture or its size, and the size to check places against."""
    key, name = entry["id"], entry["file_name"]
    width, height = entry.get("width"), entry.get("height")
    declared = None
    if is_number(width) and is_number(height) and all(1 <= v < np.inf for v in (width, height)):
        declared = (int(width), int(height))
    if picture.problem is not None:
        code, text = picture.problem
        if code == "picture-missing":
            text += _elsewhere(source.images, name)
        return source.finding(code, f"{name}: {text}", key), declared
    shown, stored = picture.shown, picture.stored
    if declared is None:
        text = f"{name}: no usable width and height, the file has {_by(shown)}"
        return source.finding("picture-size-missing", text, key), shown
    if declared == shown:
        if shown != stored:
            text = f"{name}: {_by(shown)} is right as shown, but {_by(stored)} are stored (EXIF)"
            return source.finding("picture-exif", text, key), declared
        if picture.turned:
            text = f"{name}: an EXIF tag turns or mirrors it without changing its size"
            return source.finding("picture-exif-unclear", text, key), declared
        return None, declared
    if declared == stored:
        text = f"{name}: {_by(declared)} is as stored, but as shown (EXIF) it is {_by(shown)}"
        return source.finding("picture-size-stored", text, key), declared
    also = "" if shown == stored else f" ({_by(stored)} before EXIF rotation)"
    text = f"{name}: {_by(declared)} in the annotations, {_by(shown)} in the file{also}"
    return source.finding("picture-size", text, key), None


def _by(size: tuple[int, int] | None) -> str:
    return f"{size[0]}x{size[1]}" if size else "no size"


def _elsewhere(images: Path, name: str) -> str:
    """Where a missing picture lies instead, if in one of the usual places."""
    bare = name.replace("\\", "/").rsplit("/", 1)[-1]
    for place in (images / bare, images.parent / name, images / "images" / name):
        if place.is_file():
            return f" (there is {place})"
    return ""
