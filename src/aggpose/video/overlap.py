"""Letting the stages of a stream work at the same time, with bounded queues between them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

_END = object()


def ahead(source: Iterable[T], depth: int = 8) -> Generator[T, None, None]:
    """The items of ``source``, made up to ``depth`` ahead by another thread.

    Errors of the source are raised here, in their place. Closing the generator stops the thread
    and closes the source when it is a generator, there.
    """
    items: queue.Queue[object] = queue.Queue(maxsize=depth)
    stop = threading.Event()
    failure: list[BaseException] = []

    def put(item: object) -> bool:
        while not stop.is_set():
            try:
                items.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in source:
                if not put(item):
                    break
        except BaseException as error:
            failure.append(error)
        finally:
            try:
                close = getattr(source, "close", None)
                if close is not None:
                    close()
            except BaseException as error:
                failure.append(error)
            finally:
                put(_END)

    thread = threading.Thread(target=work, name="aggpose-ahead", daemon=True)
    thread.start()
    try:
        while (item := items.get()) is not _END:
            yield item  # type: ignore[misc]
        if failure:
            raise failure[0]
    finally:
        stop.set()
        thread.join()


class Behind(Generic[T]):
    """Hands items to ``consume`` in another thread, at most ``depth`` waiting.

    A failure of ``consume`` is raised by the next `put` or by `finish`; items after it are dropped.
    """

    def __init__(self, consume: Callable[[T], None], depth: int = 8) -> None:
        self._items: queue.Queue[object] = queue.Queue(maxsize=depth)
        self._consume = consume
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="aggpose-behind", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (item := self._items.get()) is not _END:
            if self._failure is None:
                try:
                    self._consume(item)  # type: ignore[arg-type]
                except BaseException as error:
                    self._failure = error

    def put(self, item: T) -> None:
        if self._failure is not None:
            raise self._failure
        self._items.put(item)

    def finish(self) -> None:
        """Wait until all is consumed; raises what ``consume`` raised."""
        self.stop()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Wait until all is consumed, without raising."""
        if self._thread.is_alive():
            self._items.put(_END)
            self._thread.join()
