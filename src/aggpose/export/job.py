"""One export: the file, its certificate, or neither."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from aggpose.errors import UserError
from aggpose.export.certificate import Certificate, Run, Seen, certify, look, refuse_unmeasured
from aggpose.export.check_set import CheckSet, bundled_set
from aggpose.export.openvino_file import write_openvino
from aggpose.export.precision import layer_names, write_fp16, write_int8
from aggpose.export.publish import publish, refuse_targets
from aggpose.export.sensitivity import layer_sensitivity
from aggpose.inference.model_file import model_files, model_sha256
from aggpose.inference.openvino_runtime import OpenVinoRuntime
from aggpose.inference.runtime import open_runtime
from aggpose.meta import META_KEY, ModelMeta
from aggpose.network import AggPose
from aggpose.network.export import TooFarOff, close_enough, export_onnx
from aggpose.network.variants import CONFIG_KEY

PRECISIONS = {"onnx": ("fp32", "fp16", "int8"), "openvino": ("fp32", "bf16", "fp16", "int8")}
MAX_SHIFT_PX = {"bf16": 0.5, "fp16": 0.2, "half": 0.2, "int8": 1.0}
"""Mean shift of the key points that count, crop px, above which an export fails. ``half``: fp32
with weights stored in 16 bits. fp32 has none: its maps must equal the network's
(`network.export.close_enough`), which can be told of networks that find nothing too."""

KEPT_SHARES = (0.0, 0.03, 0.08, 0.16, 0.3)
"""Shares of the layers, the most sensitive first, that are left in float until int8 holds."""

_SENSITIVITY_CROPS = 8


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
    source: Path | None = None,
) -> Certificate:
    """Write a network in a form and precision with its certificate beside it.

    out: ``.onnx``, or ``.xml`` for openvino. checks: None for the bundled clip. max_shift: mean
    shift of the key points that count, crop px, None for `MAX_SHIFT_PX`. source: the file of the
    weights, for the certificate. Raises `TooFarOff` and leaves no file where the shift is above
    (int8 tries again with its most sensitive layers in float) or fp32 maps differ; UserError where
    too few points count for a shift to be told.
    """
    refuse_unknown(to, precision)
    refuse_targets(targets(out))
    checks = bundled_set(meta) if checks is None else checks
    net = net.float().cpu().eval()
    half = half_weights and precision == "fp32"
    exact = precision == "fp32" and not half
    limit = MAX_SHIFT_PX.get("half" if half else precision) if max_shift is None else max_shift
    reference = look(torch_run(net), meta, checks)
    if limit is not None:
        refuse_unmeasured(reference, meta, checks)
    layers: list[str] = []
    if precision == "int8":
        layers = list(layer_sensitivity(net, checks.images[:_SENSITIVITY_CROPS]))
    with tempfile.TemporaryDirectory() as name:
        plain, made = Path(name) / "plain.onnx", Path(name) / out.name
        export_onnx(net, plain, meta, half)
        for share in KEPT_SHARES if precision == "int8" else (0.0,):
            kept = tuple(layers[: round(share * len(layers))])
            if kept:
                say(f"trying again with {len(kept)} of {len(layers)} layers in float")
            _write(plain, made, to, precision, meta, checks, kept)
            found = _certified(reference, made, meta, checks, precision)
            assert found.heatmap_difference is not None and reference.maps is not None
            if exact and not close_enough(found.heatmap_difference, reference.maps):
                raise TooFarOff(f"its maps differ from the network's by {found.heatmap_difference}")
            if limit is None or within(found, limit):
                known = set(layer_names(plain))
                found = replace(found, kept_in_float=tuple(k for k in kept if k in known))
                return publish_certified(found, out, model_files(made), source)
            say(f"key points that count move by {found.counting.mean_px} crop px")
    raise TooFarOff(too_far(found, limit))


def targets(out: Path) -> list[Path]:
    """All that an export writes: the file, OpenVINO's weights, the certificate."""
    weights = [out.with_suffix(".bin")] if out.suffix == ".xml" else []
    return [*weights, out, certificate_path(out)]


def certificate_path(out: Path) -> Path:
    """``FILE.certificate.json``"""
    return out.with_name(out.name + ".certificate.json")


def within(made: Certificate, limit: float) -> bool:
    """Whether the key points that count move by no more on average, crop px."""
    moved = made.counting.mean_px
    sound = made.heatmap_difference is None or np.isfinite(made.heatmap_difference)
    return bool(sound and moved is not None and moved <= limit)


def too_far(made: Certificate, limit: float | None) -> str:
    computed = f", computed in {made.computed_in}," if made.computed_in else ""
    return (
        f"key points that count{computed} move by {made.counting.mean_px} crop px on average, "
        f"more than {limit} (--max-shift)"
    )


def publish_certified(
    made: Certificate,
    out: Path,
    files: tuple[Path, ...],
    source: Path | None,
) -> Certificate:
    """Bring files, whose names differ from the wanted ones in the folder only, to their place with
    the certificate, which is completed and returned."""
    if source is not None:
        made = replace(made, source=source.name, source_sha256=model_sha256(source))
    contents = {out.with_suffix(file.suffix): file.read_bytes() for file in reversed(files)}
    certificate = json.dumps(made.as_dict(), indent=1) + "\n"
    publish({**contents, certificate_path(out): certificate.encode()})
    return made


def _certified(
    reference: Seen, made: Path, meta: ModelMeta, checks: CheckSet, precision: str
) -> Certificate:
    runtime = open_runtime(made, "cpu")
    if not isinstance(runtime, OpenVinoRuntime):
        words = f"ONNX Runtime {onnxruntime.__version__}"
        return certify(reference, runtime.run, made, meta, checks, precision, words)
    import openvino

    words = f"OpenVINO {openvino.__version__.partition('-')[0]}"
    found = certify(reference, runtime.run, made, meta, checks, precision, words)
    return replace(found, computed_in=runtime.computed_in)


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


def torch_run(net: AggPose) -> Run:
    def run(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            maps: np.ndarray = net(torch.from_numpy(batch)).numpy()
        return maps

    return run


def counted(net: AggPose, meta: ModelMeta, point_score: float | None) -> ModelMeta:
    """The description with parameters and multiply-accumulates counted."""
    from aggpose.network import count_macs, count_parameters

    return replace(
        meta,
        parameters=count_parameters(net),
        macs=count_macs(net, meta.input_size),
        point_score=meta.point_score if point_score is None else point_score,
    )
