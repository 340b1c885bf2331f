"""What a model file says of itself: read back as written, refused where it cannot be right."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aggpose.errors import UserError
from aggpose.meta import ModelMeta
from aggpose.skeleton import COCO17, INFANT24

META = ModelMeta("test", INFANT24.keypoints, (160, 192), map_sigma=1.5, upright=True, licence="CC0")


def changed(**values: Any) -> str:
    return json.dumps({**json.loads(META.to_json()), **values})


def test_it_is_read_back_as_written() -> None:
    assert ModelMeta.from_json(META.to_json(), "net.onnx") == META
    plain = ModelMeta("test", COCO17.keypoints)
    assert ModelMeta.from_json(plain.to_json(), "net.onnx") == plain


def test_whole_numbers_are_numbers_too() -> None:
    read = ModelMeta.from_json(changed(mean=[0, 0, 0], std=[1, 1, 1], map_sigma=2), "net.onnx")
    assert read.mean == (0, 0, 0) and read.map_sigma == 2


WRONG: list[tuple[str, Any]] = [
    ("name", 5),
    ("keypoints", 24),
    ("keypoints", []),
    ("keypoints", ["nose", 5]),
    ("keypoints", ["nose", ""]),
    ("input_size", "x"),
    ("input_size", [192]),
    ("input_size", [192, 256, 3]),
    ("input_size", [192.0, 256.5]),
    ("input_size", [0, 256]),
    ("input_size", [100, 256]),
    ("input_size", [32_000_000, 256]),
    ("mean", 0.5),
    ("mean", [0.5, 0.5]),
    ("mean", [123.675, 116.28, 103.53]),
    ("mean", [float("nan"), 0.5, 0.5]),
    ("std", [0, 0, 0]),
    ("std", [0.2, 0.2, -0.2]),
    ("std", [float("inf"), 0.2, 0.2]),
    ("box_padding", 0),
    ("box_padding", True),
    ("decode_kernel", 10),
    ("decode_kernel", 0),
    ("decode_kernel", 11.0),
    ("map_sigma", -1),
    ("map_sigma", None),
    ("antialias", 1),
    ("upright", "no"),
    ("point_score", 0),
    ("point_score", 20),
    ("parameters", -1),
    ("macs", 10**100),
    ("licence", ["CC0"]),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_values_that_cannot_be_right_are_named(key: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf"net\.onnx: .* damaged \({key} is ") as refused:
        ModelMeta.from_json(changed(**{key: value}), "net.onnx")
    assert len(str(refused.value)) < 300 and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "5",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"format": 1}',
        "[" * 100_000,
        changed(colour="red"),
        changed(keypoints=["nose", "nose"]),
        changed(keypoints=["left_knee"]),
    ],
    ids=range(12),
)
def test_texts_that_are_no_description_name_the_file(text: str) -> None:
    with pytest.raises(UserError, match=r"^net\.onnx: its aggpose metadata is damaged") as refused:
        ModelMeta.from_json(text, "net.onnx")
    assert "\n" not in str(refused.value)


def test_files_of_later_versions_say_so() -> None:
    with pytest.raises(UserError, match=r"net\.onnx: is of format 2: update aggpose"):
        ModelMeta.from_json(changed(format=2), "net.onnx")
