"""Which files a model is, and what tells them from others."""

from __future__ import annotations

import hashlib
from pathlib import Path

from aggpose.errors import UserError


def model_files(path: Path) -> tuple[Path, ...]:
    """The file, and of OpenVINO's form (``.xml``) the weights beside it."""
    weights = path.with_suffix(".bin")
    return (path, weights) if path.suffix.lower() == ".xml" and weights.is_file() else (path,)


def model_bytes(path: Path) -> int:
    """Size of a model, all its files together."""
    return sum(file.stat().st_size for file in model_files(path))


def model_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a model, its files one after the other: of OpenVINO's form what
    ``cat net.xml net.bin | sha256sum`` says."""
    return file_sha256(*model_files(path))


def file_sha256(*paths: Path) -> str:
    """Hexadecimal SHA-256 of files one after the other, read in pieces."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            with Path(path).open("rb") as file:
                while piece := file.read(1 << 20):
                    digest.update(piece)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()
