"""Jobs as tasks of a Ray cluster, one process a job. Ray places them; who is tried again is decided here.

A process that dies, alone or with its node, is tried again, three times; Ray does not tell a crash from a kill.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

from rosearch.errors import RunError, one_line
from rosearch.files import file_hash, importable
from rosearch.progress import check_stop
from rosearch.run.backends import ray_cluster
from rosearch.run.backends.backend import Backend, Calls, Lost, Result, pickled, unpickled
from rosearch.run.backends.environment import worker_variables
from rosearch.run.backends.ray_task import Order, code_here, live

_log = logging.getLogger(__name__)
_BEAT_S = 0.5  # longest time between two looks at every task
_AGAIN = 3  # times that a job is tried again after its process died
_FAILED_STARTS = 3  # in a row, for each task that has room, before the run is given up


@dataclass(eq=False)
class _Task:
    """The driver's side of one task."""

    order: Order
    messages: Any  # Ray's generator
    running: bool = False
    stage: str = ""
    spent_s: float = 0.0  # since it runs
    seen: float = field(default_factory=time.monotonic)

    def charge(self) -> None:
        """Counts time in beats: a job must not pay for a stopped driver or a sleeping machine."""
        now = time.monotonic()
        self.spent_s += min(now - self.seen, 2 * _BEAT_S) if self.running else 0.0
        self.seen = now


