"""The network's norms and depth-wise convolutions as GPU kernels of our own (Triton).

The library's kernels for these two are slow on maps of few channels. Maps stay channels last, sums
are float32, and between layers everything is in the type that autocast asks for. Needs a GPU and
Triton, which torch for CUDA brings along; TRITON_INTERPRET=1 runs the kernels on any machine, for
tests.
"""

from __future__ import annotations

import types
from typing import Any

import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor, nn

from aggpose.network import AggPose
from aggpose.network.layers import MixFFN

TILE = 2048
"""Elements that a program of the norms holds at a time."""

PIXELS, CHANNELS = 32, 32
"""Of maps that a program of the convolutions holds at a time."""

PROGRAMS = 1056
"""Programs that share sums over all pixels: eight for each multiprocessor of an H100."""


@triton.jit
def _neighbours(x, p, c, row, column, inside, height, width, channels, k: tl.constexpr):  # type: ignore[no-untyped-def]
    """The k-th of the nine neighbours of pixels p, channels c, as float32; 0 outside of the map."""
    dy: tl.constexpr = k // 3 - 1
    dx: tl.constexpr = k % 3 - 1
    there = inside & (row + dy >= 0) & (row + dy < height)
    there = there & (column + dx >= 0) & (column + dx < width)
    places = (p + dy * width + dx)[:, None] * channels + c[None, :]
    return tl.load(x + places, mask=there[:, None], other=0.0).to(tl.float32)


