"""aggpose export"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggpose.errors import UserError, installing

if TYPE_CHECKING:
    from aggpose.export.check_set import CheckSet
    from aggpose.meta import ModelMeta
    from aggpose.network import AggPose


def export(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help=".safetensors, .pth or .onnx weights of ours")
    ],
    out: Annotated[Path, typer.Option(help="the file to write: .onnx, or .xml for openvino")],
    to: Annotated[str, typer.Option(help="onnx or openvino")] = "onnx",
    precision: Annotated[str, typer.Option(help="fp32, bf16 (openvino), fp16 or int8")] = "fp32",
    images: Annotated[
        Path | None,
        typer.Option(help="pictures to calibrate and check on; the bundled clip unless given"),
    ] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="labels of --images: checks people, and AP")
    ] = None,
    max_shift: Annotated[
        float | None,
        typer.Option(min=0, help="crop px by which key points that count may move on average"),
    ] = None,
    half_weights: Annotated[
        bool, typer.Option("--half-weights", help="store weights in 16 bits: half the size")
    ] = False,
    with_decode: Annotated[
        bool, typer.Option("--with-decode", help="pixels in, key points out, all in the graph")
    ] = False,
    point_score: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="score from which on a key point counts in this model"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace the file if it is there")
    ] = False,
) -> None:
    """Write a model for other runtimes, with a certificate of what it costs beside it."""
    suffix = ".xml" if to == "openvino" else ".onnx"
    if out.suffix != suffix:
        raise UserError(f"--out {out}: name a {suffix} file")
    if half_weights and (to != "onnx" or precision != "fp32"):
        raise UserError("--half-weights: belongs to --to onnx --precision fp32")
    if with_decode and (to != "onnx" or precision != "fp32" or half_weights):
        raise UserError("--with-decode: belongs to --to onnx --precision fp32, whole weights")
    if annotations is not None and images is None:
        raise UserError("--annotations: give the folder of its pictures with --images")
    written = [out, *([out.with_suffix(".yaml")] if with_decode else [])]
    for path in written:
        if path.exists() and not overwrite:
            raise UserError(f"{path}: is there already; give --overwrite or another name")
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401

        from aggpose.export.check_set import pictures_set
        from aggpose.export.job import (
            TooFarOff,
            certificate_path,
            counted,
            export_certified,
            refuse_unknown,
        )
        from aggpose.network import load_checkpoint

        refuse_unknown(to, precision)
        if to == "openvino":
            import openvino  # noqa: F401
    except ImportError as error:
        raise UserError(f"exporting needs {error.name}: {installing('export')}") from None

    net = load_checkpoint(model)
    assert net.meta is not None
    meta = counted(net, net.meta, point_score)
    checks = None if images is None else pictures_set(meta, images, annotations)
    if with_decode:
        _decoded(net, meta, out, checks)
        return
    try:
        made = export_certified(net, meta, out, to, precision, checks, max_shift, half_weights)
    except TooFarOff as error:
        typer.echo(f"aggpose: {error}", err=True)
        raise typer.Exit(1) from None
    print(
        f"{out}: {made.size_mb} MB, largest difference of heat maps {made.heatmap_difference:.1e}"
    )
    shift = made.counting
    print(
        f"key points that count ({shift.points} in {made.crops} crops of {made.checked_on}) move "
        f"by {shift.mean_px:.3f} crop px on average, 99 in 100 by at most {shift.p99_px:.3f}"
    )
    if made.ap is not None:
        print(f"AP {made.ap['exported']:.2f}, of the network {made.ap['reference']:.2f}")
    if made.kept_in_float:
        print(f"in float: {', '.join(made.kept_in_float)}")
    times = ", ".join(f"{name} {ms:.1f}" for name, ms in made.ms_per_crop.items())
    print(f"ms a crop on this machine: {times}")
    print(f"certificate: {certificate_path(out)}")


def _decoded(net: AggPose, meta: ModelMeta, out: Path, checks: CheckSet | None) -> None:
    from dataclasses import asdict

    from aggpose.export.check_set import bundled_set
    from aggpose.export.job import certificate_path
    from aggpose.export.with_decode import export_decoded
    from aggpose.files import write_json
    from aggpose.inference.runtime import file_sha256

    checks = bundled_set(meta) if checks is None else checks
    shift = export_decoded(net, meta, out, checks)
    content = {
        "file": out.name,
        "sha256": file_sha256(out),
        "checked_on": checks.name,
        "crops": len(checks.images),
        "against": "the network in torch fp32, decoded by aggpose.heatmaps",
        "counting": asdict(shift),
        "use": "research use only, not a medical device",
    }
    write_json(certificate_path(out), content, indent=1)
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB, described by {out.with_suffix('.yaml').name}")
    print(
        f"key points that count ({shift.points} in {len(checks.images)} crops of {checks.name}) "
        f"lie {shift.mean_px:.4f} crop px from those decoded outside on average, at most "
        f"{shift.max_px:.4f}"
    )
    print(f"certificate: {certificate_path(out)}")
