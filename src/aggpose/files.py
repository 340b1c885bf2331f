"""Small files: JSON read with clear words when it is none, all written whole or not at all."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from aggpose.errors import UserError


def read_json(path: str | Path, what: str = "file") -> Any:
    """The content of a JSON file; UserError names it when it cannot be read. what: its role."""
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such {what}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: is not JSON (line {error.lineno}: {error.msg})") from None


def write_bytes(path: str | Path, data: bytes) -> None:
    """A file, whole or not at all; UserError names it when it cannot be written."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_json(path: str | Path, content: Any, indent: int | None = None) -> None:
    """JSON, whole or not at all."""
    write_bytes(path, (json.dumps(content, indent=indent) + "\n").encode())
