"""The worker's side of `LocalBackend`: the main function of each of its processes."""

from __future__ import annotations

import fcntl
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from rosearch.progress import Progress
from rosearch.run.backends.backend import call, describe

_REPORT_S = 0.1  # between two progress messages of a job


def work(pipe: Connection, lifeline: Connection, driver: int) -> None:
    """Runs jobs until the driver is gone. Sends `ready` once, then `started`, `progress` and `done` for each job."""
    for number in (signal.SIGINT, signal.SIGHUP):  # a terminal sends them to all processes: they are the driver's
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # the driver held it back while it started us
    _die_with_driver(lifeline, driver)
    with suppress(OSError):  # Linux: where memory runs out, a worker goes before the driver does
        Path("/proc/self/oom_score_adj").write_text("500")
    speaking = threading.Lock()

    def say(*message: Any) -> None:
        with speaking:
            pipe.send_bytes(pickle.dumps(message))

    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the driver is gone, or about to kill us
        say("ready")
        while True:
            pickled_function, argument = pickle.loads(pipe.recv_bytes())
            try:
                function = pickle.loads(pickled_function)  # imports its module
            except BaseException as error:
                say("unusable", describe(error))
                return
            say("started")
            say("done", *call(function, argument, thinned(say)))


def thinned(say: Callable[..., None], every_s: float = _REPORT_S) -> Progress:
    """Progress thinned for the driver: new stages, last steps, and in between a message every so many seconds."""
    said: dict[str, float] = {}

    def progress(stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - said.get(stage, -every_s) >= every_s:
            said[stage] = now
            say("progress", stage, done, total)

    return progress


def _die_with_driver(lifeline: Connection, driver: int) -> None:
    """Ends this process when the driver is gone, even in the middle of a computation."""

    def watch() -> None:
        while not wait([lifeline], timeout=1.0) and os.getppid() == driver:
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    if hasattr(fcntl, "F_SETSIG"):  # Linux: the kernel kills us, even while C code keeps all threads waiting
        with suppress(OSError):
            fcntl.fcntl(lifeline.fileno(), fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(lifeline.fileno(), fcntl.F_SETSIG, signal.SIGKILL)
            flags = fcntl.fcntl(lifeline.fileno(), fcntl.F_GETFL)
            fcntl.fcntl(lifeline.fileno(), fcntl.F_SETFL, flags | os.O_ASYNC)
