"""What every benchmark says of the machine, and how it repeats and reports."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable

from aggpose.export.host import host_words


def machine() -> str:
    """Processor, cores this process may use, system, Python."""
    return f"{host_words()}, Python {platform.python_version()}"


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Least seconds of one call of several: what the machine's other work disturbs least."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
