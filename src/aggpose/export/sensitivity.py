"""Which layers suffer from int8: each one quantised alone, in torch, on real crops."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from aggpose.network import AggPose


def fake_quantised(values: Tensor, per_channel: bool) -> Tensor:
    """What int8 leaves of values, symmetric: one scale per first axis (weights), or one for all of
    them (activations)."""
    size = values.abs().flatten(1).amax(dim=1) if per_channel else values.abs().amax()
    scale = (size.clamp(min=1e-12) / 127).reshape(-1, *[1] * (values.ndim - 1))
    return (values / scale).round().clamp(-127, 127) * scale


def layer_sensitivity(net: AggPose, images: np.ndarray) -> dict[str, float]:
    """Layer -> mean squared change of the raw maps when it alone computes in int8, worst first.

    images: (N, 3, H, W) float32. The layers that `precision.write_int8` takes.
    """
    batch = torch.from_numpy(images)
    net = net.float().cpu().eval()
    found: dict[str, float] = {}
    with torch.no_grad():
        plain = net.raw(batch)
        for name, layer in net.named_modules():
            if not isinstance(layer, (nn.Linear, nn.Conv2d)) or getattr(layer, "groups", 1) > 1:
                continue
            weight = layer.weight.data
            handle = layer.register_forward_pre_hook(
                lambda _, inputs: (fake_quantised(inputs[0], per_channel=False),)
            )
            layer.weight.data = fake_quantised(weight, per_channel=True)
            try:
                found[name] = float((net.raw(batch) - plain).square().mean())
            finally:
                layer.weight.data = weight
                handle.remove()
    return dict(sorted(found.items(), key=lambda item: -item[1]))
