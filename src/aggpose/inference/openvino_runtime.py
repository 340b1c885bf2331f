"""Networks run by OpenVINO: files in its own form, and ONNX files of ours."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from aggpose.errors import UserError, installing
from aggpose.inference.own_graph import Shape, check_graph
from aggpose.meta import HEATMAP_STRIDE, META_KEY, PRECISION_KEY, ModelMeta

_WANTED = {"fp32": "fp32", "bf16": "bf16", "fp16": "fp16", "int8": "bf16"}
"""What a file's precision asks the processor for; of int8 files for the layers left in float."""

_HINTS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}

SIZES = (4, 1)
"""For so many crops at a time a network is compiled, each when it is first met: with every size
known OpenVINO takes less than half the time."""


def has_openvino() -> bool:
    """Whether OpenVINO is installed; does not import it."""
    return importlib.util.find_spec("openvino") is not None


@cache
def openvino_core() -> Any:
    """OpenVINO's core, one for the process and never dropped; ImportError without OpenVINO.

    Its plugin of the processor gives the thread that made it another stack for signals and, of
    several cores, leaves one behind that is gone when they are dropped: the next Ctrl-C would be a
    segmentation fault.
    """
    import openvino

    return openvino.Core()


def computed_precision(precision: str, able: Sequence[str]) -> str:
    """``fp32``, ``bf16`` or ``fp16`` for a file's precision: fp32 where the processor lacks what it
    asks for, as OpenVINO would take bf16 in place of fp16, which is coarser.

    able: OpenVINO's words for what the processor can, ``FP32``, ``BF16``, ``FP16`` and others.
    """
    wanted = _WANTED[precision]
    return wanted if wanted.upper() in able else "fp32"


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
        if not has_openvino():
            raise UserError(f"{path}: this needs openvino; run: {installing('export')}")
        self._core = openvino_core()
        self._model: Any = self._read(path)
        precision = "fp32"
        if meta is None:
            meta, precision = self._described(path)
        inputs, outputs = (_shapes(ports) for ports in (self._model.inputs, self._model.outputs))
        check_graph(path, meta, inputs, outputs)
        self.meta = meta
        able = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self._options = {
            "INFERENCE_PRECISION_HINT": _HINTS[computed_precision(precision, able)],
            "INFERENCE_NUM_THREADS": threads,
        }
        self._streams = min(threads, 2)
        self._lone: Any = None
        self._queues: dict[int, Any] = {}

    @property
    def computed_in(self) -> str:
        """``fp32``, ``bf16`` or ``fp16``: what the compiled network computes in (of int8 files, the
        layers left in float)."""
        kind = self._one().get_property("INFERENCE_PRECISION_HINT").get_type_name()
        return {hint: name for name, hint in _HINTS.items()}[kind]

    def _described(self, path: Path) -> tuple[ModelMeta, str]:
        """The description and the precision that a file of OpenVINO's form holds."""
        if not self._model.has_rt_info(META_KEY):
            raise UserError(
                f"{path}: this OpenVINO file does not name its key points; "
                "make it with `aggpose export --to openvino`"
            )
        meta = ModelMeta.from_json(self._told(META_KEY), path)
        precision = self._told(PRECISION_KEY)
        if precision not in _WANTED:
            raise UserError(
                f"{path}: its {PRECISION_KEY} is {precision!r}, none of {', '.join(_WANTED)}; "
                "make it anew with `aggpose export --to openvino`"
            )
        return meta, precision

    def _told(self, key: str) -> str:
        if not self._model.has_rt_info(key):
            return ""
        return str(self._model.get_rt_info(key).astype(str))

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
            shape = (0, len(self.meta.keypoints), height // HEATMAP_STRIDE, width // HEATMAP_STRIDE)
            return np.empty(shape, np.float32)
        parts: dict[int, np.ndarray] = {}
        for start, size in in_pairs(len(batch)):
            if size:
                queue = self._queue(size)
                for begin in (start, start + size):
                    queue.start_async({0: batch[begin : begin + size]}, (parts, begin), True)
                queue.wait_all()
            else:
                parts[start] = self._one()(batch[start : start + 1])[0]
        return np.concatenate([parts[start] for start in sorted(parts)])

    def _one(self) -> Any:
        """The network for one crop, on all threads."""
        if self._lone is None:
            self._lone = self._compile(1, {"PERFORMANCE_HINT": "LATENCY"})
        return self._lone

    def _queue(self, size: int) -> Any:
        """The network for so many crops, twice at a time, each on half the threads: threads that
        work on different crops need not wait for one another."""
        if size not in self._queues:
            from openvino import AsyncInferQueue

            streams = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": str(self._streams)}
            queue = self._queues[size] = AsyncInferQueue(self._compile(size, streams), 2)
            queue.set_callback(_keep)
        return self._queues[size]

    def _compile(self, size: int, how: dict[str, str]) -> Any:
        model = self._model.clone()
        width, height = self.meta.input_size
        model.reshape([size, 3, height, width])
        return self._core.compile_model(model, "CPU", self._options | how)


def _keep(request: Any, place: tuple[dict[int, np.ndarray], int]) -> None:
    parts, start = place
    parts[start] = np.array(request.get_output_tensor(0).data)


def in_pairs(count: int) -> list[tuple[int, int]]:
    """A batch in pairs of pieces: where each pair begins and the size of its pieces; of an odd one
    left over the size is 0."""
    pairs, start = [], 0
    while start < count:
        size = next((size for size in SIZES if 2 * size <= count - start), 0)
        pairs.append((start, size))
        start += 2 * size or 1
    return pairs


def _shapes(ports: Any) -> list[Shape]:
    """Shapes of a graph's inputs or outputs, None where an axis is free."""
    return [
        [d.get_length() if d.is_static else None for d in port.get_partial_shape()]
        if port.get_partial_shape().rank.is_static
        else [None] * 4
        for port in ports
    ]
