"""A real ONNX network with known answers: its heat maps peak on discs of given colours.

It finds where the crop has each key point's colour (one minus the squared distance in RGB) and
sums that under a Gaussian around every heat-map cell, with the cells placed exactly as the
published geometry places them. Pictures of painted discs then have an exact truth, so that crops,
affines, decoding, batching, mirroring, EXIF and rotation tags are tested end to end.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from aggpose.geometry import apply_affine, input_to_heatmap, invert_affine
from aggpose.meta import META_KEY, ModelMeta
from aggpose.skeleton import COCO17, mirror_name

GREY = (128, 128, 128)
_LEVELS = (0.0, 0.5, 1.0)
_GRID = [(r, g, b) for r in _LEVELS for g in _LEVELS for b in _LEVELS]
_USABLE = [c for c in _GRID if c not in ((0.5, 0.5, 0.5), (0.0, 0.0, 0.0))]
COLOURS = np.array(_USABLE)
"""(25, 3) RGB in 0..1, far from each other, from grey and from the black outside of pictures."""

SPREAD = 5.0  # px of the crop: the Gaussian under which a cell sums


def colour_net(
    path: Path,
    names: tuple[str, ...] = COCO17.keypoints,
    gain: float = 2.4,
    sided: bool = False,
    upright: bool = False,
) -> Path:
    """Write the network.

    gain: larger makes small discs score higher. sided: left and right share the colour of the left
    point, and which is which is told by the side of the crop (left is at the right, as in somebody
    seen from the front): such a network sees the mirror image as a real one does. upright: points
    of the upper body are hardly seen in the crop's lower third, nor those of the lower in its upper
    third: such a network knows people upright.
    """
    meta = ModelMeta(
        name="colours", keypoints=names, licence="test", source="by formula", upright=upright
    )
    width, height = meta.input_size
    size = (width // 4, height // 4)
    cells = invert_affine(input_to_heatmap(meta.input_size, size))
    x = apply_affine(cells, np.stack([np.arange(size[0]), np.zeros(size[0])], 1))[:, 0]
    y = apply_affine(cells, np.stack([np.zeros(size[1]), np.arange(size[1])], 1))[:, 1]

    def under(centres: np.ndarray, length: int) -> np.ndarray:
        weights = np.exp(-0.5 * ((np.arange(length) - centres[:, None]) / SPREAD) ** 2)
        return (weights / weights.sum(1, keepdims=True)).astype(np.float32)

    colours = COLOURS[: len(names)].copy()
    side = np.ones((len(names), 1, width), np.float32)
    if sided:
        right_half = (np.arange(width) > (width - 1) / 2).astype(np.float32)
        for k, name in enumerate(names):
            if mirror_name(name) != name:
                left = names.index("left_" + name.split("_", 1)[1])
                colours[k] = COLOURS[left]
                side[k] = right_half if name.startswith("left_") else 1 - right_half
    if upright:
        third = np.arange(height) // -(-height // 3)
        there = np.stack([third != (2 if name in COCO17.upper else 0) for name in names])
        side = side * np.where(there, 1.0, 0.3).astype(np.float32)[:, :, None]
    narrow = 10.0  # a squared distance of 0.1 gives nothing; neighbours differ by 0.25 or more
    linear = (2 * narrow * colours).astype(np.float32)
    bias = (1 - narrow * (colours**2).sum(1)).astype(np.float32)
    constants = {
        "std": np.array(meta.std, np.float32).reshape(1, 3, 1, 1),
        "mean": np.array(meta.mean, np.float32).reshape(1, 3, 1, 1),
        "linear": linear.reshape(len(names), 3, 1, 1),
        "bias": bias,
        "square": np.full((1, 3, 1, 1), narrow, np.float32),
        "side": side,
        "rows": under(y, height),
        "columns": under(x, width).T.copy(),
        "gain": np.array(gain, np.float32),
    }
    nodes = [
        helper.make_node("Mul", ["image", "std"], ["scaled"]),
        helper.make_node("Add", ["scaled", "mean"], ["rgb"]),
        helper.make_node("Conv", ["rgb", "linear", "bias"], ["near"]),
        helper.make_node("Mul", ["rgb", "rgb"], ["squares"]),
        helper.make_node("Conv", ["squares", "square"], ["length"]),
        helper.make_node("Sub", ["near", "length"], ["closeness"]),
        helper.make_node("Relu", ["closeness"], ["anywhere"]),
        helper.make_node("Mul", ["anywhere", "side"], ["seen"]),
        helper.make_node("MatMul", ["rows", "seen"], ["summed_rows"]),
        helper.make_node("MatMul", ["summed_rows", "columns"], ["summed"]),
        helper.make_node("Mul", ["summed", "gain"], ["heatmaps"]),
    ]
    shape_in = ["batch", 3, height, width]
    shape_out = ["batch", len(names), size[1], size[0]]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape_in)],
        [helper.make_tensor_value_info("heatmaps", TensorProto.FLOAT, shape_out)],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    helper.set_model_props(model, {META_KEY: meta.to_json()})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def paint(
    size: tuple[int, int], points: np.ndarray, radius: float = 9.0, image: np.ndarray | None = None
) -> np.ndarray:
    """A grey RGB picture (or ``image``) with disc k of colour k at points[k].

    size: (width, height). points: (K, 2) px. Discs are anti-aliased, sub-pixel exact.
    """
    if image is None:
        image = np.full((size[1], size[0], 3), GREY, np.uint8)
    image = image.copy()
    for point, colour in zip(points, COLOURS, strict=False):
        if not np.isfinite(point).all():
            continue
        low = np.floor(point - radius - 2).astype(int).clip(0)
        high = np.ceil(point + radius + 3).astype(int)
        patch = image[low[1] : high[1], low[0] : high[0]]
        if not patch.size:
            continue
        yy, xx = np.mgrid[low[1] : low[1] + patch.shape[0], low[0] : low[0] + patch.shape[1]]
        cover = np.clip(radius + 0.5 - np.hypot(xx - point[0], yy - point[1]), 0, 1)[..., None]
        patch[:] = np.rint(patch * (1 - cover) + 255 * colour * cover)
    return image


FIGURE = np.array(
    # a lying figure in COCO's order, in units of the body's length, y down
    [
        [0.50, 0.06],
        [0.56, 0.02],
        [0.44, 0.02],
        [0.64, 0.07],
        [0.36, 0.07],
        [0.70, 0.24],
        [0.30, 0.24],
        [0.84, 0.36],
        [0.16, 0.36],
        [0.94, 0.22],
        [0.06, 0.22],
        [0.60, 0.60],
        [0.40, 0.60],
        [0.74, 0.78],
        [0.26, 0.78],
        [0.64, 0.96],
        [0.36, 0.96],
    ]
)


def figure(origin: tuple[float, float], length: float, turn: float = 0.0) -> np.ndarray:
    """(17, 2) px: `FIGURE` at an origin, so long, turned clockwise on the screen by degrees."""
    angle = np.deg2rad(turn)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return ((FIGURE - 0.5) @ rotation.T + 0.5) * length + np.asarray(origin)


def save_rgb(path: Path, image: np.ndarray) -> Path:
    """Write an RGB picture in the form that the path's ending names."""
    coded = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    path.write_bytes(coded.tobytes())
    return path


def with_exif_orientation(jpeg: bytes, orientation: int) -> bytes:
    """A JPEG with an EXIF segment that says how to turn it (1..8)."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\x00" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    body = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def write_video(
    path: Path,
    images: list[np.ndarray],
    times_ms: list[int] | None = None,
    rotation: int = 0,
) -> Path:
    """An MP4 (H.264, good quality) of RGB pictures, with times and a rotation tag.

    rotation: degrees counter-clockwise that a player must turn the stored pictures by.
    """
    times_ms = times_ms or [40 * i for i in range(len(images))]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "8"})
        stream.width, stream.height = images[0].shape[1], images[0].shape[0]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        for image, time in zip(images, times_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
