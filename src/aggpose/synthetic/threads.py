"""Drawing on one thread: products of small matrices, which more threads only slow (two processes
with two each wait for one another), and whose last bits depend on how many share them. The same
seed gives the same bytes whatever the machine's threads are set to.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
T = TypeVar("T")


def one_thread(draw: Callable[P, T]) -> Callable[P, T]:
    """The same function, with one thread for linear algebra while it runs."""

    @functools.wraps(draw)
    def alone(*args: P.args, **kwargs: P.kwargs) -> T:
        with _limited():
            return draw(*args, **kwargs)

    return alone


def one_thread_each(draw: Callable[P, Iterator[T]]) -> Callable[P, Iterator[T]]:
    """The same generator, with one thread while it makes its next item; who takes them keeps its
    own."""

    @functools.wraps(draw)
    def alone(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        items = draw(*args, **kwargs)
        while True:
            with _limited():
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item

    return alone


def _limited() -> Any:
    return _controller().limit(limits=1)


@functools.lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    """Of the libraries that are loaded by the first draw."""
    return ThreadpoolController()
