"""The running mean of the weights (exponential moving average, Polyak and Juditsky 1992)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from aggpose.network import AggPose


class WeightAverage(nn.Module):
    """A copy of a network whose weights follow it; part of the checkpoint as any module.

    The decay grows from 0 as (1 + n) / (10 + n) to ``decay``, so that early steps are forgotten.
    """

    updates: Tensor

    def __init__(self, net: AggPose, decay: float) -> None:
        super().__init__()
        self.net: AggPose = copy.deepcopy(net).requires_grad_(False).eval()
        self.decay = decay
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    def train(self, mode: bool = True) -> WeightAverage:
        super().train(mode)
        self.net.eval()  # stochastic depth stays off, whatever the trainer sets
        return self

    @torch.no_grad()
    def update(self, net: AggPose) -> None:
        self.updates += 1
        n = int(self.updates)
        decay = min(self.decay, (1 + n) / (10 + n))
        own: list[Tensor] = list(self.net.parameters())
        new: list[Tensor] = list(net.parameters())
        torch._foreach_lerp_(own, new, 1 - decay)
