"""The layers of the Mix Transformer and of AggPose's merges.

Maps are (B, C, H, W) between layers and token lists (B, N, C), N = H * W row by row, inside blocks.
Follows SegFormer (Xie et al., NeurIPS 2021) and AggPose (Cao et al., IJCAI 2022).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TRUNK_NORM_EPS = 1e-6
"""Of the norms in blocks and at the end of stages."""

EMBED_NORM_EPS = 1e-5
"""Of the norms in patch embeddings and key/value reductions."""


def to_tokens(maps: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H * W, C)."""
    return maps.flatten(2).transpose(1, 2)


def to_maps(tokens: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, H * W, C) -> (B, C, H, W) for size = (H, W)."""
    return tokens.transpose(1, 2).unflatten(2, size)


class DropPath(nn.Module):
    """Stochastic depth: in training a residual branch is left out per sample with this rate."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
        return x * mask.div_(keep)

    def extra_repr(self) -> str:
        return f"rate={self.rate:.3f}"


class PatchEmbed(nn.Module):
    """Overlapping patches: a strided convolution and a norm. (B, C, H, W) -> (B, C', H/s, W/s)."""

    def __init__(self, channels: int, width: int, kernel: int = 3, stride: int = 2) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2)
        self.norm = nn.LayerNorm(width, eps=EMBED_NORM_EPS)

    def forward(self, maps: Tensor) -> Tensor:
        maps = self.proj(maps)
        size = (maps.shape[2], maps.shape[3])
        return to_maps(self.norm(to_tokens(maps)), size)


class Attention(nn.Module):
    """Multi-head attention whose keys and values come from a map reduced by ``reduction``."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        self.reduction = reduction
        if reduction > 1:
            self.sr = nn.Conv2d(width, width, reduction, reduction)
            self.norm = nn.LayerNorm(width, eps=EMBED_NORM_EPS)

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """tokens (B, N, C) of a map of size (H, W); returns (B, N, C)."""
        context = tokens
        if self.reduction > 1:
            context = self.norm(to_tokens(self.sr(to_maps(tokens, size))))
        q = self.q(tokens).unflatten(2, (self.heads, -1)).transpose(1, 2)
        k, v = self.kv(context).unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).flatten(2))


class MixFFN(nn.Module):
    """Linear, 3x3 depth-wise convolution, GELU, linear: on tokens (B, N, C) of a map (H, W)."""

    def __init__(self, channels: int, hidden: int, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.dwconv = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        hidden = to_tokens(self.dwconv(to_maps(self.fc1(tokens), size)))
        return self.fc2(F.gelu(hidden))

    def on_maps(self, maps: Tensor) -> Tensor:
        """The same on maps: (B, C, H, W) -> (B, width, H, W)."""
        size = (maps.shape[2], maps.shape[3])
        return to_maps(self(to_tokens(maps), size), size)


class Block(nn.Module):
    """Pre-norm transformer block on tokens (B, N, C)."""

    def __init__(self, width: int, heads: int, reduction: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=TRUNK_NORM_EPS)
        self.attn = Attention(width, heads, reduction)
        self.norm2 = nn.LayerNorm(width, eps=TRUNK_NORM_EPS)
        self.mlp = MixFFN(width, 4 * width, width)
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        tokens = tokens + self.drop_path(self.attn(self.norm1(tokens), size))
        return tokens + self.drop_path(self.mlp(self.norm2(tokens), size))


class Stage(nn.Module):
    """Blocks and a closing norm: (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, width: int, heads: int, reduction: int, drop_paths: list[float]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, heads, reduction, rate) for rate in drop_paths)
        self.norm = nn.LayerNorm(width, eps=TRUNK_NORM_EPS)

    def forward(self, maps: Tensor) -> Tensor:
        size = (maps.shape[2], maps.shape[3])
        tokens = to_tokens(maps)
        for block in self.blocks:
            tokens = block(tokens, size)
        return to_maps(self.norm(tokens), size)


class Up(nn.Module):
    """Mix-FFN to the finer level's width, then nearest-neighbour upsampling by ``factor``."""

    def __init__(self, channels: int, width: int, factor: int) -> None:
        super().__init__()
        self.mlp = MixFFN(channels, width, width)
        self.factor = factor

    def forward(self, maps: Tensor) -> Tensor:
        return F.interpolate(self.mlp.on_maps(maps), scale_factor=self.factor, mode="nearest")


class Merge(nn.Module):
    """Mix-FFN over the channel concatenation of several maps of one size.

    residual: add the level's own map, as equation 4 of the paper (the published weights do not).
    """

    def __init__(self, channels: int, width: int, residual: bool = False) -> None:
        super().__init__()
        self.mlp = MixFFN(channels, width, width)
        self.residual = residual

    def forward(self, maps: list[Tensor], own: Tensor) -> Tensor:
        merged = self.mlp.on_maps(torch.cat(maps, dim=1))
        return own + merged if self.residual else merged
