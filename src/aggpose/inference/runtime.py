"""One call for networks of either kind: ONNX Runtime, or torch where the file is a torch file."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from aggpose.errors import UserError, installing
from aggpose.inference.foreign import DOCUMENTED, description_beside
from aggpose.inference.foreign_runtime import ForeignRuntime
from aggpose.inference.openvino_runtime import OpenVinoRuntime, has_openvino
from aggpose.inference.own_graph import check_graph
from aggpose.meta import DECODED_KEY, META_KEY, ModelMeta

DEVICES = ("auto", "cpu", "openvino", "cuda")
"""``auto``: a GPU that ONNX Runtime can use; else, for many crops and ONNX files of ours, OpenVINO
where it is installed (the same numbers in less time, once it has started); else ONNX Runtime on the
processor, which is ``cpu``."""

MANY = 50
"""Pictures from which on it pays to start OpenVINO."""
TORCH_SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt")
_SHIPPED = Path(__file__).resolve().parents[1] / "models"


class Runtime(Protocol):
    """A network ready to run."""

    @property
    def meta(self) -> ModelMeta: ...

    @property
    def device(self) -> str:
        """``cpu``, ``openvino`` (on the processor) or ``cuda``: where it really runs."""

    def run(self, batch: np.ndarray) -> np.ndarray:
        """(B, 3, H, W) float32 normalised RGB to heat maps (B, K, H / 4, W / 4) float32."""


def shipped_models() -> tuple[str, ...]:
    """Names of the weights that come with the package."""
    return tuple(sorted(p.stem for p in _SHIPPED.glob("*.onnx")))


def find_model(model: str | Path) -> Path:
    """The file of a shipped name or a path; UserError names what there is."""
    path = Path(model)
    try:
        if path.is_file():
            return path
    except OSError as error:
        raise UserError(f"{model}: cannot be read ({error.strerror})") from None
    shipped = _SHIPPED / f"{model}.onnx"
    if path.name == str(model) and shipped.is_file():
        return shipped
    if path.is_dir():
        raise UserError(f"{model}: is a folder; name the weights file in it")
    known = ", ".join(shipped_models()) or "none"
    raise UserError(f"{model}: no such model file, and not a shipped model (shipped: {known})")


def available_threads() -> int:
    """Cores that this process may use: affinity counts, where the system tells it."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def open_runtime(
    path: Path, device: str = "auto", threads: int | None = None, many: bool = False
) -> Runtime:
    """A runtime by the file's suffix. threads: of the CPU, None for all this process may use.
    many: a video or `MANY` pictures will follow."""
    if device not in DEVICES:
        raise UserError(f"unknown device {device!r}: choose one of {', '.join(DEVICES)}")
    if threads is not None and threads < 1:
        raise UserError(f"threads must be 1 or more, not {threads}")
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        return _open_onnx(path, device, threads, many)
    if suffix == ".xml":
        return OpenVinoRuntime(path, device, threads or available_threads())
    if suffix in TORCH_SUFFIXES:
        if device == "openvino":
            raise UserError(f"{path}: OpenVINO cannot read it; make an .onnx of it, aggpose export")
        return TorchRuntime(path, device, threads)
    raise UserError(
        f"{path}: weights are .onnx, .xml (OpenVINO), .safetensors or .pth files, not {suffix!r}"
    )


def _open_onnx(path: Path, device: str, threads: int | None, many: bool) -> Runtime:
    worth_it = device == "auto" and many and has_openvino() and not _has_cuda()
    by_openvino = device == "openvino" or worth_it
    session, used = open_session(path, device, threads, only_read=by_openvino)
    about = session.get_modelmeta().custom_metadata_map
    if META_KEY in about:
        if not by_openvino:
            return OnnxRuntime(path, session, used, threads or available_threads())
        meta = ModelMeta.from_json(about[META_KEY], path)
        return OpenVinoRuntime(path, device, threads or available_threads(), meta)
    if not description_beside(path).is_file():
        if DECODED_KEY in about:
            raise UserError(
                f"{path}: its description, {description_beside(path).name}, is missing beside it; "
                "put both files of `aggpose export --with-decode` into one folder"
            )
        raise UserError(
            f"{path}: this ONNX file does not name its key points; "
            "make it with `aggpose export`, or describe somebody else's network in "
            f"{description_beside(path).name} beside it ({DOCUMENTED})"
        )
    if device == "openvino":
        raise UserError(f"{path}: --device openvino is for networks of ours; use --device cpu")
    if by_openvino:
        session, used = open_session(path, device, threads)
    return ForeignRuntime(path, session, used)


