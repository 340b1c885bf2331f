"""aggpose export"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggpose.errors import UserError, installing

if TYPE_CHECKING:
    from aggpose.export.certificate import Certificate


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
    _refuse_options(out, to, precision, half_weights, with_decode, point_score)
    if annotations is not None and images is None:
        raise UserError("--annotations: give the folder of its pictures with --images")
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401

        from aggpose.export.check_set import pictures_set
        from aggpose.export.job import TooFarOff, counted, export_certified, refuse_unknown, targets
        from aggpose.export.publish import refuse_targets
        from aggpose.export.sources import refuse_as_source
        from aggpose.export.with_decode import decoded_targets, export_decoded
        from aggpose.network import load_checkpoint

        refuse_unknown(to, precision)
        if to == "openvino":
            import openvino  # noqa: F401
    except ImportError as error:
        raise UserError(f"exporting needs {error.name}: {installing('export')}") from None

    refuse_targets(decoded_targets(out) if with_decode else targets(out), overwrite)
    refuse_as_source(model)
    net = load_checkpoint(model)
    assert net.meta is not None
    meta = counted(net, net.meta, point_score)
    checks = None if images is None else pictures_set(meta, images, annotations)
    try:
        if with_decode:
            made = export_decoded(net, meta, out, checks, max_shift, source=model)
        else:
            made = export_certified(
                net, meta, out, to, precision, checks, max_shift, half_weights, source=model
            )
    except TooFarOff as error:
        typer.echo(f"aggpose: {out}: {error}; no file was written", err=True)
        raise typer.Exit(1) from None
    _say(out, made)


def _refuse_options(
    out: Path,
    to: str,
    precision: str,
    half_weights: bool,
    with_decode: bool,
    point_score: float | None,
) -> None:
    """UserError where options do not go together."""
    suffix = ".xml" if to == "openvino" else ".onnx"
    if out.suffix != suffix:
        raise UserError(f"--out {out}: name a {suffix} file")
    if half_weights and (to != "onnx" or precision != "fp32"):
        raise UserError("--half-weights: belongs to --to onnx --precision fp32")
    if with_decode and (to != "onnx" or precision != "fp32" or half_weights):
        raise UserError("--with-decode: belongs to --to onnx --precision fp32, whole weights")
    if point_score == 0:
        raise UserError("--point-score 0: give a score above 0; at 0 nothing was found")


def _say(out: Path, made: Certificate) -> None:
    from aggpose.export.job import certificate_path

    maps = made.heatmap_difference
    different = "" if maps is None else f", largest difference of heat maps {maps:.1e}"
    print(f"{out}: {made.size_mb} MB{different}")
    shift = made.counting
    if shift.mean_px is None:
        print(f"no key point counts in {made.crops} crops of {made.checked_on}")
    else:
        print(
            f"key points that count ({shift.points} in {made.crops} crops of {made.checked_on}) "
            f"move by {shift.mean_px:.4f} crop px on average, 99 in 100 by at most "
            f"{shift.p99_px:.4f}"
        )
    if made.ap is not None:
        print(f"AP {made.ap['exported']:.2f}, of the network {made.ap['reference']:.2f}")
    if made.kept_in_float:
        print(f"in float: {', '.join(made.kept_in_float)}")
    if made.computed_in is not None:
        print(f"computed in {made.computed_in} on this processor")
    times = ", ".join(f"{name} {ms:.1f}" for name, ms in made.ms_per_crop.items())
    print(f"ms a crop on this machine: {times}")
    print(f"certificate: {certificate_path(out)}")
