"""Files of the published layout, with weights made by the formula of the recorded heat maps."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import torch

State = dict[str, torch.Tensor]


def formula_tensor(name: str, shape: list[int], prefix: str = "coco17") -> torch.Tensor:
    """Weights made by the formula that the recorded heat maps were made with."""
    seed = zlib.crc32(f"{prefix}:{name}".encode())
    z = np.random.RandomState(seed).standard_normal(shape).astype(np.float32)
    if len(shape) > 1:
        z = z / np.float32(np.sqrt(np.prod(shape[1:])))
    elif "norm" in name and name.endswith("weight"):
        z = 1 + np.float32(0.1) * z
    else:
        z = np.float32(0.1) * z
    return torch.from_numpy(np.ascontiguousarray(z))


def official_state(reference: Path) -> State:
    """All tensors of the published COCO file, by their published names."""
    shapes = json.loads((reference / "official_state_dict_coco17.json").read_text())
    return {name: formula_tensor(name, shape) for name, shape in shapes.items()}


def with_points(state: State, count: int) -> State:
    last = {
        "final_layer.fc2.weight": formula_tensor("final_layer.fc2.weight", [count, 64]),
        "final_layer.fc2.bias": formula_tensor("final_layer.fc2.bias", [count]),
    }
    return {**state, **last}