def _has_cuda() -> bool:
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def open_session(
    path: Path, device: str, threads: int | None, only_read: bool = False
) -> tuple[Any, str]:
    """An `onnxruntime.InferenceSession` and where it really runs, ``cpu`` or ``cuda``. only_read:
    do not spend time on making it fast."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or available_threads()
    options.log_severity_level = 3
    if only_read:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    cuda = _has_cuda()
    if device == "cuda" and not cuda:
        raise UserError(
            "--device cuda: this onnxruntime has no CUDA; "
            "install onnxruntime-gpu in its place, or use --device cpu"
        )
    providers = ["CPUExecutionProvider"]
    if cuda and device in ("auto", "cuda"):
        providers.insert(0, "CUDAExecutionProvider")
    try:
        # the bytes, not the path: some builds cannot open every path
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=providers)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except Exception as error:  # onnxruntime's own classes share no public base
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise UserError(f"{path}: is not a readable ONNX file ({reason})") from None
    used = "cuda" if "CUDAExecutionProvider" in session.get_providers() else "cpu"
    if device == "cuda" and used != "cuda":
        raise UserError(
            "--device cuda: ONNX Runtime could not start CUDA on this machine "
            "(driver or CUDA libraries missing); use --device cpu"
        )
    return session, used


class OnnxRuntime:
    """A network in ONNX form with our metadata, run by ONNX Runtime. On the processor several crops
    are shared out to the threads, one each at a time: then none waits for another."""

    def __init__(self, path: Path, session: Any, device: str, threads: int) -> None:
        self.device = device
        self._path, self._session = path, session
        text = session.get_modelmeta().custom_metadata_map[META_KEY]
        self.meta = ModelMeta.from_json(text, path)
        inputs, outputs = session.get_inputs(), session.get_outputs()
        check_graph(path, self.meta, [i.shape for i in inputs], [o.shape for o in outputs])
        self._input = inputs[0].name
        self._threads = threads if device == "cpu" else 1
        self._shared: tuple[Any, ThreadPoolExecutor] | None = None

    def run(self, batch: np.ndarray) -> np.ndarray:
        if self._threads == 1 or len(batch) < 2:
            return self._maps(self._session, batch)
        if self._shared is None:
            session, _ = open_session(self._path, "cpu", threads=1)
            self._shared = session, ThreadPoolExecutor(self._threads)
        session, pool = self._shared
        crops = (batch[i : i + 1] for i in range(len(batch)))
        return np.concatenate(list(pool.map(lambda crop: self._maps(session, crop), crops)))

    def _maps(self, session: Any, batch: np.ndarray) -> np.ndarray:
        result: np.ndarray = session.run(None, {self._input: batch})[0]
        return result


class TorchRuntime:
    """A network in a torch file (ours or the published ones), run by torch."""

    def __init__(self, path: Path, device: str, threads: int | None) -> None:
        try:
            import torch

            from aggpose.network import load_checkpoint
        except ImportError as error:
            raise UserError(
                f"{path}: this kind of file needs {error.name or 'torch'}; "
                f"run: {installing('train')}"
            ) from None
        if device == "cuda" and not torch.cuda.is_available():
            raise UserError("--device cuda: torch finds no CUDA device; use --device cpu")
        use_cuda = device != "cpu" and torch.cuda.is_available()
        self.device = "cuda" if use_cuda else "cpu"
        if not use_cuda:
            torch.set_num_threads(threads or available_threads())
        self._torch = torch
        net: Any = load_checkpoint(path)
        self._net = net.eval().to(self.device)
        self.meta: ModelMeta = net.meta

    def counted_meta(self) -> ModelMeta:
        """The description with parameters and multiply-accumulates counted."""
        from dataclasses import replace

        from aggpose.network import count_macs, count_parameters

        macs = count_macs(self._net, self.meta.input_size)
        return replace(self.meta, parameters=count_parameters(self._net), macs=macs)

    def run(self, batch: np.ndarray) -> np.ndarray:
        with self._torch.inference_mode():
            tensor = self._torch.from_numpy(batch).to(self.device)
            return self._net(tensor).float().cpu().numpy()
