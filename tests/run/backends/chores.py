"""Jobs for the tests: functions of a module, without heavy imports, since every worker imports them."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import time
from pathlib import Path

from rosearch.progress import Progress


class Unpicklable:
    """A value or argument that cannot travel."""

    def __reduce__(self) -> str:
        raise TypeError("this cannot travel")


class Unreadable:
    """A value that is pickled without complaint and fails where it arrives."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return explode, ("it breaks on arrival",)


class ShyError(Exception):
    """An exception that cannot even be printed."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def explode(words: str) -> None:
    raise ValueError(words)


def square(number: int, progress: Progress) -> int:
    return number * number


def extend(numbers: list[int], progress: Progress) -> list[int]:
    numbers.append(0)
    return numbers


def count(steps: int, progress: Progress) -> int:
    for step in range(1, steps + 1):
        progress("first", step, steps)
    for step in range(1, steps + 1):
        progress("second", step, steps)
    return steps


def fail(words: str, progress: Progress) -> None:
    progress("distil", 1, 2)
    raise ValueError(words)


def fail_shyly(_: None, progress: Progress) -> None:
    raise ShyError


def leave(code: int, progress: Progress) -> None:
    sys.exit(code)


def return_unpicklable(_: None, progress: Progress) -> Unpicklable:
    return Unpicklable()


def return_unreadable(_: None, progress: Progress) -> Unreadable:
    return Unreadable()


def process_id(_: object, progress: Progress) -> int:
    return os.getpid()


def environment(names: list[str], progress: Progress) -> list[str | None]:
    return [os.environ.get(name) for name in names]


def seen_and_pid(seconds: float, progress: Progress) -> tuple[str | None, int]:
    """The GPUs that CUDA would show this process, after a nap in which the other workers get their jobs."""
    time.sleep(seconds)
    return os.environ.get("CUDA_VISIBLE_DEVICES"), os.getpid()


def run_out(number: int, progress: Progress) -> None:
    progress("save", 1, 2)
    raise OSError(number, os.strerror(number))


def die_at_first(arguments: tuple[Path, int, int], progress: Progress) -> str:
    """Ends its process by a signal a number of times, counted in a file."""
    counter, times, number = arguments
    with counter.open("a") as file:
        file.write(".")
    progress("attack", 1, 10)
    if counter.stat().st_size <= times:
        os.kill(os.getpid(), number)
        time.sleep(1000)
    return "done"


def signals_ignored(numbers: list[int], progress: Progress) -> list[bool]:
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return [signal.getsignal(number) == signal.SIG_IGN or number in blocked for number in numbers]


def kill_itself(_: object, progress: Progress) -> None:
    progress("attack", 1, 10)
    os.kill(os.getpid(), signal.SIGKILL)


def kill_itself_later(_: object, progress: Progress) -> None:
    """As `kill_itself`, once the stage is on its way."""
    progress("attack", 1, 10)
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


def crash(code: int, progress: Progress) -> None:
    os._exit(code)


def sleep(seconds: float, progress: Progress) -> float:
    progress("nap", 0, 1)
    time.sleep(seconds)
    return seconds


def chatter_after(_: None, progress: Progress) -> str:
    """Leaves a thread behind that goes on reporting after the result is sent."""

    def chatter() -> None:
        for step in range(4):
            time.sleep(0.1)
            progress("ghost", step, 3)

    threading.Thread(target=chatter, daemon=True).start()
    return "done"


def hold(arguments: tuple[Path, str], progress: Progress) -> None:
    """Holds a lock on a file, which only the end of this process releases, and never finishes."""
    path, way = arguments
    file = path.open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    progress("held", 0, 1)
    if way == "python":
        while True:
            pass
    elif way == "c":
        sum(range(10**15))  # one call into C: no other thread of this process gets a turn
    else:
        time.sleep(1000)
