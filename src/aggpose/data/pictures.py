"""Reading and cropping pictures the one way that the whole project does it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from aggpose.errors import UserError
from aggpose.geometry import apply_affine, compose_affine, invert_affine

_FOREIGN = (".heic", ".heif", ".avif")  # pictures that many builds of OpenCV cannot read
PICTURE_SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".jp2"),
        *(".ppm", ".pgm", *_FOREIGN),
    )
)
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of a JPEG's segments; the end marker 0xD9 comes last where it is there.

    start, end: of what follows the marker, its two bytes of length included. Walks from segment to
    segment, so that the end marker of an embedded preview does not count, nor anything appended
    after the picture (phones append short videos).
    """
    position = 2
    while found := _MARKER.search(data, position):
        marker, position = found.group(1)[0], found.end()
        if marker == 0xD9:
            yield marker, position, position
            return
        if marker != 0x01:  # the only other one without a length
            end = position + int.from_bytes(data[position : position + 2], "big")
            yield marker, position, end
            position = end


def jpeg_is_complete(data: bytes) -> bool:
    """Whether a JPEG's end marker follows its scans."""
    return any(marker == 0xD9 for marker, _, _ in jpeg_segments(data))


def picture_problem(path: Path) -> str | None:
    """``picture missing`` or ``picture unreadable`` where a look at a file's ends tells; None else.

    Two small reads: fit for a hundred thousand pictures before a training begins.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(8)
            if head[:2] != b"\xff\xd8":
                return None if head else "picture unreadable"
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 4096))
            if b"\xff\xd9" in file.read():
                return None
            file.seek(0)
            return None if jpeg_is_complete(file.read()) else "picture unreadable"
    except FileNotFoundError:
        return "picture missing"
    except OSError:
        return "picture unreadable"


def read_rgb(path: str | Path) -> np.ndarray:
    """A picture as shown, (H, W, 3) uint8 RGB; UserError when it cannot be read whole.

    EXIF rotation is applied once. Grey becomes RGB, 16 bit becomes 8, transparency is dropped.
    A truncated JPEG is refused: some OpenCV versions fill the rest with grey without a word, and
    a pose would be read, or learned, from that. Bytes are read first, since OpenCV cannot open
    every path.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if not data:
        raise UserError(f"{path}: is empty")
    if data[:2] == b"\xff\xd8" and not jpeg_is_complete(data):
        raise UserError(f"{path}: is cut off (truncated JPEG); copy the file again")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # e.g. larger than OpenCV's limit
        image = None
    if image is None:
        hint = "; convert it to JPEG or PNG" if path.suffix.lower() in _FOREIGN else ""
        raise UserError(f"{path}: is not a picture that can be read{hint}")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def warp_picture(
    image: np.ndarray, affine: np.ndarray, output: tuple[int, int], antialias: bool = True
) -> np.ndarray:
    """The crop of a picture by a (2, 3) affine (picture px -> crop px), bilinear, black outside.

    image: (H, W, 3) uint8. output: (width, height).
    antialias: where the crop is more than twice coarser than the picture, first reduce it by
        area, so that fine patterns do not turn into noise. The published networks were trained
        without (`ModelMeta.antialias` says what a network wants).
    """
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    if antialias and scale < 0.5:
        image, affine = _what_is_seen(image, affine, output)
        size = tuple(max(1, round(side * 2.0 * scale)) for side in image.shape[1::-1])
        fx, fy = size[0] / image.shape[1], size[1] / image.shape[0]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        # resize joins pixel edges, not centres: x_small = fx * (x + 0.5) - 0.5
        back = np.array([[1 / fx, 0, 0.5 / fx - 0.5], [0, 1 / fy, 0.5 / fy - 0.5]])
        affine = compose_affine(affine, back)
    return cv2.warpAffine(image, affine, output, flags=cv2.INTER_LINEAR)


def _what_is_seen(
    image: np.ndarray, affine: np.ndarray, output: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The part of a picture that a crop shows, with a margin, and the affine from there."""
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * (np.array(output) - 1.0)
    seen = apply_affine(invert_affine(affine), corners)
    margin = 4.0 / np.sqrt(abs(np.linalg.det(affine[:, :2])))  # 4 px of the crop
    limit = np.array(image.shape[1::-1])
    low = np.clip(np.floor(seen.min(axis=0) - margin), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(seen.max(axis=0) + margin) + 1, low + 1, limit).astype(int)
    back = np.array([[1.0, 0.0, low[0]], [0.0, 1.0, low[1]]])
    return image[low[1] : high[1], low[0] : high[0]], compose_affine(affine, back)
