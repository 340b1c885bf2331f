"""Networks in OpenVINO's form, run by OpenVINO."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aggpose.errors import UserError, installing
from aggpose.meta import META_KEY, ModelMeta

_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}


class OpenVinoRuntime:
    """A network that `aggpose export --to openvino` wrote. Computes in the precision that the file
    names; OpenVINO falls back to 32 bits where the processor lacks it."""

    device = "cpu"

    def __init__(self, path: Path, device: str, threads: int) -> None:
        if device == "cuda":
            raise UserError(f"{path}: OpenVINO files run on the processor; use --device cpu")
        try:
            import openvino
        except ImportError:
            raise UserError(
                f"{path}: this kind of file needs openvino; run: {installing('export')}"
            ) from None
        core = openvino.Core()
        try:
            model = core.read_model(str(path))
        except Exception as error:  # openvino's own classes share no public base
            reason = str(error).strip().splitlines()[-1][:160]
            raise UserError(f"{path}: is not a readable OpenVINO file ({reason})") from None
        if not model.has_rt_info(META_KEY):
            raise UserError(
                f"{path}: this OpenVINO file does not name its key points; "
                "make it with `aggpose export --to openvino`"
            )
        self.meta = ModelMeta.from_json(model.get_rt_info(META_KEY).astype(str))
        precision = model.get_rt_info("aggpose_precision").astype(str)
        options = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._compiled = core.compile_model(model, "CPU", options)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """(B, 3, H, W) float32 normalised RGB to heat maps (B, K, H / 4, W / 4) float32."""
        return np.array(self._compiled(batch)[0])
