"""Reading pictures the one way that the whole project reads them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from aggpose.errors import UserError
from aggpose.geometry import compose_affine


def read_rgb(path: Path) -> np.ndarray:
    """A picture as shown, (H, W, 3) uint8 RGB: EXIF rotation applied, grey and 16 bit made RGB.

    UserError when it cannot be read. Reads bytes first, since OpenCV cannot open every path.
    """
    try:
        coded = np.frombuffer(Path(path).read_bytes(), np.uint8)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    image = cv2.imdecode(coded, cv2.IMREAD_COLOR) if len(coded) else None
    if image is None:
        raise UserError(f"{path}: is not a picture that can be read")
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
        size = tuple(max(1, round(side * 2.0 * scale)) for side in image.shape[1::-1])
        fx, fy = size[0] / image.shape[1], size[1] / image.shape[0]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        # resize joins pixel edges, not centres: x_small = fx * (x + 0.5) - 0.5
        back = np.array([[1 / fx, 0, 0.5 / fx - 0.5], [0, 1 / fy, 0.5 / fy - 0.5]])
        affine = compose_affine(affine, back)
    return cv2.warpAffine(image, affine, output, flags=cv2.INTER_LINEAR)
