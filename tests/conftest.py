"""Where the shared pictures and recorded numbers lie; tests that need them skip without them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# what several tests build their inputs with
sys.path.insert(0, str(Path(__file__).resolve().parent / "helpers"))

_DEFAULT = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of DATA.md (AGGPOSE_DATA names it)."""
    path = Path(os.environ.get("AGGPOSE_DATA", _DEFAULT))
    if not path.is_dir():
        pytest.skip(f"needs the shared data folder, not at {path} (set AGGPOSE_DATA)")
    return path


@pytest.fixture(scope="session")
def reference(shared_data: Path) -> Path:
    """Numbers recorded from the published implementation."""
    path = shared_data.parent / "reference"
    if not path.is_dir():
        pytest.skip(f"needs the recorded numbers, not at {path}")
    return path
