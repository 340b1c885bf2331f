"""Networks run by OpenVINO: files in its own form, and ONNX files of ours."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from aggpose.errors import UserError, installing
from aggpose.meta import META_KEY, ModelMeta

_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "bf16"}

BATCHES = (8, 4, 1)
"""Batch sizes that a network is compiled for, each when it is first met: with every size known
OpenVINO takes less than half the time. Others are put together of these."""


def has_openvino() -> bool:
    """Whether OpenVINO is installed; does not import it."""
    return importlib.util.find_spec("openvino") is not None


class OpenVinoRuntime:
    """A network run by OpenVINO on the processor: a file that `aggpose export --to openvino` wrote,
    in the precision it names (32 bits where the processor lacks it), or one in ONNX form whose
    meta is given, in 32 bits."""

    device = "openvino"

    def __init__(
        self, path: Path, device: str, threads: int, meta: ModelMeta | None = None
    ) -> None:
        if device == "cuda":
            raise UserError(f"{path}: OpenVINO runs on the processor; use --device cpu")
        try:
            import openvino
        except ImportError:
            raise UserError(f"{path}: this needs openvino; run: {installing('export')}") from None
        self._core = openvino.Core()
        self._model: Any = self._read(path)
        precision = "fp32"
        if meta is None:
            if not self._model.has_rt_info(META_KEY):
                raise UserError(
                    f"{path}: this OpenVINO file does not name its key points; "
                    "make it with `aggpose export --to openvino`"
                )
            meta = ModelMeta.from_json(self._model.get_rt_info(META_KEY).astype(str))
            precision = self._model.get_rt_info("aggpose_precision").astype(str)
        self.meta = meta
        self._options = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._compiled: dict[int, Any] = {}

    def _read(self, path: Path) -> Any:
        try:
            return self._core.read_model(str(path))
        except Exception as error:  # openvino's own classes share no public base
            reason = str(error).strip().splitlines()[-1][:160]
            raise UserError(f"{path}: is not a readable OpenVINO file ({reason})") from None

    def run(self, batch: np.ndarray) -> np.ndarray:
        """(B, 3, H, W) float32 normalised RGB to heat maps (B, K, H / 4, W / 4) float32."""
        if not len(batch):
            width, height = self.meta.input_size
            return np.empty((0, len(self.meta.keypoints), height // 4, width // 4), np.float32)
        parts, start = [], 0
        while start < len(batch):
            size = next(size for size in BATCHES if size <= len(batch) - start)
            parts.append(np.array(self._for(size)(batch[start : start + size])[0]))
            start += size
        return np.concatenate(parts) if len(parts) != 1 else parts[0]

    def _for(self, size: int) -> Any:
        if size not in self._compiled:
            model = self._model.clone()
            model.reshape([size, *(d.get_length() for d in list(model.input(0).partial_shape)[1:])])
            self._compiled[size] = self._core.compile_model(model, "CPU", self._options)
        return self._compiled[size]
