"""Losses over heat maps. All take raw maps (B, K, h, w), points (B, K, 2) in heat-map px (x, y)
and weights (B, K), and return a scalar: a mean over the batch, so that processes can be averaged.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from aggpose.meta import HEATMAP_STRIDE
from aggpose.network.network import with_nowhere
from aggpose.training.recipe import LossRecipe


def _gaussian_axes(points: Tensor, size: tuple[int, int], sigma: float) -> tuple[Tensor, Tensor]:
    """Factors (B, K, w) and (B, K, h) of the Gaussian with peak 1; size is (width, height)."""
    axes = []
    for axis, cells in enumerate(size):
        grid = torch.arange(cells, device=points.device, dtype=points.dtype)
        axes.append(torch.exp(-0.5 * ((grid - points[..., axis, None]) / sigma) ** 2))
    return axes[0], axes[1]


def gaussian_targets(
    points: Tensor, weights: Tensor, size: tuple[int, int], sigma: float
) -> tuple[Tensor, Tensor]:
    """Target maps (B, K, h, w) and weights (B, K), as `aggpose.heatmaps.encode_heatmaps`."""
    bound = torch.tensor(size, device=points.device, dtype=points.dtype)
    reach = 3 * sigma
    inside = ((points + reach >= 0) & (points - reach < bound)).all(dim=-1)
    weights = weights * inside
    gx, gy = _gaussian_axes(points, size, sigma)
    return (gy * weights[..., None])[..., :, None] * gx[..., None, :], weights


def joint_mse(maps: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """(B, K): 0.5 * mean over cells of the squared, weighted difference."""
    difference = (maps - targets) * weights[..., None, None]
    return 0.5 * difference.square().mean(dim=(2, 3))


def mse_loss(maps: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """The published loss: mean over joints of ``0.5 * mse(w * pred, w * target)``."""
    return joint_mse(maps, targets, weights).mean()


def ohkm_loss(maps: Tensor, targets: Tensor, weights: Tensor, top: int = 8) -> Tensor:
    """Online hard key-point mining: mean over each sample's ``top`` worst joints (published)."""
    losses = joint_mse(maps, targets, weights)
    return losses.topk(min(top, losses.shape[1]), dim=1).values.sum(dim=1).div(top).mean()


def spatial_cross_entropy(
    logits: Tensor, points: Tensor, weights: Tensor, sigma: float, absent: float = 0.0
) -> Tensor:
    """Cross-entropy of the soft-max over each map's cells against the normalised Gaussian.

    Averaged over each sample's weighted joints, then over samples. A point outside of the map does
    not count. With ``absent`` above 0 the soft-max has one more cell, "nowhere", which is the truth
    for such points; they count with ``absent`` times their weight.
    """
    height, width = logits.shape[2:]
    x, y = points.unbind(-1)
    inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    gx, gy = _gaussian_axes(points.float(), (width, height), sigma)
    mass = gx.sum(-1) * gy.sum(-1)
    there = weights * (inside & (mass > 1e-3))
    flat = with_nowhere(logits) if absent else logits.float().flatten(2)
    log_p = F.log_softmax(flat, dim=-1)
    rows = torch.einsum(
        "bkhw,bkw->bkh", log_p[..., : height * width].unflatten(2, (height, width)), gx
    )
    joint = -(rows * gy).sum(-1) / mass.clamp(min=1e-3)
    if absent:
        elsewhere = weights * absent * ~inside
        joint = torch.where(inside, joint, -log_p[..., -1])
        weights = there + elsewhere
    else:
        weights = there
    per_sample = (joint * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)
    return per_sample.mean()


def heatmap_loss(
    maps: Tensor, points: Tensor, weights: Tensor, loss: LossRecipe, full_size: tuple[int, int]
) -> Tensor:
    """The recipe's loss on raw maps (B, K, h, w); full_size: (width, height) sigma is for."""
    height, width = maps.shape[2:]
    sigma = max(1.0, loss.sigma * width * HEATMAP_STRIDE / full_size[0])
    if loss.kind == "spatial_cross_entropy":
        return spatial_cross_entropy(maps, points, weights, sigma, loss.absent)
    targets, weights = gaussian_targets(points, weights, (width, height), sigma)
    if loss.kind == "ohkm":
        return ohkm_loss(maps.float(), targets, weights, loss.ohkm_top)
    return mse_loss(maps.float(), targets, weights)