@triton.jit(do_not_specialize=["pixels", "height", "width"])
def _convolve(  # type: ignore[no-untyped-def]
    x, weight, bias, y, pixels, height, width, channels,
    FORWARD: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """FORWARD: y = gelu(weight * x + bias); else its transpose alone, y = weight' * x."""
    blocks = channels // CHANNELS
    c = (tl.program_id(0) % blocks) * CHANNELS + tl.arange(0, CHANNELS)
    p = (tl.program_id(0) // blocks) * PIXELS + tl.arange(0, PIXELS)
    inside = p < pixels
    column = p % width
    row = (p // width) % height
    total = tl.zeros((PIXELS, CHANNELS), tl.float32)
    if FORWARD:
        total += tl.load(bias + c)[None, :]
    for k in tl.static_range(9):
        near = _neighbours(x, p, c, row, column, inside, height, width, channels, k)
        tap = tl.load(weight + (k if FORWARD else 8 - k) * channels + c)
        total += near * tap[None, :]
    if FORWARD:
        total = 0.5 * total * (1.0 + tl.erf(total * 0.7071067811865476))
    places = p[:, None] * channels + c[None, :]
    tl.store(y + places, total.to(y.dtype.element_ty), mask=inside[:, None])


@triton.jit(do_not_specialize=["pixels", "height", "width"])
def _convolve_backward(  # type: ignore[no-untyped-def]
    x, gradient, weight, bias, before, sums, pixels, height, width, channels,
    strips: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """before: the gradient in front of the GELU. sums: (programs, 16, C), rows 0 to 8 this
    program's part of the weight's gradient, row 9 of the bias's."""
    blocks = channels // CHANNELS
    c = (tl.program_id(0) % blocks) * CHANNELS + tl.arange(0, CHANNELS)
    program = tl.program_id(0) // blocks
    rows = tl.arange(0, 16)
    own = tl.zeros((16, CHANNELS), tl.float32)
    for strip in range(strips):
        p = (program * strips + strip) * PIXELS + tl.arange(0, PIXELS)
        inside = p < pixels
        column = p % width
        row = (p // width) % height
        z = tl.zeros((PIXELS, CHANNELS), tl.float32) + tl.load(bias + c)[None, :]
        for k in tl.static_range(9):
            near = _neighbours(x, p, c, row, column, inside, height, width, channels, k)
            z += near * tl.load(weight + k * channels + c)[None, :]
        places = p[:, None] * channels + c[None, :]
        g = tl.load(gradient + places, mask=inside[:, None], other=0.0).to(tl.float32)
        density = 0.3989422804014327 * tl.exp(-0.5 * z * z)
        g = g * (0.5 * (1.0 + tl.erf(z * 0.7071067811865476)) + z * density)
        tl.store(before + places, g.to(before.dtype.element_ty), mask=inside[:, None])
        for k in tl.static_range(9):
            near = _neighbours(x, p, c, row, column, inside, height, width, channels, k)
            own += tl.where(rows[:, None] == k, tl.sum(near * g, axis=0)[None, :], 0.0)
        own += tl.where(rows[:, None] == 9, tl.sum(g, axis=0)[None, :], 0.0)
    places = (program * 16 + rows)[:, None] * channels + c[None, :]
    tl.store(sums + places, own)


@triton.jit(do_not_specialize=["count", "eps"])
def _normalise(  # type: ignore[no-untyped-def]
    x, weight, bias, y, means, scales, count, eps,
    channels: tl.constexpr, ROWS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Layer norm of rows (count, channels)."""
    r = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    c = tl.arange(0, WIDTH)
    there = (r < count)[:, None] & (c < channels)[None, :]
    places = r[:, None] * channels + c[None, :]
    value = tl.load(x + places, mask=there, other=0.0).to(tl.float32)
    mean = tl.sum(value, axis=1) / channels
    centred = tl.where(there, value - mean[:, None], 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(centred * centred, axis=1) / channels + eps)
    w = tl.load(weight + c, mask=c < channels, other=0.0)
    b = tl.load(bias + c, mask=c < channels, other=0.0)
    out = centred * scale[:, None] * w[None, :] + b[None, :]
    tl.store(y + places, out.to(y.dtype.element_ty), mask=there)
    tl.store(means + r, mean, mask=r < count)
    tl.store(scales + r, scale, mask=r < count)


@triton.jit(do_not_specialize=["count"])
def _normalise_backward(  # type: ignore[no-untyped-def]
    x, gradient, weight, means, scales, before, sums, count,
    strips: tl.constexpr, channels: tl.constexpr, ROWS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """before: the gradient of x. sums: (programs, 2, C), of weight and bias."""
    c = tl.arange(0, WIDTH)
    w = tl.load(weight + c, mask=c < channels, other=0.0)
    of_weight = tl.zeros((ROWS, WIDTH), tl.float32)
    of_bias = tl.zeros((ROWS, WIDTH), tl.float32)
    for strip in range(strips):
        r = (tl.program_id(0) * strips + strip) * ROWS + tl.arange(0, ROWS)
        there = (r < count)[:, None] & (c < channels)[None, :]
        places = r[:, None] * channels + c[None, :]
        value = tl.load(x + places, mask=there, other=0.0).to(tl.float32)
        g = tl.load(gradient + places, mask=there, other=0.0).to(tl.float32)
        mean = tl.load(means + r, mask=r < count, other=0.0)
        scale = tl.load(scales + r, mask=r < count, other=0.0)
        unit = tl.where(there, (value - mean[:, None]) * scale[:, None], 0.0)
        of_weight += g * unit
        of_bias += g
        wide = g * w[None, :]
        along = tl.sum(wide * unit, axis=1) / channels
        level = tl.sum(wide, axis=1) / channels
        out = (wide - unit * along[:, None] - level[:, None]) * scale[:, None]
        tl.store(before + places, out.to(before.dtype.element_ty), mask=there)
    first = sums + tl.program_id(0) * 2 * channels
    tl.store(first + c, tl.sum(of_weight, axis=0), mask=c < channels)
    tl.store(first + channels + c, tl.sum(of_bias, axis=0), mask=c < channels)


def _strips(count: int, tile: int) -> tuple[int, int]:
    """Programs, and tiles of each, that cover ``count`` rows."""
    tiles = triton.cdiv(count, tile)
    strips = triton.cdiv(tiles, PROGRAMS)
    return triton.cdiv(tiles, strips), strips


class ConvolutionGELU(torch.autograd.Function):
    """GELU of the 3x3 depth-wise convolution, padding 1, of tokens (B, H * W, C) of a map
    ``size`` (H, W). weight (C, 1, 3, 3), bias (C,) float32; C divisible by 32."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, tokens: Tensor, weight: Tensor, bias: Tensor, size: tuple[int, int]
    ) -> Tensor:
        tokens = tokens.contiguous()
        channels = tokens.shape[2]
        if channels % CHANNELS:
            raise ValueError(f"{channels} channels: must be divisible by {CHANNELS}")
        taps = weight.flatten(1).t().contiguous()
        out = torch.empty_like(tokens)
        ctx.save_for_backward(tokens, taps, bias)
        ctx.size = size
        pixels = tokens.shape[0] * tokens.shape[1]
        _convolve[(channels // CHANNELS * triton.cdiv(pixels, PIXELS),)](
            tokens, taps, bias, out, pixels, *size, channels,
            FORWARD=True, PIXELS=PIXELS, CHANNELS=CHANNELS,
        )  # fmt: skip
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # type: ignore[override]
        tokens, taps, bias = ctx.saved_tensors
        gradient = gradient.contiguous()
        pixels, channels = tokens.shape[0] * tokens.shape[1], tokens.shape[2]
        blocks = channels // CHANNELS
        programs, strips = _strips(pixels, PIXELS)
        before, back = torch.empty_like(tokens), torch.empty_like(tokens)
        sums = torch.empty((programs, 16, channels), device=tokens.device, dtype=torch.float32)
        _convolve_backward[(blocks * programs,)](
            tokens, gradient, taps, bias, before, sums, pixels, *ctx.size, channels,
            strips=strips, PIXELS=PIXELS, CHANNELS=CHANNELS,
        )  # fmt: skip
        _convolve[(blocks * triton.cdiv(pixels, PIXELS),)](
            before, taps, bias, back, pixels, *ctx.size, channels,
            FORWARD=False, PIXELS=PIXELS, CHANNELS=CHANNELS,
        )  # fmt: skip
        total = sums.sum(0)
        of_weight = total[:9].t().reshape(channels, 1, 3, 3)
        return back, of_weight, total[9], None


class LayerNorm(torch.autograd.Function):
    """Layer norm over the last axis of x (..., C); weight, bias (C,) float32. Returns ``kind``."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, kind: torch.dtype
    ) -> Tensor:
        x = x.contiguous()
        channels = x.shape[-1]
        count, width = x.numel() // channels, triton.next_power_of_2(channels)
        out = torch.empty_like(x, dtype=kind)
        means, scales = (torch.empty(count, device=x.device, dtype=torch.float32) for _ in range(2))
        rows = max(1, TILE // width)
        _normalise[(triton.cdiv(count, rows),)](
            x, weight, bias, out, means, scales, count, eps,
            channels=channels, ROWS=rows, WIDTH=width,
        )  # fmt: skip
        ctx.save_for_backward(x, weight, means, scales)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:  # type: ignore[override]
        x, weight, means, scales = ctx.saved_tensors
        gradient = gradient.contiguous()
        channels = x.shape[-1]
        count, width = x.numel() // channels, triton.next_power_of_2(channels)
        rows = max(1, TILE // width)
        programs, strips = _strips(count, rows)
        before = torch.empty_like(x)
        sums = torch.empty((programs, 2, channels), device=x.device, dtype=torch.float32)
        _normalise_backward[(programs,)](
            x, gradient, weight, means, scales, before, sums, count,
            strips=strips, channels=channels, ROWS=rows, WIDTH=width,
        )  # fmt: skip
        of_weight, of_bias = sums.sum(0)
        return before, of_weight, of_bias, None, None


def _patches(self: nn.Conv2d, maps: Tensor) -> Tensor:
    """A convolution whose stride is its kernel, as a matrix product over patches."""
    step = self.stride[0]
    height, width = maps.shape[2] // step, maps.shape[3] // step
    patches = maps.permute(0, 2, 3, 1).unflatten(1, (height, step)).unflatten(3, (width, step))
    patches = patches.transpose(2, 3).flatten(3).flatten(1, 2)
    weight = self.weight.permute(0, 2, 3, 1).flatten(1)
    return F.linear(patches, weight, self.bias).transpose(1, 2).unflatten(2, (height, width))


def fuse(net: AggPose, kind: torch.dtype = torch.bfloat16) -> None:
    """Let a network on a GPU compute with these kernels, and hand on ``kind`` between layers."""

    def feed_forward(self: MixFFN, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        convolution = self.dwconv
        hidden = ConvolutionGELU.apply(self.fc1(tokens), convolution.weight, convolution.bias, size)
        return self.fc2(hidden)

    def norm(self: nn.LayerNorm, x: Tensor) -> Tensor:
        out: Tensor = LayerNorm.apply(x, self.weight, self.bias, self.eps, kind)
        return out

    for module in net.modules():
        if isinstance(module, MixFFN):
            module.forward = types.MethodType(feed_forward, module)  # type: ignore[method-assign]
        elif isinstance(module, nn.LayerNorm):
            module.forward = types.MethodType(norm, module)  # type: ignore[method-assign]
        elif isinstance(module, nn.Conv2d) and module.kernel_size == module.stride:
            module.forward = types.MethodType(_patches, module)  # type: ignore[method-assign]
