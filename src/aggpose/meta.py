"""What a model file says of itself, read and written without torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aggpose.errors import UserError
from aggpose.skeleton import Skeleton, skeleton_from_names

META_KEY = "aggpose"
"""Key of the metadata in ONNX (metadata_props) and safetensors files."""

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
    def from_json(cls, text: str, path: Path | str = "the model file") -> ModelMeta:
        """Inverse of `to_json`; UserError when the text is not such a description.

        path: the file it comes from, for the message.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            version = values.pop("format")
            values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
            if version != 1:
                raise UserError(f"{path}: is of format {version}: update aggpose to read it")
            return cls(**values)
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path}: its aggpose metadata is damaged ({error}); get the file anew"
            ) from None
