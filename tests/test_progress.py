from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from rosearch.progress import ENDING, check_stop, heard, patience, stoppable


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    """The handlers that a program begins with, whoever runs the tests."""
    before = {number: signal.getsignal(number) for number in ENDING}
    for number in ENDING:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", ENDING)
def test_the_first_signal_is_raised_and_raised_again_until_someone_ends(number: int) -> None:
    with stoppable(ENDING):
        for strike in (lambda: send(number), check_stop, check_stop):
            with pytest.raises(KeyboardInterrupt):
                strike()
        assert heard() == number


def test_nothing_is_remembered_after_the_block_and_the_handlers_are_those_from_before() -> None:
    with pytest.raises(KeyboardInterrupt), stoppable(ENDING):
        send(signal.SIGINT)
    check_stop()
    assert heard() == 0 and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_only_a_second_ctrl_c_calls_for_the_end_at_once() -> None:
    called: list[int] = []
    with stoppable(ENDING, called.append):
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGTERM)
        send(signal.SIGTERM)
        send(signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        assert called == [signal.SIGINT] and heard() == signal.SIGTERM


def test_patience_lets_the_first_signal_wait_and_not_the_second_ctrl_c() -> None:
    with stoppable(ENDING), patience():
        send(signal.SIGTERM)
        check_stop()
        assert heard() == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)


def test_handlers_of_others_and_ignored_signals_stay() -> None:
    seen: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stoppable(ENDING):
        send(signal.SIGTERM)
        send(signal.SIGHUP)
        check_stop()
    assert seen == [signal.SIGTERM]


def test_nothing_changes_in_another_thread() -> None:
    handlers = []

    def work() -> None:
        with stoppable(ENDING), patience():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]
