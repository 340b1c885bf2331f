"""The machine that a time was taken on."""

from __future__ import annotations

import platform
from pathlib import Path

from aggpose.inference.runtime import available_threads


def host_words() -> str:
    """Processor, cores that this process may use, system."""
    return f"{_processor()}, {available_threads()} cores, {platform.system()}"


def _processor() -> str:
    """The model's name where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
