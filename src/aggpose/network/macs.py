"""Counting parameters and multiply-accumulates."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def count_macs(net: nn.Module, input_size: tuple[int, int]) -> int:
    """Multiply-accumulates of one crop, attention included; input_size is (width, height)."""
    training = net.training
    net.eval()
    device = next(net.parameters()).device
    image = torch.zeros(1, 3, input_size[1], input_size[0], device=device)
    # the plain attention kernel is counted on every device, the fused ones are not
    with (
        torch.no_grad(),
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):
        net(image)
    net.train(training)
    return counter.get_total_flops() // 2
