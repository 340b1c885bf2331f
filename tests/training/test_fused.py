"""The GPU kernels of norms and depth-wise convolutions against the library's: on a GPU, or
interpreted where Triton is installed (TRITON_INTERPRET=1 pytest tests/training/test_fused.py)."""

from __future__ import annotations

import copy
import os

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from aggpose.network import build_network

pytest.importorskip("triton", reason="comes with torch for CUDA")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip(
        "needs a GPU, or TRITON_INTERPRET=1 to interpret the kernels", allow_module_level=True
    )

from aggpose.training import fused  # noqa: E402


@pytest.fixture(autouse=True)
def few_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a program sums over more than one tile."""
    monkeypatch.setattr(fused, "PROGRAMS", 2)


def leaves(*tensors: Tensor) -> list[Tensor]:
    return [tensor.detach().to(DEVICE, copy=True).requires_grad_() for tensor in tensors]


def assert_same(left: list[Tensor], right: list[Tensor]) -> None:
    for a, b in zip(left, right, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * float(b.detach().abs().max()))


@pytest.mark.parametrize(("height", "width", "channels"), [(6, 5, 32), (12, 10, 64), (3, 7, 160)])
def test_convolution_and_gelu(height: int, width: int, channels: int) -> None:
    torch.manual_seed(0)
    tokens, weight, bias = (
        torch.randn(2, height * width, channels),
        0.3 * torch.randn(channels, 1, 3, 3),
        torch.randn(channels),
    )
    gradient = torch.randn_like(tokens).to(DEVICE)
    own = leaves(tokens, weight, bias)
    out = fused.ConvolutionGELU.apply(*own, (height, width))
    out.backward(gradient)
    library = leaves(tokens, weight, bias)
    maps = library[0].transpose(1, 2).unflatten(2, (height, width))
    maps = F.conv2d(maps, library[1], library[2], padding=1, groups=channels)
    expected = F.gelu(maps).flatten(2).transpose(1, 2)
    expected.backward(gradient)
    assert_same([out, *(t.grad for t in own)], [expected, *(t.grad for t in library)])


@pytest.mark.parametrize("channels", [32, 64, 160])
def test_layer_norm(channels: int) -> None:
    torch.manual_seed(1)
    x, weight, bias = 2 * torch.randn(3, 70, channels) + 1, *torch.randn(2, channels)
    gradient = torch.randn_like(x).to(DEVICE)
    own = leaves(x, weight, bias)
    out = fused.LayerNorm.apply(*own, 1e-6, torch.float32)
    out.backward(gradient)
    library = leaves(x, weight, bias)
    expected = F.layer_norm(library[0], (channels,), library[1], library[2], 1e-6)
    expected.backward(gradient)
    assert_same([out, *(t.grad for t in own)], [expected, *(t.grad for t in library)])


@pytest.mark.slow
def test_network_gives_the_same_maps_and_gradients() -> None:
    torch.manual_seed(2)
    net = build_network("aggpose-t", keypoints=4, drop_path=0.0, init="unit").to(DEVICE)
    other = copy.deepcopy(net)
    fused.fuse(other, torch.float32)
    image = torch.randn(1, 3, 64, 32, device=DEVICE)
    expected, out = net.raw(image), other.raw(image)
    gradient = torch.randn_like(expected)
    expected.backward(gradient)
    out.backward(gradient)
    ours, library = ([p.grad for p in n.parameters()] for n in (other, net))
    assert_same([out, *ours], [expected, *library])
