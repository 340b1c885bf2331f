"""Progress: a bar on a terminal, plain lines otherwise. All of it on stderr."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_EVERY_S = 10.0


class Steps:
    """Counts steps of one piece of work. Use as a context manager.

    what: its name. unit: of a step, in the plural. total: None where unknown.
    """

    def __init__(self, what: str, unit: str, total: int | None) -> None:
        self._what, self._unit, self._total = what, unit, total
        self._done = 0
        self._start = self._said = time.monotonic()
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(what, total=total)

    def __enter__(self) -> Steps:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        if self._bar is not None:
            self._bar.advance(self._task, steps)
        elif time.monotonic() - self._said >= _EVERY_S:
            self._said = time.monotonic()
            rate = self._done / (self._said - self._start)
            of = f" of {self._total}" if self._total else ""
            print(
                f"{self._what}: {self._done}{of} {self._unit}, {rate:.1f} a second",
                file=sys.stderr,
                flush=True,
            )
