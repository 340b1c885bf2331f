"""OpenVINO files (``.xml`` with ``.bin``) that say of themselves what is needed to use them."""

from __future__ import annotations

from pathlib import Path

from aggpose.inference.openvino_runtime import openvino_core
from aggpose.meta import META_KEY, PRECISION_KEY, ModelMeta


def write_openvino(source: Path, target: Path, meta: ModelMeta, precision: str) -> None:
    """An ONNX file (fp32, or int8 with quantise nodes) in OpenVINO's form.

    target: ``.xml``; the weights come beside it as ``.bin``. precision: fp32, bf16, fp16 or int8.
    Weights are stored in 16 bits for fp16. The ONNX reader of OpenVINO's core is used, which asks
    nobody and sends nothing.
    """
    import openvino

    model = openvino_core().read_model(str(source))
    model.set_rt_info(meta.to_json(), META_KEY)
    model.set_rt_info(precision, PRECISION_KEY)
    openvino.save_model(model, str(target), compress_to_fp16=precision == "fp16")
