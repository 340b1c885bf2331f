"""Descriptions of networks that are not ours: a YAML file beside an ONNX file, and its reading.

A top-down network takes a crop around one person and gives key points in one of three forms. The
description says which, and all else that a graph does not tell. Every key is commented in
``docs/foreign.md``; a key that is not known is refused.

Frames of reference. Crop pixels have their centres at integers: the crop spans -0.5 to width - 0.5.
What a network says is brought there by:

==========  =====================================================================================
heatmaps    by ``cells``, (w, h) cells on a (W, H) crop. ``corners``: ``x = c * (W - 1) / (w - 1)``,
            the first and last cells lie on the first and last pixels (unbiased, "UDP", coding).
            ``multiples``: ``x = c * W / w``, cell 0 lies on pixel 0. ``centres``:
            ``x = (c + 0.5) * W / w - 0.5``, cells tile the crop. ``widths``: as corners, with the
            factor of the widths in both directions about the middle: ours, `geometry`.
simcc       ``x = bin / split_ratio``: bin 0 lies on the first pixel's centre.
keypoints   ``pixels``: ``x = value + shift``. ``normalised``: ``x = value * W + shift``; a shift of
            -0.5 says that 0 and 1 are the outer edges of the crop.
==========  =====================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from aggpose.errors import UserError
from aggpose.heatmaps import decode_kernel
from aggpose.meta import ModelMeta
from aggpose.skeleton import get_skeleton, skeleton_from_names

DOCUMENTED = "docs/foreign.md"

Triple = tuple[float, float, float]
Count = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class InputPart(_Part):
    """What the network is fed. name: of the graph's input, None where it has one only. size:
    (width, height) px. layout: ``nchw`` or ``nhwc``. channels: their order. white: the value of a
    full channel before ``(value - mean) / std``; mean and std: in the order of ``channels``.
    Integers are fed as they are: white 255, mean 0, std 1."""

    name: str | None = None
    size: tuple[Count, Count]
    layout: Literal["nchw", "nhwc"]
    dtype: Literal["float32", "float16", "int32", "uint8"] = "float32"
    channels: Literal["rgb", "bgr"]
    white: Positive = 255.0
    mean: Triple = (0.0, 0.0, 0.0)
    std: tuple[Positive, Positive, Positive] = (1.0, 1.0, 1.0)

    @model_validator(mode="after")
    def _integers_are_colours(self) -> InputPart:
        plain = self.white == 255 and not any(self.mean) and set(self.std) == {1.0}
        if not self.dtype.startswith("float") and not plain:
            raise ValueError(f"{self.dtype} takes colours 0..255: leave white, mean and std away")
        if min(self.size) < 2:
            raise ValueError("the input is at least 2 pixels wide and high")
        return self

    @model_validator(mode="after")
    def _mean_and_std_are_of_white(self) -> InputPart:
        white, highest = self.white, max(self.mean)
        if min(self.mean) < 0 or highest > white:
            raise ValueError(
                f"mean {list(self.mean)} lies outside of 0..{white:g}, the colours by white; "
                "white is 255 where mean is of 0..255, and 1 where it is of 0..1"
            )
        if white == 255 and min(self.mean) > 0 and highest <= 1 and max(self.std) <= 1:
            raise ValueError(
                f"mean {list(self.mean)}, std {list(self.std)} are of colours 0..1: give white: 1"
            )
        return self


class CropPart(_Part):
    """How a box becomes a crop. rule: ``aspect``, the box is padded to the input's aspect, then
    enlarged by ``padding``. antialias: reduce large pictures by area first. upright: the network
    knows people upright only, so crops are turned (`ModelMeta.upright`)."""

    rule: Literal["aspect"] = "aspect"
    padding: Annotated[float, Field(ge=1, le=4)]
    antialias: bool = False
    upright: bool = False


class HeatmapOutput(_Part):
    """Heat maps (B, K, h, w), or (B, h, w, K) with layout ``nhwc``; peaks are the scores. kernel:
    odd, DARK's smoothing window in cells, None for the one of our maps of that width."""

    kind: Literal["heatmaps"]
    name: str | None = None
    layout: Literal["nchw", "nhwc"] = "nchw"
    cells: Literal["corners", "multiples", "centres", "widths"]
    kernel: Count | None = None

    @model_validator(mode="after")
    def _odd(self) -> HeatmapOutput:
        if self.kernel is not None and self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, not {self.kernel}")
        return self


class SimccOutput(_Part):
    """Two outputs, (B, K, W * split_ratio) and (B, K, H * split_ratio): a value for every bin. The
    score is the lower of both peaks."""

    kind: Literal["simcc"]
    x: str
    y: str
    split_ratio: Positive


