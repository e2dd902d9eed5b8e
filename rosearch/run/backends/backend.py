"""The contract of all backends: jobs in, results out as they finish, even where a worker dies."""

from __future__ import annotations

import pickle
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Generic, Literal, Self, TypeVar

from rosearch.progress import Progress

A = TypeVar("A")
V = TypeVar("V")

LostKind = Literal["worker_lost", "timeout", "exception"]  # a part of errors.FailureKind

OnStart = Callable[[int], None]  # key
OnProgress = Callable[[int, str, int, int], None]  # key, stage, steps done, steps in all

_LONGEST_MESSAGE = 2000  # characters: some exceptions print whole tensors


@dataclass(frozen=True)
class Job(Generic[A, V]):
    """One piece of work: a function of a module, called as `function(argument, progress)`.

    Every backend pickles argument and value on their way: neither shares the driver's memory.
    """

    key: int  # unique within a run
    function: Callable[[A, Progress], V]
    argument: A


@dataclass(frozen=True)
class Lost:
    """Why a job has no value."""

    kind: LostKind
    message: str  # one line
    stage: str = ""  # the last that the job reported


@dataclass(frozen=True)
class Result(Generic[V]):
    """The result of a job: the `value` that its function returned, unless it is `lost`."""

    key: int
    value: V | None = None
    lost: Lost | None = None


def ignore_start(key: int) -> None:
    """The default of `on_start`."""


def ignore_progress(key: int, stage: str, done: int, total: int) -> None:
    """The default of `on_progress`."""


class Backend(ABC):
    """Runs jobs.

    - Each job gives exactly one result, under its key. Results come in any order, and nothing may depend on it.
    - `on_start(key)` comes before the first `on_progress(key, ...)` of a job, which comes before its result.
      A job that cannot be pickled gives only its result. Callbacks run in the thread that iterates. Progress may be
      thinned, but not the last step of a stage.
    - A job is lost as `exception` if it raises (`SystemExit` included) or if its argument or value cannot be pickled,
      as `timeout` if it outlives its time, as `worker_lost` if its worker died. The other jobs go on.
    - `KeyboardInterrupt` in the driver is not caught. Leaving the iteration ends the jobs under way.
    - A backend may run one batch after another, not two at once. `close` ends all work and may come twice.
    """

    def run(
        self,
        jobs: Sequence[Job[A, V]],
        on_start: OnStart = ignore_start,
        on_progress: OnProgress = ignore_progress,
    ) -> Iterator[Result[V]]:
        """Yields a result as each job finishes. Raises `RunError` where no worker can be made to work."""
        yield from self._run(jobs, on_start, on_progress)

    @abstractmethod
    def _run(self, jobs: Sequence[Job[A, V]], on_start: OnStart, on_progress: OnProgress) -> Iterator[Result[V]]:
        """The work of `run`."""

    @abstractmethod
    def close(self) -> None:
        """Ends all work and frees what the backend holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def pickled(job: Job[Any, Any]) -> tuple[bytes, bytes] | Lost:
    """A job's function and its argument, each pickled; or the reason why that fails."""
    try:
        return pickle.dumps(job.function), pickle.dumps(job.argument)
    except Exception as error:
        return Lost("exception", f"the job cannot be sent to a worker: {describe(error)}")


def call(function: Callable[[Any, Progress], Any], argument: bytes, progress: Progress) -> tuple[bytes, str]:
    """Call a function with a pickled argument. Gives the pickled value and "", or b"" and the error in words.

    An interrupt passes through: workers ignore it, so it is the driver's.
    """
    try:
        return pickle.dumps(function(pickle.loads(argument), progress)), ""
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a library's sys.exit() must not end a worker
        return b"", describe(error)


def unpickled(key: int, value: bytes, message: str, stage: str) -> Result[Any]:
    """The result of a job from the two values of `call` and its last stage."""
    if message:
        return Result(key, lost=Lost("exception", message, stage))
    try:
        return Result(key, pickle.loads(value))
    except Exception as error:
        return Result(key, lost=Lost("exception", f"the result cannot be read: {describe(error)}", stage))


def describe(error: BaseException) -> str:
    """An exception in one line: its type, its message, and where it was raised."""
    text = " ".join("".join(traceback.format_exception_only(error)).split())[:_LONGEST_MESSAGE]
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({PurePath(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return (text + place).encode(errors="replace").decode()  # half a surrogate pair could not be printed or stored
