"""The network on a GPU: pictures a second, training samples a second, and the share of the peak.

    python benchmarks/gpu.py                      # one self-contained run, minutes on a GPU
    python benchmarks/gpu.py --device cpu --quick # a smoke test anywhere

The peak is that of a plain bf16 matrix product measured in the same run. A picture costs twice the
multiply-adds of `aggpose.network.count_macs`, a training sample three times that. Compiled in the
default mode of torch.compile; a CUDA graph replays the eager bf16 network; planes: the depth-wise
convolutions get their maps as one plane a channel instead of channels last.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable

import torch
from torch import nn

from aggpose.network import build_network, count_macs
from aggpose.training.losses import spatial_cross_entropy

SIZE = (192, 256)
BATCHES = (1, 16, 64, 256)
KINDS = (
    "eager fp32",
    "eager bf16",
    "eager bf16, planes",
    "CUDA graph bf16",
    "CUDA graph bf16, planes",
    "compiled bf16",
    "training",
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of the network on a GPU.")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--variants", nargs="+", default=["aggpose-t", "aggpose-l"])
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--quick", action="store_true", help="small batches, few rounds")
    options = parser.parse_args()
    device = torch.device(options.device)
    on_gpu = device.type == "cuda"
    print(torch.cuda.get_device_name(device) if on_gpu else "CPU", f"torch {torch.__version__}")
    peak = matrix_peak(device, 1024 if options.quick else 8192)
    print(f"bf16 matrix product: {peak / 1e12:.2f} TFLOP/s\n")
    batches = BATCHES[:2] if options.quick else BATCHES
    print("| network | what | batch | a second | of the peak |\n|---|---|---|---|---|")
    for variant in options.variants:
        net = build_network(variant, keypoints=24, drop_path=0.0).to(device)
        flops = 2 * count_macs(build_network(variant, keypoints=24), SIZE)
        for kind in options.kinds:
            if not on_gpu and kind.startswith(("compiled", "CUDA graph")):
                continue
            if kind == "training":
                for batch in batches[-2:]:
                    rate = batch / training(net.train(), batch, device, options.quick)
                    line(variant, "training, bf16", batch, rate, 3 * rate * flops / peak)
                continue
            for batch in batches:
                rate = batch / inference(net.eval(), kind, batch, device, options.quick)
                line(variant, kind, batch, rate, rate * flops / peak)


def line(variant: str, kind: str, batch: int, rate: float, share: float) -> None:
    print(f"| {variant} | {kind} | {batch} | {rate:.1f} | {100 * share:.1f} % |", flush=True)


def seconds(call: Callable[[], object], device: torch.device, quick: bool) -> float:
    """Median time of a call, after warming up; the device has finished in between."""

    def once() -> float:
        began = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - began

    for _ in range(1 if quick else 3):
        once()
    taken = sorted(once() for _ in range(3 if quick else 15))
    return taken[len(taken) // 2]


def matrix_peak(device: torch.device, side: int) -> float:
    """FLOP/s of a bf16 product of random square matrices."""
    a = torch.randn(side, side, device=device, dtype=torch.bfloat16)
    b = torch.randn(side, side, device=device, dtype=torch.bfloat16)
    return 2 * side**3 / seconds(lambda: a @ b, device, quick=False)


def planes(net: nn.Module) -> nn.Module:
    """Every depth-wise convolution of it gets contiguous (B, C, H, W)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            module.register_forward_pre_hook(lambda _, maps: (maps[0].contiguous(),))
    return net


@torch.no_grad()
def inference(net: nn.Module, kind: str, batch: int, device: torch.device, quick: bool) -> float:
    """Seconds of a batch."""
    images = torch.randn(batch, 3, SIZE[1], SIZE[0], device=device)
    if kind.endswith("planes"):
        net = planes(copy.deepcopy(net))
    model = torch.compile(net, dynamic=False) if kind.startswith("compiled") else net

    def run() -> torch.Tensor:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled="bf16" in kind):
            return model(images)

    if not kind.startswith("CUDA graph"):
        return seconds(run, device, quick)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph), torch.autocast("cuda", torch.bfloat16, cache_enabled=False):
        model(images)
    return seconds(graph.replay, device, quick)


def training(net: nn.Module, batch: int, device: torch.device, quick: bool) -> float:
    """Seconds of a step: forward, backward, AdamW. Not compiled: the timed training
    says its own speed."""
    images = torch.randn(batch, 3, SIZE[1], SIZE[0], device=device)
    points = torch.rand(batch, 24, 2, device=device) * 40
    weights = torch.ones(batch, 24, device=device)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-5, fused=True)

    def loss() -> torch.Tensor:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            maps = net.raw(images)  # type: ignore[operator]
        return spatial_cross_entropy(maps.float(), points, weights, 2.0, 0.3)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        loss().backward()
        optimiser.step()

    return seconds(step, device, quick)


if __name__ == "__main__":
    main()
