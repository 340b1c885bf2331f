"""Files that belong together come to their names together: all of them whole, or none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from aggpose.errors import UserError


def refuse_targets(targets: Iterable[Path], overwrite: bool = True) -> None:
    """UserError where a file cannot be written, or is there and not to be replaced. Nothing is
    left by trying."""
    for path in targets:
        try:
            if path.is_dir():
                raise UserError(f"{path}: is a folder; give another name")
            if path.exists() and not overwrite:
                raise UserError(f"{path}: is there already; give --overwrite or another name")
            folder = next(p for p in path.absolute().parents if p.exists())
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror})") from None


def publish(contents: Mapping[Path, bytes]) -> None:
    """Write files, replacing those that are there: first all under temporary names."""
    refuse_targets(contents)
    waiting = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in contents}
    path = next(iter(contents))
    try:
        for path, data in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            waiting[path].write_bytes(data)
        for path, temporary in waiting.items():
            temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        for temporary in waiting.values():
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
