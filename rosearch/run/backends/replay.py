"""Outcomes that are known, handed back at the moment when a worker would have had them: only the clock is simulated.

>>> backend = ReplayBackend(workers=512, answer=recorded(results.records, "runs/quickstart-0001"))

For tests and benchmarks: the same search again with any number of workers, in the time that its driver takes. No
experiment names it, since a run of it has no weights, and another search asks for what was never measured.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any, Protocol, final

from rosearch.errors import RunError
from rosearch.records.record import Outcome, Record
from rosearch.run.backends.backend import Backend, Calls, Job, Lost, Result, call_here, pickled
from rosearch.space.genotype import Genotype


class Seeded(Protocol):
    """The part of a candidate's job that its outcome follows from, within one experiment."""

    @property
    def genotype(self) -> Genotype:
        """Its architecture."""

    @property
    def seed(self) -> int:
        """The seed of its training, in which its role and replicate have a part."""


def recorded(records: Iterable[Record], of: str) -> Callable[[Seeded], Outcome]:
    """The outcomes of a run, as `answer` takes them: for the same search, since seeds count as well.

    `of` names the run. The answer raises `RunError` for a candidate, a baseline or a finalist that it has not measured.
    """
    known = {
        (record.id, record.seed): Outcome(record.measurements, record.failure, record.seconds)
        for record in records
        if record.status in ("done", "failed")
    }

    def answer(job: Seeded) -> Outcome:
        if (found := known.get((job.genotype.id, job.seed))) is not None:
            return found
        what = f"the architecture {job.genotype.id[:8]} with seed {job.seed}"
        raise RunError(f"{of}: expected an outcome of {what}, got none: replay the experiment that it recorded")

    return answer


def recorded_seconds(result: Result[Any]) -> float:
    """The time of a recorded outcome, over all its stages; 0 for anything else."""
    return sum(result.value.seconds.values()) if isinstance(result.value, Outcome) else 0.0


@final
class ReplayBackend(Backend):
    """So many simulated workers, each of which has a job until its time is over.

    `answer` gives the value of a job from its argument; None: the job itself is called, in this process. `seconds` is
    the simulated time of a job with that result. `driver_clock` counts the seconds that the driver takes, while workers
    wait for it; None: it takes none, and equal outcomes come in the same order each time.
    """

    def __init__(
        self,
        workers: int,
        answer: Callable[[Any], Any] | None = None,
        seconds: Callable[[Result[Any]], float] = recorded_seconds,
        driver_clock: Callable[[], float] | None = None,
    ) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        self.workers = workers
        self.now_s = 0.0  # of the simulated clock, over all batches
        self.spans: dict[int, tuple[float, float]] = {}  # when each job began and was over, by its key
        self._answer, self._seconds = answer, seconds
        self._driver_clock = driver_clock or (lambda: 0.0)
        self._seen = 0.0  # of the driver's clock

    def _run(self, calls: Calls) -> Iterator[Result[Any]]:
        """Results by the simulated time at which they are there; of equal ones the job that began first."""
        under_way: list[tuple[float, int, Result[Any]]] = []
        order = count()
        self._seen = self._driver_clock()
        while True:
            while len(under_way) < self.workers and (job := calls.take()) is not None:
                result = self._result(job, calls)
                self.spans[job.key] = (self.now_s, self.now_s + self._seconds(result))
                heapq.heappush(under_way, (self.spans[job.key][1], next(order), result))
            if not under_way:
                return
            end, _, result = heapq.heappop(under_way)
            self.now_s = max(self.now_s, end)
            yield result
            self._charge()

    def _result(self, job: Job[Any, Any], calls: Calls) -> Result[Any]:
        """The result that the job will have. The driver's time counts, that of the answer does not."""
        if self._answer is None:
            self._charge()
            result = call_here(job, calls)
        elif isinstance(sent := pickled(job), Lost):
            result = Result(job.key, lost=sent)
        else:
            calls.on_start(job.key)
            self._charge()
            result = Result(job.key, self._answer(job.argument))
        self._seen = self._driver_clock()
        return result

    def _charge(self) -> None:
        """Adds what the driver took since its clock was last read."""
        before, self._seen = self._seen, self._driver_clock()
        self.now_s += self._seen - before

    def close(self) -> None:
        """Nothing is held."""
