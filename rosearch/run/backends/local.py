"""Jobs in worker processes of this machine. A worker runs many jobs: imports, models and data are loaded once.

A worker that dies is replaced. Its job is lost where it crashed; where it was killed from outside, the job is tried
again, three times. Workers end with their driver, however it dies. Ctrl-C reaches the driver alone. For Linux and
macOS.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from typing import Any, final

from rosearch.errors import RunError
from rosearch.progress import check_stop
from rosearch.run.backends.backend import Backend, Calls, Lost, Result, Room, pickled, unpickled
from rosearch.run.backends.environment import interrupts_held_back, started_in, worker_variables
from rosearch.run.backends.local_worker import BEAT_S, GRACE_S, Parcel, Worker
from rosearch.run.backends.worker import work

_FAILED_STARTS = 3  # per worker, in a row, before the run is given up
_AGAIN = 3  # times that a job is tried again after something outside killed its worker
# Signals that a process brings upon itself; all others come from outside.
_CRASHES = {-getattr(signal, f"SIG{name}") for name in ("SEGV", "ABRT", "BUS", "FPE", "ILL", "SYS", "TRAP")}
_SPAWN = multiprocessing.get_context("spawn")  # a fork would copy the driver's threads, locks and CUDA state


@dataclass
class _Batch:
    """One call of `run`."""

    waiting: deque[Parcel]  # one for each worker without a job
    calls: Calls


@final
class LocalBackend(Backend):
    """Spawned processes, started when there is work for them.

    `threads` limits the numeric libraries of each process. `timeout_s` is the time of one job from its start (None: no
    limit). `start_limit_s` is how long a worker that comes up, and imports the modules of its first job, may do
    nothing: one that is slow is alive. `visible` is the GPU that each worker sees alone, by its place in the list;
    none: all see what the driver sees. With a `room` their number grows once the first job is over.
    """

    def __init__(
        self,
        workers: int,
        threads: int = 1,
        timeout_s: float | None = None,
        start_limit_s: float = 300.0,
        visible: Sequence[str] = (),
        room: Room | None = None,
    ) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        if visible and len(visible) != workers:
            raise ValueError(f"expected a GPU for each of {workers} workers, got {len(visible)}")
        self.workers = workers
        self.threads = threads
        self.timeout_s = timeout_s
        self.start_limit_s = start_limit_s
        self.visible = tuple(visible)
        self._room = room
        self._workers: list[Worker] = []
        self._failed_starts = 0

    def _run(self, calls: Calls) -> Iterator[Result[Any]]:
        """Raises `RunError` where workers fail to start, several times in a row."""
        batch = _Batch(deque(), calls)
        try:
            while True:
                check_stop()
                yield from self._fill(batch)
                if not (batch.waiting or self._busy()):
                    return
                self._hire(len(batch.waiting) + len(self._busy()))
                self._assign(batch)
                self._wait()
                for worker in list(self._workers):
                    for result in self._attend(worker, batch):
                        yield result
                        yield from self._fill(batch)
        finally:
            self._dismiss(self._busy())

    def _fill(self, batch: _Batch) -> Iterator[Result[Any]]:
        """Takes a job for each worker without one, and no more: a job that is made later may know more."""
        if not batch.calls.more():  # what had started is tried again all the same
            batch.waiting = deque(parcel for parcel in batch.waiting if parcel.killed)
        while len(batch.waiting) + len(self._busy()) < self.workers and (job := batch.calls.take()) is not None:
            sent = pickled(job)
            if isinstance(sent, Lost):
                yield Result(job.key, lost=sent)
            else:
                batch.waiting.append(Parcel(job.key, *sent))

    def close(self) -> None:
        """Kills all workers, at once."""
        self._dismiss(list(self._workers))

    def _busy(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.parcel is not None]

    def _hire(self, needed: int) -> None:
        """Starts as many workers as the jobs need, up to the limit of the backend."""
        while len(self._workers) < min(self.workers, needed):
            visible = self._free_gpu()
            ours, theirs = _SPAWN.Pipe()
            listening, lifeline = _SPAWN.Pipe(duplex=False)
            process = _SPAWN.Process(target=work, args=(theirs, listening, os.getpid()), daemon=True)
            try:
                with started_in(worker_variables(self.threads, visible)), interrupts_held_back():
                    process.start()
                    self._workers.append(Worker(process, ours, lifeline, visible))
            except OSError as error:
                raise RunError(f"a worker process cannot be started: {error}") from error
            finally:  # a copy that is open here would keep the pipe open after the worker's death
                theirs.close()
                listening.close()

    def _free_gpu(self) -> str | None:
        """The first place of the list that no worker has: a worker that died leaves its own to the next."""
        taken = Counter(worker.visible for worker in self._workers)
        for gpu in self.visible:
            if not taken[gpu]:
                return gpu
            taken[gpu] -= 1
        return None

    def _assign(self, batch: _Batch) -> None:
        for worker in self._workers:
            if worker.state == "idle" and batch.waiting:
                worker.parcel = batch.waiting.popleft()
                worker.enter("loading")
                with suppress(OSError):  # the worker has just died: `_attend` will see it
                    worker.pipe.send_bytes(pickle.dumps((worker.parcel.function, worker.parcel.argument)))

    def _wait(self) -> None:
        """Waits until a worker sends a message, dies, or has used up its time."""
        left = [BEAT_S]
        if self.timeout_s is not None:
            left += [self.timeout_s - worker.spent_s for worker in self._workers if worker.state == "running"]
        ends = [end for worker in self._workers for end in (worker.pipe, worker.process.sentinel)]
        wait(ends, timeout=max(0.0, min(left)))

    def _attend(self, worker: Worker, batch: _Batch) -> Iterator[Result[Any]]:
        """Hears the messages of a worker; replaces it if it is dead or late."""
        died = worker.process.exitcode is not None  # asked first, so that the last messages are in the pipe by now
        worker.charge()
        while worker in self._workers and (message := worker.receive()) is not None:
            yield from self._hear(worker, message, batch)
        if worker not in self._workers:
            return
        running, key = worker.state == "running", worker.parcel.key if worker.parcel else 0
        if died or worker.gone:
            yield from self._replace(worker, batch)
        elif running and self.timeout_s is not None and worker.spent_s >= self.timeout_s:
            self._dismiss([worker])
            yield Result(key, lost=Lost("timeout", f"it took longer than {self.timeout_s:g} s", worker.stage))
        elif worker.state in ("starting", "loading") and worker.spent_s >= self.start_limit_s:
            self._fail_start(worker, f"the worker was not ready, and did nothing for {self.start_limit_s:g} s", batch)

    def _replace(self, worker: Worker, batch: _Batch) -> Iterator[Result[Any]]:
        """Lets a dead worker go. Its job waits for another one if something outside killed it, and is lost if not."""
        ending, code, parcel = worker.ending(), worker.process.exitcode, worker.parcel
        if worker.state != "running" or parcel is None:
            self._fail_start(worker, ending, batch)
            return
        self._dismiss([worker])
        killed = parcel.killed + 1 if code is not None and code < 0 and code not in _CRASHES else 0
        if 0 < killed <= _AGAIN:
            batch.waiting.appendleft(replace(parcel, killed=killed))
        elif code == -signal.SIGBUS:
            told = f"{ending}: a file that is mapped to memory cannot be read or written: check the disk and its space"
            yield Result(parcel.key, lost=Lost("machine", told, worker.stage))
        else:
            ending += f", the {killed}th time" if killed else ""
            yield Result(parcel.key, lost=Lost("worker_lost", ending, worker.stage))

    def _hear(self, worker: Worker, message: tuple[Any, ...], batch: _Batch) -> Iterator[Result[Any]]:
        kind, *content = message
        if kind == "ready":
            worker.enter("idle")
            return
        if worker.parcel is None:  # progress from a thread that a finished job left behind
            return
        key = worker.parcel.key
        if kind == "unusable":
            self._fail_start(worker, content[0], batch)
        elif kind == "started":
            self._failed_starts = 0
            worker.enter("running")
            if not worker.parcel.killed:
                batch.calls.on_start(key)
        elif kind == "progress":
            worker.stage = content[0]
            if self._room is not None:
                self._room.look()
            batch.calls.on_progress(key, *content)
        else:
            value, lost = content
            result = unpickled(key, value, lost, worker.stage)
            worker.parcel = None
            worker.enter("idle")
            self._grow()
            yield result

    def _grow(self) -> None:
        """Makes room for more workers once the first job is over."""
        if self._room is not None:
            self._room.look()
            self.visible, self._room = self._room.workers(), None
            self.workers = len(self.visible)

    def _fail_start(self, worker: Worker, words: str, batch: _Batch) -> None:
        """Gives the job of a worker that died before it began to another worker: it was not the job's fault."""
        if worker.parcel is not None:
            batch.waiting.appendleft(worker.parcel)
        self._dismiss([worker])
        self._failed_starts += 1
        if self._failed_starts >= _FAILED_STARTS * self.workers:
            raise RunError(
                f"workers cannot start: {self._failed_starts} in a row ended before their first job; the last: {words}"
            )

    def _dismiss(self, workers: Sequence[Worker]) -> None:
        for worker in workers:  # all are killed before any is waited for
            worker.process.kill()
        for worker in workers:
            worker.process.join(GRACE_S)
            worker.pipe.close()
            worker.lifeline.close()
            self._workers.remove(worker)
