"""The network on a processor: every runtime and precision beside the plain network in one run.

    python benchmarks/network.py             # AggPose-T and -L at 256x192, batch 1 and 8
    python benchmarks/network.py --variants aggpose-t --profile
    python benchmarks/network.py --variants aggpose-t --float --file int8.xml

Baseline: torch, fp32, eager, attention as two matrix products and a soft-max. Ways take turns, so
that what else the machine does hits all of them; a ratio is the median over rounds of the
baseline's time over the way's, both of one round. The peak is that of a plain matrix product in
the same run, the best of NumPy, torch and OpenVINO for fp32, of the last two for bf16; a picture
costs twice the multiply-adds of `count_macs`. Mean shift: of the key points that count, crop px,
over the bundled clip's crops (`aggpose.export`), with the shipped weights; AggPose-L has random
weights and none.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from machine import machine, seconds
from torch.nn.attention import SDPBackend, sdpa_kernel

from aggpose.export.certificate import certify
from aggpose.export.check_set import CheckSet, bundled_set
from aggpose.export.job import counted, keep_metadata
from aggpose.export.openvino_file import write_openvino
from aggpose.export.precision import write_int8
from aggpose.inference.openvino_runtime import openvino_core
from aggpose.inference.runtime import available_threads, find_model, open_runtime
from aggpose.meta import ModelMeta
from aggpose.network import AggPose, build_network, count_macs, load_checkpoint
from aggpose.network.export import export_onnx

SIZE = (192, 256)
BASELINE = "torch fp32, plain attention"
Run = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of the network on a processor.")
    parser.add_argument("--variants", nargs="+", default=["aggpose-t", "aggpose-l"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--compile", action="store_true", help="torch.compile too (minutes)")
    parser.add_argument("--float", action="store_true", help="without int8")
    parser.add_argument("--file", type=Path, help="of `aggpose export`, to be timed beside these")
    parser.add_argument("--profile", action="store_true", help="where the baseline's time goes")
    options = parser.parse_args()
    torch.set_num_threads(available_threads())
    peaks = {kind: matrix_peak(kind) for kind in (torch.float32, torch.bfloat16)}
    print(f"{machine()}, torch {torch.__version__}")
    print(", ".join(f"{str(k)[6:]} matrix product {v / 1e9:.0f} GFLOP/s" for k, v in peaks.items()))
    for variant in options.variants:
        net, meta = network(variant)
        checks = bundled_set(meta)
        with tempfile.TemporaryDirectory() as folder:
            ways, files = all_ways(net, meta, checks, Path(folder), options)
            shifts = {name: shift(net, ways[name], files.get(name), meta, checks) for name in ways}
            for batch in options.batches:
                report(variant, batch, ways, shifts, options.rounds, net, peaks)
        if options.profile:
            profile(net, options.batches[-1])


def network(variant: str) -> tuple[AggPose, ModelMeta]:
    """The shipped weights where there are some, at 256x192 (height x width); else random ones."""
    shipped = load_checkpoint(find_model("aggpose-t"))
    assert shipped.meta is not None
    net = shipped if variant == "aggpose-t" else build_network(variant, keypoints=24)
    return net.eval(), replace(counted(net, shipped.meta, None), name=variant, input_size=SIZE)


def all_ways(
    net: AggPose, meta: ModelMeta, checks: CheckSet, folder: Path, options: argparse.Namespace
) -> tuple[dict[str, Run], dict[str, Path]]:
    """Everything that runs the network, and the files of those that have one."""
    plain, eight = folder / "plain.onnx", folder / "int8.onnx"
    files = {"ONNX Runtime fp32": plain}
    export_onnx(net, plain, meta)
    if not options.float:
        files["ONNX Runtime int8"] = eight
        write_int8(plain, eight, checks.images[:32])
        keep_metadata(plain, eight)
    for precision in ("fp32", "bf16") if options.float else ("fp32", "bf16", "int8"):
        file = files[f"OpenVINO {precision}"] = folder / f"{precision}.xml"
        write_openvino(eight if precision == "int8" else plain, file, meta, precision)
    if options.file:  # not right after ONNX Runtime, whose threads spin on for a while
        files[options.file.name] = options.file
    ways: dict[str, Run] = {
        BASELINE: torch_run(net, plain_attention=True),
        "torch fp32": torch_run(net),
        "torch bf16": torch_run(net, bf16=True),
    }
    if options.compile:
        fast: Any = torch.compile(net, dynamic=False)
        ways["torch fp32, compiled"] = torch_run(fast)
        ways["torch bf16, compiled"] = torch_run(fast, bf16=True)
    return ways | {name: open_runtime(file, "cpu").run for name, file in files.items()}, files


def torch_run(net: torch.nn.Module, bf16: bool = False, plain_attention: bool = False) -> Run:
    def run(batch: np.ndarray) -> np.ndarray:
        kernels = [SDPBackend.MATH] if plain_attention else list(SDPBackend.__members__.values())
        with (
            torch.inference_mode(),
            sdpa_kernel([k for k in kernels if k is not SDPBackend.ERROR]),
            torch.autocast("cpu", torch.bfloat16, enabled=bf16),
        ):
            maps: np.ndarray = net(torch.from_numpy(batch)).float().numpy()
        return maps

    return run


def shift(net: AggPose, run: Run, file: Path | None, meta: ModelMeta, checks: CheckSet) -> str:
    """Mean shift of key points, crop px; "" with random weights."""
    if meta.name != "aggpose-t":
        return ""
    path = file or find_model("aggpose-t")  # the certificate names and weighs a file
    found = certify(torch_run(net), run, path, meta, replace(checks, labels=None), "", "")
    return f"{found.counting.mean_px:.3f}"


def report(
    variant: str,
    batch: int,
    ways: dict[str, Run],
    shifts: dict[str, str],
    rounds: int,
    net: AggPose,
    peaks: dict[torch.dtype, float],
) -> None:
    images = np.random.default_rng(0).standard_normal((batch, 3, SIZE[1], SIZE[0]), np.float32)
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for name in ways:
        ways[name](images)
    for _ in range(rounds):
        for name, run in ways.items():
            start = time.perf_counter()
            run(images)
            spent[name].append(time.perf_counter() - start)
    flops = 2 * count_macs(net, SIZE) * batch
    print(f"\n| {variant}, batch {batch} | ms a crop | ratio | of the peak | mean shift, px |")
    print("|---|---|---|---|---|")
    baseline = np.array(spent[BASELINE])
    for name, times in spent.items():
        taken = float(np.median(times))
        ratio = float(np.median(baseline / np.array(times)))
        peak = peaks[torch.bfloat16 if "bf16" in name else torch.float32]
        share = "" if "int8" in name else f"{100 * flops / taken / peak:.0f} %"
        cells = (f"{1000 * taken / batch:.1f}", f"{ratio:.2f}", share, shifts[name])
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def matrix_peak(kind: torch.dtype, side: int = 2048) -> float:
    """FLOP/s of a product of random square matrices: the best of some, in the best library."""
    a, b = torch.randn(2, side, side)
    low, wide = a.to(kind), b.to(kind)
    products: list[Callable[[], object]] = [lambda: low @ wide]
    if kind is torch.float32:
        products.append(lambda: a.numpy() @ b.numpy())
    left = openvino.opset13.parameter([side, side], np.float32)
    weights = openvino.opset13.constant(b.numpy())
    product = openvino.Model([openvino.opset13.matmul(left, weights, False, False)], [left])
    hint = {"INFERENCE_PRECISION_HINT": "bf16" if kind is torch.bfloat16 else "f32"}
    options = hint | {"INFERENCE_NUM_THREADS": available_threads()}
    compiled = openvino_core().compile_model(product, "CPU", options)
    products.append(lambda: compiled(a.numpy()))
    return 2 * side**3 / min(seconds(run, 6) for run in products)


def profile(net: AggPose, batch: int) -> None:
    images = np.zeros((batch, 3, SIZE[1], SIZE[0]), np.float32)
    run = torch_run(net, plain_attention=True)
    run(images)
    with torch.profiler.profile() as profiler:
        run(images)
    events = sorted(profiler.key_averages(), key=lambda e: -e.self_cpu_time_total)
    total = sum(e.self_cpu_time_total for e in events)
    print(f"\n| {BASELINE}, batch {batch} | share of the time |\n|---|---|")
    for event in events[:10]:
        print(f"| {event.key} | {100 * event.self_cpu_time_total / total:.1f} % |")


if __name__ == "__main__":
    main()
