"""aggpose bench"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def bench(
    video: Annotated[Path | None, typer.Argument(help="default: the bundled clip")] = None,
    model: Annotated[str, typer.Option(help="aggpose-t, or a model file")] = "aggpose-t",
    device: Annotated[str, typer.Option(help="auto, cpu, openvino or cuda")] = "auto",
) -> None:
    """How long the parts of predicting a video take on this machine, one after the other: decoding,
    locating the infant (all around the network), the network, the table, drawing with encoding;
    and all of it as `aggpose predict` does it, at the same time."""
    import os
    import platform

    from aggpose.cli.bench_parts import measure
    from aggpose.cli.demo import EXAMPLE

    measured = measure(video or EXAMPLE, model, device)
    width, height = measured.size
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(
        f"{(video or EXAMPLE).name}: {measured.frames} frames of {width}x{height}, "
        f"{measured.model} on {measured.device}"
    )
    for part, taken in measured.seconds.items():
        print(
            f"{part:<28}{1000 * taken / measured.frames:8.1f} ms a frame"
            f"{measured.frames / max(taken, 1e-9):10.1f} frames/s"
        )
    print(f"peak memory {measured.peak_mib:.0f} MiB")