class KeypointOutput(_Part):
    """Key points (B, K, columns), with axes of length 1 anywhere before K. columns: what the last
    axis holds. scores: the output (B, K) that holds them where ``columns`` names no score."""

    kind: Literal["keypoints"]
    name: str | None = None
    columns: Annotated[tuple[Literal["x", "y", "score", "unused"], ...], Field(min_length=2)]
    scores: str | None = None
    units: Literal["pixels", "normalised"]
    shift: float

    @model_validator(mode="after")
    def _complete(self) -> KeypointOutput:
        if any(self.columns.count(c) != 1 for c in ("x", "y")) or self.columns.count("score") > 1:
            raise ValueError("columns name x once, y once, and score once at most")
        if ("score" in self.columns) == (self.scores is not None):
            raise ValueError("the score is either one of columns or the output that scores names")
        return self


class Description(_Part):
    """A foreign network in words. skeleton: the name of one of ours; or keypoints: names in the
    network's order. score_kind: ``peak``, or ``similarity`` where scores are terms of OKS to expect
    (`aggpose.decoding`). point_score: from which score on a key point counts."""

    name: str
    licence: str
    source: str
    skeleton: str | None = None
    keypoints: tuple[str, ...] | None = None
    input: InputPart
    crop: CropPart
    output: Annotated[HeatmapOutput | SimccOutput | KeypointOutput, Field(discriminator="kind")]
    score_kind: Literal["peak", "similarity"] = "peak"
    point_score: Annotated[float, Field(gt=0, allow_inf_nan=False)]

    @model_validator(mode="after")
    def _names(self) -> Description:
        if (self.skeleton is None) == (self.keypoints is None):
            raise ValueError("give either skeleton or keypoints")
        for name in self.keypoints or ():
            if not _NAME.fullmatch(name):
                raise ValueError(f"keypoints: {name!r} is not of the form left_wrist")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The key points in the network's order."""
        if self.keypoints is not None:
            return skeleton_from_names(self.keypoints).keypoints
        assert self.skeleton is not None
        return get_skeleton(self.skeleton).keypoints

    def meta(self, heatmap_width: int | None = None) -> ModelMeta:
        """What the rest of the project needs to know. heatmap_width: where the output is maps."""
        given = self.input
        rgb: Sequence[int] = (0, 1, 2) if given.channels == "rgb" else (2, 1, 0)
        mean, std = (
            (v[rgb[0]] / given.white, v[rgb[1]] / given.white, v[rgb[2]] / given.white)
            for v in (given.mean, given.std)
        )
        kernel = 0
        if isinstance(self.output, HeatmapOutput):
            kernel = self.output.kernel or max(1, decode_kernel(heatmap_width or 48))
        return ModelMeta(
            name=self.name,
            keypoints=self.names,
            input_size=given.size,
            mean=mean,
            std=std,
            box_padding=self.crop.padding,
            decode_kernel=kernel,
            antialias=self.crop.antialias,
            upright=self.crop.upright,
            similarity_scores=self.score_kind == "similarity",
            point_score=self.point_score,
            licence=self.licence,
            source=self.source,
        )


def description_beside(path: Path) -> Path:
    """Where the description of a network file stands: the same name with ``.yaml``."""
    return path.with_suffix(".yaml")


class _Loader(yaml.SafeLoader):
    """Refuses keys that are given twice, of which YAML takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for i, key in enumerate(keys):
            if any(key.value == other.value for other in keys[:i]):
                raise UserError(f"{key.value} is given twice (line {key.start_mark.line + 1})")
        return super().construct_mapping(node, deep)


def read_description(path: Path) -> Description:
    """The description in a YAML file; UserError names the file, the key and what is wrong."""
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except RecursionError:
        raise UserError(f"{path}: is nested too deeply; see {DOCUMENTED}") from None
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: is not YAML ({reason})") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: a description is a mapping of keys; see {DOCUMENTED}")
    try:
        description = Description.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{path}: {_first(error)}; see {DOCUMENTED}") from None
    try:
        skeleton_from_names(description.names)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return description


def _first(error: ValidationError) -> str:
    """The first thing that is wrong: the key as it is written in the file, and why."""
    first: Any = error.errors()[0]
    kinds = ("heatmaps", "simcc", "keypoints")
    # the kind that chose among the outputs stands in the path but in no file
    parts = [
        str(part)
        for i, part in enumerate(first["loc"])
        if not (part in kinds and i == 1 and first["loc"][0] == "output")
    ]
    known = {
        "missing": "is missing",
        "extra_forbidden": "is not a known key",
        "union_tag_not_found": "kind is missing",
    }
    if first["type"] == "union_tag_invalid":
        parts.append("kind")
        reason = f"is one of {', '.join(kinds)}"
    else:
        reason = known.get(first["type"], str(first["msg"]).removeprefix("Value error, "))
    where = ".".join(parts)
    joint = " " if first["type"] in known or first["type"] == "union_tag_invalid" else ": "
    return f"{where}{joint}{reason}" if where else reason
