"""The contract of all backends: jobs in, results out as they finish, even where a worker dies."""

from __future__ import annotations

import pickle
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePath
from typing import Any, Generic, Literal, Protocol, Self, TypeVar

from rosearch.errors import is_out_of_memory, machine_fault
from rosearch.progress import Progress

A = TypeVar("A")
V = TypeVar("V")

# `machine`: a fault of the machine, which is no job's; the others are a part of errors.FailureKind.
LostKind = Literal["worker_lost", "timeout", "exception", "oom", "machine"]

OnStart = Callable[[int], None]  # key
OnProgress = Callable[[int, str, int, int], None]  # key, stage, steps done, steps in all
More = Callable[[], bool]  # False: no other job may start
NextJob = Callable[
    [], "Job[Any, Any] | None"
]  # a job when one can start; None: none now, it is asked after each result

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


class Room(Protocol):
    """Says how many workers there is room for, once the first job is over (`run.gpu_room`)."""

    def look(self) -> None:
        """Sees what the workers hold now."""

    def workers(self) -> tuple[str, ...]:
        """The GPU that each worker is to see alone."""


def always() -> bool:
    """The default of `more`."""
    return True


def ignore_start(key: int) -> None:
    """The default of `on_start`."""


def ignore_progress(key: int, stage: str, done: int, total: int) -> None:
    """The default of `on_progress`."""


@dataclass(frozen=True)
class Calls:
    """The driver's side of a batch: what is told, and what is asked."""

    next_job: NextJob
    on_start: OnStart
    on_progress: OnProgress
    more: More

    def take(self) -> Job[Any, Any] | None:
        """The next job, unless no other may start or there is none now."""
        return self.next_job() if self.more() else None


class Backend(ABC):
    """Runs jobs.

    - Each job that starts gives exactly one result, under its key. Once `more()` is False no other starts. Results come
      in any order, and nothing may depend on it.
    - A job is taken when there is a worker for it, the next one after each result: a function that gives jobs may
      therefore make them of what came before. It is asked no more once it gives None while nothing is under way.
    - `on_start(key)` comes before the first `on_progress(key, ...)` of a job, which comes before its result.
      A job that cannot be pickled gives only its result. Callbacks run in the thread that iterates. Progress may be
      thinned, but not the last step of a stage.
    - A job is lost as `exception` if it raises (`SystemExit` included) or if its argument or value cannot be pickled,
      as `oom` if it raises for want of memory, as `machine` if it raises another fault of the machine, as `timeout` if
      it outlives its time, as `worker_lost` if its worker crashed, or was killed from outside four times. The other
      jobs go on.
    - `KeyboardInterrupt` in the driver is not caught. Leaving the iteration ends the jobs under way.
    - A backend may run one batch after another, not two at once. `close` ends all work and may come twice.
    """

    def run(
        self,
        jobs: Sequence[Job[A, V]] | Callable[[], Job[A, V] | None],
        on_start: OnStart = ignore_start,
        on_progress: OnProgress = ignore_progress,
        more: More = always,
    ) -> Iterator[Result[V]]:
        """Yields a result as each job finishes. Raises `RunError` where no worker can be made to work."""
        next_job = jobs if callable(jobs) else partial(next, iter(jobs), None)
        yield from self._run(Calls(next_job, on_start, on_progress, more))

    @abstractmethod
    def _run(self, calls: Calls) -> Iterator[Result[Any]]:
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


def call(function: Callable[[Any, Progress], Any], argument: bytes, progress: Progress) -> tuple[bytes, Lost | None]:
    """Call a function with a pickled argument. Gives the pickled value and None, or b"" and why there is none.

    An interrupt passes through: workers ignore it, so it is the driver's.
    """
    try:
        return pickle.dumps(function(pickle.loads(argument), progress)), None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a library's sys.exit() must not end a worker
        return b"", _lost(error)


def call_here(job: Job[Any, Any], calls: Calls) -> Result[Any]:
    """A job in the driver's own process, from its start to its result, as if it had been sent to a worker."""
    sent = pickled(job)  # a job that fails in a worker fails here too
    if isinstance(sent, Lost):
        return Result(job.key, lost=sent)
    stage = ""
    fault: Exception | None = None

    def progress(name: str, done: int, total: int) -> None:
        nonlocal stage, fault
        stage = name
        try:
            calls.on_progress(job.key, name, done, total)
        except Exception as error:
            fault = error
            raise

    calls.on_start(job.key)
    value, lost = call(job.function, sent[1], progress)
    if fault is not None:  # the driver's own, which the job must not swallow
        raise fault
    return unpickled(job.key, value, lost, stage)


def _lost(error: BaseException) -> Lost:
    if is_out_of_memory(error):
        return Lost("oom", describe(error))
    fault = machine_fault(error)
    return Lost("machine", fault) if fault else Lost("exception", describe(error))


def unpickled(key: int, value: bytes, lost: Lost | None, stage: str) -> Result[Any]:
    """The result of a job from the two values of `call` and its last stage."""
    if lost is not None:
        return Result(key, lost=replace(lost, stage=stage))
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
