"""The five sizes of AggPose, by plain values."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aggpose.errors import UserError

CONFIG_KEY = "aggpose_network"
"""Key of the configuration, as JSON, in ONNX (metadata_props) and safetensors files."""

HEADS = (1, 2, 5, 8)
REDUCTIONS = (8, 4, 2, 1)


@dataclass(frozen=True)
class NetworkConfig:
    """All that shapes the network.

    name: variant. channels, depths: per level (strides 4, 8, 16, 32). keypoints: heat maps K.
    drop_path: stochastic depth, linear over the trunk's blocks. residual: merges keep their own
    input (equation 4 of the paper). init: ``published``, or ``unit`` for merges that keep the
    signal's size at the start, which learns faster from scratch.
    output: ``heatmaps`` returns the raw maps; ``softmax`` returns each map as a probability over
    its cells times ``2 pi sigma**2``, so that a perfect Gaussian has peak 1 (for networks trained
    with spatial cross-entropy). sigma: of the targets in heat-map px, used by ``softmax``.
    nowhere: each soft-max has one more cell, for points that are not in the crop; it weighs as much
    as a map whose logits are all 0, whatever the map's size. Scores then fall where nobody is.
    """

    name: str
    channels: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    keypoints: int = 17
    drop_path: float = 0.1
    residual: bool = False
    init: str = "published"
    output: str = "heatmaps"
    sigma: float = 2.0
    nowhere: bool = False

    def __post_init__(self) -> None:
        if self.keypoints < 1:
            raise UserError(f"a network of {self.keypoints} key points: there must be one or more")
        if self.init not in ("published", "unit"):
            raise UserError(f"network init {self.init!r}: choose published or unit")
        if self.output not in ("heatmaps", "softmax"):
            raise UserError(f"network output {self.output!r}: choose heatmaps or softmax")

    @property
    def map_sigma(self) -> float:
        """`ModelMeta.map_sigma` of such a network."""
        return self.sigma if self.output == "softmax" else 0.0


_SMALL, _LARGE = (32, 64, 160, 256), (64, 128, 320, 512)

VARIANTS = {
    "aggpose-t": NetworkConfig("aggpose-t", _SMALL, (2, 2, 2, 2)),
    "aggpose-s": NetworkConfig("aggpose-s", _LARGE, (2, 2, 2, 2)),
    "aggpose-m": NetworkConfig("aggpose-m", _LARGE, (3, 4, 6, 3)),
    "aggpose-b": NetworkConfig("aggpose-b", _LARGE, (3, 4, 18, 3)),
    "aggpose-l": NetworkConfig("aggpose-l", _LARGE, (3, 6, 40, 3)),
}
"""Trunks MiT-B0, B1, B2, B3, B5. Only aggpose-l was published."""


def network_config(variant: str, **options: object) -> NetworkConfig:
    """A variant's configuration with options changed; UserError on an unknown variant."""
    if variant not in VARIANTS:
        raise UserError(f"unknown network {variant!r}: choose one of {', '.join(VARIANTS)}")
    return replace(VARIANTS[variant], **options)  # type: ignore[arg-type]
