"""The AggPose network (PyTorch)."""

from aggpose.network.checkpoints import (
    Checkpoint,
    LoadReport,
    load_checkpoint,
    load_weights,
    read_checkpoint,
    save_checkpoint,
)
from aggpose.network.macs import count_macs, count_parameters
from aggpose.network.network import AggPose, build_network, select_keypoints
from aggpose.network.official import convert_official
from aggpose.network.variants import VARIANTS, NetworkConfig

__all__ = [
    "VARIANTS",
    "AggPose",
    "Checkpoint",
    "LoadReport",
    "NetworkConfig",
    "build_network",
    "convert_official",
    "count_macs",
    "count_parameters",
    "load_checkpoint",
    "load_weights",
    "read_checkpoint",
    "save_checkpoint",
    "select_keypoints",
]
