"""Ctrl-C waits until a picture is in all files."""

from __future__ import annotations

import signal
import threading

import pytest

from aggpose.cli.signals import uninterrupted


@pytest.fixture(autouse=True)
def handler() -> object:
    """Tests run in the background inherit a SIGINT that is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_what_is_under_way_is_finished() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt):
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            steps.append("finished")
        steps.append("the next")
    assert steps == ["finished"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_twice_stops_at_once() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        steps.append("asked once")
        signal.raise_signal(signal.SIGINT)
        steps.append("asked twice")
    assert steps == ["asked once"]


def test_failures_come_through_and_the_handler_comes_back() -> None:
    with pytest.raises(ValueError, match="ours"), uninterrupted():
        raise ValueError("ours")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_ignores_or_handles_it_is_left_alone() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_have_no_signals() -> None:
    done = []

    def work() -> None:
        with uninterrupted():
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]
