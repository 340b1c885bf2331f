from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from aggpose.video.overlap import Behind, ahead


def test_ahead_keeps_order_and_stays_bounded() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for i in range(50):
            made.append(i)
            yield i

    items = ahead(source(), depth=3)
    assert next(items) == 0
    time.sleep(0.3)
    assert len(made) <= 6  # one handed out, three waiting, one in the hand
    assert list(items) == list(range(1, 50))


def test_ahead_hands_on_errors_in_their_place() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise OSError("disk gone")

    items = ahead(source())
    assert next(items) == 1
    with pytest.raises(OSError, match="disk gone"):
        next(items)


def test_closing_ahead_closes_the_source() -> None:
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    items = ahead(source(), depth=2)
    next(items)
    items.close()
    assert closed.is_set()


def test_behind_consumes_all_in_order() -> None:
    seen: list[int] = []
    stage = Behind[int](seen.append, depth=2)
    for i in range(100):
        stage.put(i)
    stage.finish()
    assert seen == list(range(100))


def test_behind_raises_what_failed_and_does_not_hang() -> None:
    def consume(item: int) -> None:
        raise OSError("disk full")

    stage = Behind[int](consume, depth=1)
    with pytest.raises(OSError, match="disk full"):
        for i in range(100):
            stage.put(i)
    with pytest.raises(OSError, match="disk full"):
        stage.finish()
