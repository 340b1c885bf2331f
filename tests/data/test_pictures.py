from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from colour_net import figure, paint, save_rgb, with_exif_orientation

from aggpose.data.pictures import jpeg_is_complete, read_rgb, warp_picture
from aggpose.errors import UserError
from aggpose.geometry import apply_affine, crop_affine, invert_affine

IMAGE = paint((160, 120), figure((20, 10), 90), radius=4)


def test_colour_order_is_rgb(tmp_path: Path) -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[..., 0] = 255
    np.testing.assert_array_equal(read_rgb(save_rgb(tmp_path / "red.png", image)), image)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("grey.png", IMAGE[..., 0]),
        ("grey16.png", IMAGE[..., 0].astype(np.uint16) * 257),
        ("colour16.png", IMAGE.astype(np.uint16) * 257),
        ("alpha.png", np.dstack([IMAGE, np.full(IMAGE.shape[:2], 255, np.uint8)])),
        ("grey.tif", IMAGE[..., 0]),
        ("größe – 写真.png", IMAGE[..., 0]),
    ],
)
def test_other_depths_and_channels_become_rgb(
    tmp_path: Path, name: str, stored: np.ndarray
) -> None:
    path = tmp_path / name
    path.write_bytes(cv2.imencode(path.suffix, stored)[1].tobytes())
    image = read_rgb(path)
    assert image.shape == (120, 160, 3) and image.dtype == np.uint8
    wanted = IMAGE[..., 0] if stored.ndim == 2 else IMAGE[..., 2]
    assert np.abs(image[..., 0].astype(int) - wanted).max() <= 1


def test_truncated_jpeg_is_refused_by_name(tmp_path: Path) -> None:
    path = save_rgb(tmp_path / "cut.jpg", IMAGE)
    whole = path.read_bytes()
    preview = with_exif_orientation(whole, 6)  # an EXIF segment before the picture
    for data in (whole, preview):
        assert jpeg_is_complete(data)
        assert jpeg_is_complete(data + b"\x00\x00appended\xff\xda\x00\x08video")
        for keep in (0.95, 0.5, 0.2):
            path.write_bytes(data[: int(len(data) * keep)])
            with pytest.raises(UserError, match=r"cut\.jpg: is cut off"):
                read_rgb(path)


def test_the_end_of_an_embedded_preview_does_not_count(tmp_path: Path) -> None:
    path = save_rgb(tmp_path / "a.jpg", IMAGE)
    whole = path.read_bytes()
    small = whole[:2] + b"\xff\xe2" + (len(whole) + 2).to_bytes(2, "big") + whole + whole[2:]
    assert jpeg_is_complete(small)
    assert not jpeg_is_complete(small[: int(len(small) * 0.9)])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.jpg", b"", "is empty"),
        ("text.png", b"hello", "is not a picture"),
        ("phone.heic", b"\x00\x00\x00\x18ftypheic", "convert it to JPEG"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"{name}.*{says}"):
        read_rgb(path)


def test_missing_picture_and_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_rgb(tmp_path / "none.png")
    with pytest.raises(UserError, match="cannot be read"):
        read_rgb(tmp_path)


@pytest.mark.parametrize("rotation", [0.0, 90.0, 200.0])
@pytest.mark.parametrize("center", [(700.0, 500.0), (300.0, 210.0)])
def test_a_reduced_crop_is_not_shifted(center: tuple[float, float], rotation: float) -> None:
    """A ramp keeps its values wherever the crop lies: half a crop pixel off would be 4 levels."""
    x, y = np.meshgrid(np.arange(1400.0), np.arange(1000.0))
    ramp = np.stack([x / 1400, y / 1000, (x + y) / 2400], axis=-1) * 250
    affine = crop_affine(np.array(center), np.array([480.0, 640.0]), rotation, (48, 64))
    crop = warp_picture(np.round(ramp).astype(np.uint8), affine, (48, 64))
    at = np.stack(np.meshgrid(np.arange(48.0), np.arange(64.0)), axis=-1).reshape(-1, 2)
    there = apply_affine(invert_affine(affine), at)
    inside = ((there > 15) & (there < np.array([1384, 984]))).all(axis=1)
    px, py = there[inside].T
    expected = np.stack([px / 1400, py / 1000, (px + py) / 2400], axis=-1) * 250
    assert inside.sum() > 1000
    assert np.abs(crop.reshape(-1, 3)[inside] - expected).max() < 1.2
