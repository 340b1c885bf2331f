"""What a model file says of itself, read and written without torch."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from aggpose.errors import UserError
from aggpose.skeleton import Skeleton, skeleton_from_names

META_KEY = "aggpose"
"""Key of the metadata in ONNX (metadata_props) and safetensors files."""

PRECISION_KEY = "aggpose_precision"
"""In OpenVINO files: in which precision they are meant to be computed."""

DECODED_KEY = "aggpose.decoded"
"""Key of the network's metadata in ONNX files that decode in the graph: they take pixels and give
key points, so that the YAML file beside them describes them, and not this."""

HEATMAP_STRIDE = 4
"""Crop px a cell of our networks' maps."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ModelMeta:
    """All that is needed to use a network's numbers.

    keypoints: names in the order of the heat maps. input_size: (width, height) px.
    mean, std: of RGB values in 0..1. box_padding: crop size over (aspect-padded) box size.
    decode_kernel: DARK's smoothing window, heat-map px. map_sigma: above 0 the maps are
    probabilities of their cells times ``2 pi map_sigma**2`` and not heat maps, and are decoded by
    expected similarity (`aggpose.decoding`). antialias: whether crops of large pictures
    are reduced by area first (`aggpose.data.pictures.warp_picture`). upright: whether the network
    knows people only with the trunk pointing up in the crop, which is turned until it does
    (`aggpose.inference.locate`). variant: the network's builder name.
    parameters, macs: counts at input_size for one crop, 0 where not known.
    similarity_scores: whether scores are expected similarities though the output is not maps; those
    of maps with a map_sigma are in any case.
    point_score: score from which on a key point counts: is drawn, and used to find the infant.
    Weakly trained networks score low throughout, so it belongs to the weights.
    licence, source: terms, and where the weights came from.
    """

    name: str
    keypoints: tuple[str, ...]
    input_size: tuple[int, int] = (192, 256)
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    box_padding: float = 1.25
    decode_kernel: int = 11
    map_sigma: float = 0.0
    antialias: bool = False
    upright: bool = False
    similarity_scores: bool = False
    variant: str = ""
    parameters: int = 0
    macs: int = 0
    point_score: float = 0.2
    licence: str = "not stated"
    source: str = "not stated"

    @property
    def scores_are_similarities(self) -> bool:
        """Whether scores are terms of OKS to expect (`aggpose.decoding`) and not peaks."""
        return self.map_sigma > 0 or self.similarity_scores

    @property
    def skeleton(self) -> Skeleton:
        return skeleton_from_names(self.keypoints)

    def to_json(self) -> str:
        return json.dumps({"format": 1, **asdict(self)})

    @classmethod
    def from_json(cls, text: str, path: Path | str) -> ModelMeta:
        """Inverse of `to_json`; UserError when the text is not such a description.

        path: the file it comes from, for the message.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            version = values.pop("format")
            if version != 1:
                raise UserError(f"{path}: is of format {version}: update aggpose to read it")
            meta = from_values(cls, values)
            _check_ranges(meta)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(
                f"{path}: its aggpose metadata is damaged ({error}); get the file anew"
            ) from None
        return meta


def _check_ranges(meta: ModelMeta) -> None:
    """ValueError where a value cannot be that of a network of ours."""
    width, height = meta.input_size
    sound = {
        "keypoints": len(meta.keypoints) > 0 and all(meta.keypoints),
        "input_size": all(32 <= n <= 4096 and n % 32 == 0 for n in (width, height)),
        "mean": all(0 <= v <= 1 for v in meta.mean),
        "std": all(1e-3 <= v <= 1e3 for v in meta.std),
        "box_padding": 1 <= meta.box_padding <= 4,
        "decode_kernel": 1 <= meta.decode_kernel <= 255 and meta.decode_kernel % 2 == 1,
        "map_sigma": 0 <= meta.map_sigma <= 100,
        "point_score": 0 < meta.point_score <= 1,
        "parameters": 0 <= meta.parameters < 2**63,
        "macs": 0 <= meta.macs < 2**63,
    }
    wrong = next((name for name, good in sound.items() if not good), None)
    if wrong is not None:
        raise ValueError(f"{wrong} is {str(getattr(meta, wrong))[:80]}")
    try:
        skeleton_from_names(meta.keypoints)
    except UserError as error:
        raise ValueError(str(error)) from None


T = TypeVar("T")


def from_values(cls: type[T], values: dict[str, Any]) -> T:
    """A dataclass of plain fields and tuples from JSON's values; ValueError names a field whose
    value is of another type, TypeError one that is missing or not known."""
    kinds = get_type_hints(cls)
    for name, value in values.items():
        if name in kinds and not _is(value, kinds[name]):
            raise ValueError(f"{name} is {str(value)[:80]}")
    return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _is(value: object, kind: Any) -> bool:
    """Whether a JSON value is of a type; whole numbers are floats too, NaN and infinity not."""
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        if not isinstance(value, list):
            return False
        if kinds[-1] is Ellipsis:
            kinds = kinds[:1] * len(value)
        return len(kinds) == len(value) and all(map(_is, value, kinds))
    if isinstance(value, int) and not isinstance(value, bool):
        return kind in (int, float)
    if isinstance(value, float):
        return kind is float and math.isfinite(value)
    return isinstance(value, kind)
