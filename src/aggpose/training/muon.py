"""Muon: steps of matrices with all their directions of one size.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024), with the step size
of Liu et al., "Muon is scalable for LLM training" (2025), so that AdamW's learning rate and weight
decay serve. torch's own takes two-dimensional weights one by one; here kernels of convolutions are
matrices too (output channels by the rest), and matrices of one shape go together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
RMS = 0.2
"""Root mean square of AdamW's steps, in learning rates."""

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5


def orthogonalised(matrices: Tensor) -> Tensor:
    """(N, rows, columns) with all singular values near 1 (about 0.7 to 1.2): Newton-Schulz, five
    rounds of the published polynomial; in 16 bits on a GPU."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.bfloat16() if matrices.is_cuda else matrices.float()
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(_ROUNDS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)


class Muon(torch.optim.AdamW):
    """AdamW whose groups with ``matrices`` True take Muon's steps instead."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        loss = None
        if closure is not None:  # which clears the gradients of all groups, and clips them
            with torch.enable_grad():
                loss = closure()
        groups = self.param_groups
        self.param_groups = [group for group in groups if not group.get("matrices")]
        try:
            super().step()
        finally:
            self.param_groups = groups
        for group in groups:
            if group.get("matrices"):
                self._step_matrices(group)
        return loss

    @torch.no_grad()
    def _step_matrices(self, group: dict[str, Any]) -> None:
        weights = [weight for weight in group["params"] if weight.grad is not None]
        gradients = [weight.grad for weight in weights]
        momenta = [self._momentum(weight) for weight in weights]
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
        ahead = torch._foreach_lerp(gradients, momenta, MOMENTUM)  # Nesterov's
        torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        by_shape: dict[tuple[int, int], list[int]] = defaultdict(list)
        for i, weight in enumerate(weights):
            by_shape[(len(weight), weight[0].numel())].append(i)
        for shape, members in by_shape.items():
            steps = orthogonalised(torch.stack([ahead[i].flatten(1) for i in members]))
            own = [weights[i] for i in members]
            moves = [step.view_as(weight) for step, weight in zip(steps, own, strict=True)]
            torch._foreach_add_(own, moves, alpha=-float(group["lr"]) * RMS * max(shape) ** 0.5)

    def _momentum(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros(())  # AdamW looks for it where states are loaded
            state["momentum"] = torch.zeros_like(weight)
        momentum: Tensor = state["momentum"]
        return momentum


def is_matrix(name: str, weight: nn.Parameter) -> bool:
    """Whether Muon takes a weight of `AggPose`: linear layers and convolutions, but not depth-wise
    ones, the first (from colours) and the last (to key points)."""
    outer = name in ("embeds.0.proj.weight", "head.fc2.weight")
    return weight.ndim in (2, 4) and weight.shape[1] > 1 and not outer
