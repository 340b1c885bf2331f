"""One export: the file, its certificate, or neither."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from aggpose.errors import UserError
from aggpose.export.certificate import Certificate, Run, certify
from aggpose.export.check_set import CheckSet, bundled_set
from aggpose.export.openvino_file import write_openvino
from aggpose.export.precision import layer_names, write_fp16, write_int8
from aggpose.export.sensitivity import layer_sensitivity
from aggpose.files import write_json
from aggpose.inference.runtime import open_runtime
from aggpose.meta import META_KEY, ModelMeta
from aggpose.network import AggPose
from aggpose.network.export import export_onnx
from aggpose.network.variants import CONFIG_KEY

PRECISIONS = {"onnx": ("fp32", "fp16", "int8"), "openvino": ("fp32", "bf16", "fp16", "int8")}
MAX_SHIFT_PX = {"fp32": float("inf"), "bf16": 0.5, "fp16": 0.2, "int8": 1.0}
"""Mean shift of the key points that count, crop px, above which an export fails; fp32 is held
by the difference of its maps (`network.export.MAX_DIFFERENCE`)."""

KEPT_SHARES = (0.0, 0.03, 0.08, 0.16, 0.3)
"""Shares of the layers, the most sensitive first, that are left in float until int8 holds."""

_SENSITIVITY_CROPS = 8


class TooFarOff(Exception):
    """The exported file moves key points by more than what was allowed; no file is left."""


def refuse_unknown(to: str, precision: str) -> None:
    """UserError where there is no such file form or it cannot hold the precision."""
    if to not in PRECISIONS:
        raise UserError(f"--to {to}: choose one of {', '.join(PRECISIONS)}")
    if precision not in PRECISIONS[to]:
        mend = "ONNX Runtime has no bf16 on processors; use --to openvino"
        known = f"choose one of {', '.join(PRECISIONS[to])}"
        raise UserError(
            f"--precision {precision} --to {to}: {mend if precision == 'bf16' else known}"
        )


def export_certified(
    net: AggPose,
    meta: ModelMeta,
    out: Path,
    to: str = "onnx",
    precision: str = "fp32",
    checks: CheckSet | None = None,
    max_shift: float | None = None,
    half_weights: bool = False,
    say: Callable[[str], None] = print,
) -> Certificate:
    """Write a network in a form and precision with its certificate beside it.

    out: ``.onnx``, or ``.xml`` for openvino. checks: None for the bundled clip. max_shift: mean
    shift of the key points that count, crop px, None for `MAX_SHIFT_PX`. Raises `TooFarOff` and
    leaves no file where it is above; int8 tries again with its most sensitive layers in float.
    """
    refuse_unknown(to, precision)
    limit = MAX_SHIFT_PX[precision] if max_shift is None else max_shift
    checks = bundled_set(meta) if checks is None else checks
    net = net.float().cpu().eval()
    layers: list[str] = []
    if precision == "int8":
        layers = list(layer_sensitivity(net, checks.images[:_SENSITIVITY_CROPS]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = folder / "plain.onnx"
        export_onnx(net, plain, meta, half_weights and precision == "fp32")
        for share in KEPT_SHARES if precision == "int8" else (0.0,):
            kept = tuple(layers[: round(share * len(layers))])
            if kept:
                say(f"trying again with {len(kept)} of {len(layers)} layers in float")
            made = folder / out.name
            _write(plain, made, to, precision, meta, checks, kept)
            known = layer_names(plain)
            certificate = certify(
                _torch_run(net),
                open_runtime(made, "cpu").run,
                made,
                meta,
                checks,
                precision,
                "OpenVINO" if to == "openvino" else "ONNX Runtime",
                tuple(layer for layer in kept if layer in known),
            )
            if certificate.counting.mean_px <= limit:
                _publish(made, out)
                write_json(certificate_path(out), certificate.as_dict(), indent=1)
                return certificate
            say(f"key points that count move by {certificate.counting.mean_px:.3f} crop px")
    raise TooFarOff(
        f"{out}: key points that count move by {certificate.counting.mean_px:.3f} crop px on "
        f"average, more than {limit} (--max-shift); no file was written"
    )


def certificate_path(out: Path) -> Path:
    """``FILE.certificate.json``"""
    return out.with_name(out.name + ".certificate.json")


def _write(
    plain: Path,
    made: Path,
    to: str,
    precision: str,
    meta: ModelMeta,
    checks: CheckSet,
    kept: tuple[str, ...],
) -> None:
    onnx_file = made if to == "onnx" else made.with_suffix(".source.onnx")
    if precision == "int8":
        write_int8(plain, onnx_file, checks.images, kept)
    elif precision == "fp16" and to == "onnx":
        write_fp16(plain, onnx_file)
    else:
        onnx_file.write_bytes(plain.read_bytes())
    keep_metadata(plain, onnx_file)
    if to == "openvino":
        write_openvino(onnx_file, made, meta, precision)


def keep_metadata(source: Path, target: Path) -> None:
    """Converters drop what a file says of itself."""
    import onnx

    model, before = onnx.load(str(target)), onnx.load(str(source))
    props = {p.key: p.value for p in before.metadata_props if p.key in (META_KEY, CONFIG_KEY)}
    onnx.helper.set_model_props(model, props)
    onnx.save(model, str(target))


def _torch_run(net: AggPose) -> Run:
    def run(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            maps: np.ndarray = net(torch.from_numpy(batch)).numpy()
        return maps

    return run


def _publish(made: Path, out: Path) -> None:
    """Bring the file (and OpenVINO's weights) to its name, whole."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".bin", ".xml") if out.suffix == ".xml" else (out.suffix,):
            target = out.with_suffix(suffix)
            temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
            temporary.write_bytes(made.with_suffix(suffix).read_bytes())
            temporary.replace(target)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror})") from None


def counted(net: AggPose, meta: ModelMeta, point_score: float | None) -> ModelMeta:
    """The description with parameters and multiply-accumulates counted."""
    from aggpose.network import count_macs, count_parameters

    return replace(
        meta,
        parameters=count_parameters(net),
        macs=count_macs(net, meta.input_size),
        point_score=meta.point_score if point_score is None else point_score,
    )
