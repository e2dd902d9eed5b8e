"""One worker process as the driver sees it: its job, its state, the time that it has spent there, its end."""

from __future__ import annotations

import pickle
import signal
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Literal

from rosearch.run.backends.environment import processor_seconds

BEAT_S = 0.5  # longest time between two looks at every worker
GRACE_S = 5.0  # wait for a killed process to be gone


@dataclass(frozen=True)
class Parcel:
    """A job on its way."""

    key: int
    function: bytes
    argument: bytes
    killed: int = 0  # workers that were killed while they had it


@dataclass(eq=False)
class Worker:
    """The driver's side of one worker process."""

    process: SpawnProcess
    pipe: Connection
    lifeline: Connection  # the driver's end: closed by the system when the driver dies
    visible: str | None = None  # the only GPU that it sees
    state: Literal["starting", "idle", "loading", "running"] = "starting"
    parcel: Parcel | None = None
    stage: str = ""
    spent_s: float = 0.0  # in this state; while it starts, since it was last seen to do anything
    worked_s: float = 0.0  # its processor time when it was last seen
    seen: float = field(default_factory=time.monotonic)
    gone: bool = False

    def enter(self, state: Literal["idle", "loading", "running"]) -> None:
        """Begins a state: no stage is known, and no time has passed."""
        self.state, self.stage, self.spent_s = state, "", 0.0

    def charge(self) -> None:
        """Counts time in beats: a job must not pay for a stopped driver or a sleeping machine."""
        now = time.monotonic()
        self.spent_s += min(now - self.seen, 2 * BEAT_S)
        self.seen = now
        if self.state in ("starting", "loading") and (worked_s := processor_seconds(self.process.pid)) > self.worked_s:
            self.worked_s, self.spent_s = worked_s, 0.0  # slow, and alive: imports from a cold network take minutes

    def receive(self) -> tuple[Any, ...] | None:
        """The next message; None if there is none now, or none any more (`gone`)."""
        try:
            message: tuple[Any, ...] | None = pickle.loads(self.pipe.recv_bytes()) if self.pipe.poll() else None
        except (EOFError, OSError):
            self.gone = True
            return None
        return message

    def ending(self) -> str:
        """The end of the process, in words."""
        self.process.join(GRACE_S)  # the pipe may close a moment before the process is gone
        code = self.process.exitcode
        if code is None:
            return "the worker closed its pipe"
        if code >= 0:
            return f"the worker exited with code {code}"
        hint = " (out of memory?)" if code == -signal.SIGKILL else ""
        return f"the worker was killed by {signal.Signals(-code).name}{hint}"
