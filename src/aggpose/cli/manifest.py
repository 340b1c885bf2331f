"""The manifest beside every result: what was done, with what, to what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aggpose import __version__
from aggpose.inference.foreign_runtime import ForeignRuntime
from aggpose.inference.model_file import file_sha256, model_sha256
from aggpose.inference.predict import Model

STATEMENT = "Research use only, not a medical device."


def describe_model(model: Model) -> dict[str, Any]:
    """Name, hash and terms of the weights, and where they ran; of foreign ones the description."""
    meta = model.meta
    described = {}
    if isinstance(model.runtime, ForeignRuntime):
        path = model.runtime.description_path
        described["description"] = {"file": path.name, "sha256": file_sha256(path)}
    return {
        "name": meta.name,
        "file": model.path.name,
        "sha256": model_sha256(model.path),
        "keypoints": list(meta.keypoints),
        "input_size": list(meta.input_size),
        "licence": meta.licence,
        "source": meta.source,
        "device": model.device,
        **described,
    }


def describe_input(path: Path) -> dict[str, Any]:
    return {"file": path.name, "path": str(path), "sha256": file_sha256(path)}


def manifest(model: dict[str, Any], settings: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """The whole manifest. parts: inputs, counts, warnings and what else belongs to the kind."""
    return {
        "aggpose": __version__,
        "statement": STATEMENT,
        "model": model,
        "settings": settings,
        **parts,
    }