@final
class RayBackend(Backend):
    """Tasks of one candidate each, as many as the cluster has room for. None is placed before it has room.

    `address` is that of a cluster, `auto` for the one of this machine; None starts an instance here. A task asks for
    `threads` CPUs and for `gpus`, the share of a GPU. `shared` are files that every node must see as the driver does.
    `patience_s` is how long a cluster without a node for such a task is waited for.
    """

    def __init__(
        self,
        address: str | None = None,
        threads: int = 1,
        timeout_s: float | None = None,
        gpus: float = 0.0,
        shared: Sequence[Path] = (),
        patience_s: float = 60.0,
    ) -> None:
        self.address, self.threads, self.timeout_s, self.gpus = address, threads, timeout_s, gpus
        self.patience_s = patience_s
        self._shared = tuple(shared)
        self._seen: dict[str, str] = {}  # their hashes
        self._ours: bool | None = None  # None: not joined yet
        self._tasks: list[_Task] = []
        self._failed_starts = 0
        self._room, self._asked, self._roomy = 0, 0.0, 0.0

    def _run(self, calls: Calls) -> Iterator[Result[Any]]:
        """Raises `RunError` where no cluster answers, or none of its nodes has what a task asks for."""
        waiting: deque[Order] = deque()
        self._seen = {str(path): file_hash(path) for path in self._shared}
        try:
            while True:
                check_stop()
                yield from self._submit(waiting, calls)
                if not (waiting or self._tasks):
                    return
                for task in self._ready():
                    for result in self._take(task, waiting, calls):
                        yield result
                        yield from self._submit(waiting, calls)
                yield from self._late()
        finally:
            self._cancel(list(self._tasks))

    def close(self) -> None:
        """Ends all tasks, and leaves the cluster; an instance of ours ends with it."""
        if self._ours is not None:
            self._cancel(list(self._tasks))
            if self._ours:
                ray_cluster.leave()
            self._ours = None

    def _submit(self, waiting: deque[Order], calls: Calls) -> Iterator[Result[Any]]:
        """Hands over as many orders as the cluster has room for, and asks for each when there is room for it."""
        if not calls.more():  # what had started is tried again all the same
            for order in [order for order in waiting if not order.killed]:
                waiting.remove(order)
        while True:
            if not waiting and (not self._tasks or self._has_room()):
                yield from self._ask(waiting, calls)
            if not waiting or not self._has_room():
                return
            order = waiting.popleft()
            self._tasks.append(_Task(order, _remote(self.threads, self.gpus).remote(order)))

    def _ask(self, waiting: deque[Order], calls: Calls) -> Iterator[Result[Any]]:
        """Asks for a job that can be sent; those that cannot are lost."""
        while not waiting and (job := calls.take()) is not None:
            sent = pickled(job)
            if isinstance(sent, Lost):
                yield Result(job.key, lost=sent)
            else:
                waiting.append(Order(job.key, *sent, code_here(), self._seen, tuple(importable())))

    def _has_room(self) -> bool:
        """True where the cluster, which is joined for the first job, has room for another task."""
        if self._ours is None:
            self._ours, self._roomy = ray_cluster.join(self.address), time.monotonic()
        return len(self._tasks) < self._look()

    def _look(self) -> int:
        """The room of the cluster, which may have changed. Raises `RunError` where it has had none for long."""
        now = time.monotonic()
        if self._room and now - self._asked < _BEAT_S:
            return self._room
        self._room, self._asked = ray_cluster.room(self.threads, self.gpus), now
        self._roomy = now if self._room else self._roomy
        if now - self._roomy > self.patience_s:
            share = f" and {self.gpus:.2g} of a GPU" if self.gpus else ""
            asked = f"{self.threads} CPU{'s' if self.threads > 1 else ''}{share} (execution.threads, device)"
            raise RunError(f"no node of the Ray cluster has {asked}: it has {ray_cluster.nodes_in_words()}")
        return self._room

    def _ready(self) -> list[_Task]:
        """The tasks that have something to say, after a beat at most."""
        import ray

        of = {task.messages: task for task in self._tasks}
        if not of:
            time.sleep(_BEAT_S)
            return []
        ray.wait([*of], num_returns=1, timeout=_BEAT_S)
        ready, _ = ray.wait([*of], num_returns=len(of), timeout=0)
        for task in self._tasks:
            task.charge()
        return [of[messages] for messages in ready]

    def _take(self, task: _Task, waiting: deque[Order], calls: Calls) -> Iterator[Result[Any]]:
        """The next message of a task, or the end of its process."""
        import ray

        try:
            kind, *content = ray.get(next(task.messages))
        except ray.exceptions.RayError as error:
            yield from self._died(task, error, waiting)
            return
        key = task.order.key
        if kind == "unfit":
            raise RunError(f"the Ray cluster: {content[0]}")
        if kind == "unusable":
            self._fail_start(task, content[0], waiting)
        elif kind == "started":
            self._failed_starts = 0
            task.running = True
            if not task.order.killed:
                calls.on_start(key)
        elif kind == "progress":
            task.stage = content[0]
            calls.on_progress(key, *content)
        else:
            value, lost = content
            self._tasks.remove(task)
            yield unpickled(key, value, lost, task.stage)

    def _died(self, task: _Task, error: Exception, waiting: deque[Order]) -> Iterator[Result[Any]]:
        """Gives the job of a process that died to another, elsewhere where its node died; three times."""
        kinds = _kinds()
        ending = next((words for kind, words in kinds.items() if isinstance(error, kind)), "")
        if not ending:  # Ray itself could not begin it
            raise RunError(f"a task of the Ray cluster cannot begin: {one_line(error, 600)}") from error
        if not task.running:
            self._fail_start(task, ending, waiting)
            return
        self._tasks.remove(task)
        killed = task.order.killed + 1
        if killed <= _AGAIN:
            _log.info("job %d runs again: %s", task.order.key, ending)
            waiting.appendleft(replace(task.order, killed=killed))
        else:
            lost = Lost("oom" if "memory" in ending else "worker_lost", f"{ending}, the {killed}th time", task.stage)
            yield Result(task.order.key, lost=lost)

    def _fail_start(self, task: _Task, words: str, waiting: deque[Order]) -> None:
        self._tasks.remove(task)
        waiting.appendleft(task.order)
        self._failed_starts += 1
        if self._failed_starts >= _FAILED_STARTS * max(1, self._room):
            told = f"workers cannot start: {self._failed_starts} in a row ended before their first job"
            raise RunError(f"{told}; the last: {words}")

    def _late(self) -> Iterator[Result[Any]]:
        for task in [task for task in self._tasks if self.timeout_s is not None and task.spent_s >= self.timeout_s]:
            self._cancel([task])
            yield Result(task.order.key, lost=Lost("timeout", f"it took longer than {self.timeout_s:g} s", task.stage))

    def _cancel(self, tasks: Sequence[_Task]) -> None:
        import ray

        for task in tasks:
            self._tasks.remove(task)
            with suppress(ray.exceptions.RayError, ValueError):  # it has just ended
                ray.cancel(task.messages, force=True)


def _remote(threads: int, gpus: float) -> Any:
    """The task, which Ray never tries again by itself: records say who runs again."""
    import ray

    task = ray.remote(max_calls=1, max_retries=0, num_returns="streaming")(live)
    environment = {"env_vars": worker_variables(threads)}
    return task.options(num_cpus=threads, num_gpus=gpus, runtime_env=environment, scheduling_strategy="SPREAD")


def _kinds() -> Mapping[type[Exception], str]:
    """The ends of a process that Ray tells, in words."""
    import ray

    return {
        ray.exceptions.OutOfMemoryError: "Ray ended the worker, as the node's memory ran out",
        ray.exceptions.NodeDiedError: "the node of the worker was lost",
        ray.exceptions.WorkerCrashedError: "the worker was killed or crashed",
        ray.exceptions.ObjectLostError: "the node of the worker was lost",
        ray.exceptions.LocalRayletDiedError: "the node of the worker was lost",
    }
