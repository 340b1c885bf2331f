"""Depth-wise convolutions as sums of shifted maps, which a compiler can fuse with what surrounds
them; the library's own kernels are slow on a GPU in 16 bits."""

from __future__ import annotations

import types

import torch.nn.functional as F
from torch import Tensor, nn


def shift_depthwise(net: nn.Module) -> int:
    """Let the 3x3 depth-wise convolutions of a network compute so; returns how many they are."""
    found = 0
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
            if module.kernel_size != (3, 3) or module.stride != (1, 1) or module.padding != (1, 1):
                raise ValueError(f"{module}: only 3x3 with stride 1 and padding 1 is known")
            module.forward = types.MethodType(_shifted, module)  # type: ignore[method-assign]
            found += 1
    return found


def _shifted(self: nn.Conv2d, maps: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H, W)."""
    height, width = maps.shape[2:]
    padded = F.pad(maps, (1, 1, 1, 1))
    weight = self.weight.to(maps.dtype)
    assert self.bias is not None
    total = self.bias.to(maps.dtype)[:, None, None]
    for y in range(3):
        for x in range(3):
            part = padded[:, :, y : y + height, x : x + width]
            total = total + part * weight[:, 0, y, x, None, None]
    return total
