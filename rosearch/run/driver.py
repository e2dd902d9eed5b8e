"""The one process that writes a run: it hands candidates to workers and records their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import InitVar, dataclass, field, replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rosearch.candidate import run_candidate
from rosearch.config.experiment import Experiment
from rosearch.errors import BadInput, MachineFault, RunError, SearchAborted, machine_fault
from rosearch.evolution.fitness import Yardstick
from rosearch.evolution.front import Scored, by_scalar, front_of
from rosearch.materials.latency import student_latencies
from rosearch.materials.life import CandidateJob
from rosearch.materials.lineage import Parent
from rosearch.materials.suites import attack_seed, suite_of
from rosearch.measurements import TeacherFacts
from rosearch.progress import check_stop, step, stoppable
from rosearch.randomness import derive_seed
from rosearch.records.order import order_fact
from rosearch.records.record import Failure, Outcome, Proposal, Record, Role
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.run.backends.backend import Backend, Job, Lost, More, always
from rosearch.run.observer import Observer

Told = Callable[[Record], None]
Take = Callable[[Record, Outcome], Record]  # stores an outcome; gives the record as it is now


@dataclass
class Driver:
    """A run in the hands of the process that writes it, with its teacher, its workers and its observer.

    It reads the records once, as nobody else writes them: a long run would read all of them with each candidate.
    """

    run: RunDirectory
    store: Store
    experiment: Experiment
    cache: Path
    teacher: TeacherFacts
    backend: Backend
    observer: Observer
    device: str  # the name under which a worker finds its own
    records: InitVar[Sequence[Record]]  # all that the store holds
    _records: dict[int, Record] = field(init=False)
    _numbers: dict[str, int] = field(init=False, default_factory=dict)  # of candidates, by id
    _batches: dict[tuple[Role, int], list[int]] = field(init=False)  # numbers, by role and generation
    yardstick: Yardstick = field(init=False)
    _unpruned: list[int] = field(init=False, default_factory=list)  # numbers of candidates that ended since
    _kept: list[Scored] = field(init=False, default_factory=list)  # candidates whose weights were worth keeping
    _starting: bool = False
    _alike: tuple[tuple[str, str] | None, int] = (None, 0)  # kind and stage of the last failure, and its count in a row

    def __post_init__(self, records: Sequence[Record]) -> None:
        self._records, self._batches = {}, {}
        self.yardstick = Yardstick.of(self.experiment.fitness, self.teacher)
        self._remember(records)

    def _remember(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.number not in self._records:
                self._batches.setdefault((record.role, record.generation), []).append(record.number)
            self._records[record.number] = record.bare()
            if record.role == "candidate":
                self._numbers[record.id] = record.number
            if record.role == "candidate" and record.status in ("done", "failed"):
                self._unpruned.append(record.number)

    def recorded_candidates(self) -> list[Record]:
        """The records of all candidates, in the order of their proposals."""
        return [record for _, record in sorted(self._records.items()) if record.role == "candidate"]

    def parent_of(self, record: Record) -> Parent | None:
        """The trained candidate that a candidate starts from, the first of its parents; None for a fresh start.

        Raises `RunError` where the records do not tell of it.
        """
        if self.experiment.distillation.inherit != "parent" or record.role != "candidate" or not record.parents:
            return None
        number = self._numbers.get(record.parents[0])
        found = None if number is None else self.store.record(number)
        if found is None or found.measurements is None or found.measurements.lineage is None:
            told = f"expected the lineage of {record.parents[0][:8]}, parent of record {record.number}, got none"
            raise RunError(f"{self.run.store}: {told}: begin another run")
        return Parent(found.id, self.run.student_folder(found), found.measurements.lineage)

    def recorded(self, role: Role, generation: int) -> list[Record]:
        """The records of a role and generation, in the order of their proposals."""
        return [self._records[number] for number in self._batches.get((role, generation), ())]

    def propose(self, role: Role, generation: int, proposals: Sequence[tuple[Proposal, int, str]]) -> list[Record]:
        """Record proposals (with replicate and name) as pending, all or none."""
        first = self.store.last_number() + 1
        records = [
            Record(
                number=first + offset,
                role=role,
                generation=generation,
                replicate=replicate,
                genotype=proposal.genotype.canonical(),
                origin=proposal.origin,
                parents=proposal.parents,
                seed=derive_seed(self.experiment.seed, role, proposal.genotype.id, replicate),
                status="pending",
                name=name,
            )
            for offset, (proposal, replicate, name) in enumerate(proposals)
        ]
        self.store.propose(records)
        self._remember(records)
        return records

    def work(
        self,
        title: str,
        records: Sequence[Record],
        make_job: Callable[[Driver, Record], CandidateJob] | None = None,
        more: More = always,
        take: Take | None = None,
    ) -> None:
        """Run the records that are not done yet and record every outcome; once `more()` is False no other starts.

        `take` records an outcome in place of `finish`. Raises `SearchAborted` where `execution.stop_after_failures`
        candidates in a row failed alike, `MachineFault` where the machine failed a candidate, which then stays to be
        run.
        """
        waiting = {record.number: record for record in records if record.status in ("pending", "running")}
        over = [record for record in records if record.number not in waiting]
        self.run.remove_unfinished(*over)  # a kill may have come just before the removal
        if not waiting or not more():
            return
        self.observer.batch(title, list(waiting.values()))
        make_job = make_job or candidate_job
        genotypes = [record.genotype for record in waiting.values()]
        with step(self.observer.progress, "timing"):
            latencies = student_latencies(self.experiment, genotypes, self.run.tokenizer, self.cache)
        jobs = [
            Job(number, run_candidate, self._for_worker(replace(make_job(self, record), latency=latency), record))
            for (number, record), latency in zip(waiting.items(), latencies, strict=True)
        ]
        self._record_outcomes(jobs, waiting, more, take or self.finish)

    def flow(
        self, title: str, next_record: Callable[[], Record | None], order: list[int], told: Told, more: More
    ) -> None:
        """Run candidates one by one, each asked for when a worker is free, until none is given and none under way.

        `order` has the numbers of those that are over, and goes on with each. `told` takes each outcome, once it is
        recorded. Raises as `work`. Latency that a fitness follows from is not measured: workers are never all idle.
        """
        waiting: dict[int, Record] = {}

        def next_job() -> Job[CandidateJob, Outcome] | None:
            if (record := next_record()) is None:
                return None
            waiting[record.number] = record
            return Job(record.number, run_candidate, self._for_worker(candidate_job(self, record), record))

        def take(record: Record, outcome: Outcome) -> Record:
            order.append(record.number)
            return self.finish(record, outcome, order_fact(order))

        self.observer.batch(title, [])
        self._record_outcomes(next_job, waiting, more, take, told)

    def finish(self, record: Record, outcome: Outcome, facts: Mapping[str, Any] = MappingProxyType({})) -> Record:
        """Stores the outcome of a record, and facts in the same transaction; gives the record with its outcome."""
        self.store.finish(record.number, outcome, facts, self._judged(outcome))
        self.run.remove_unfinished(record)
        self._remember([finished := self.store.record(record.number)])
        return finished

    def _record_outcomes(
        self,
        jobs: Sequence[Job[CandidateJob, Outcome]] | Callable[[], Job[CandidateJob, Outcome] | None],
        waiting: dict[int, Record],
        more: More,
        take: Take,
        told: Told = lambda record: None,
    ) -> None:
        def start(key: int) -> None:
            self._workers_start(False)
            self.store.start(key)
            self.observer.started(waiting[key])

        def report(key: int, stage: str, done: int, total: int) -> None:
            check_stop()
            self.observer.stage(waiting[key], stage, done, total)

        self._workers_start(True)
        for result in self.backend.run(jobs, on_start=start, on_progress=report, more=more):
            self._workers_start(False)  # a job that cannot be sent never starts
            outcome = result.value if result.value is not None else _lost(result.lost)
            finished = take(waiting[result.key], outcome)
            self.observer.finished(finished)
            told(finished)
            self._break_circuit(outcome)
            check_stop()

    def _judged(self, outcome: Outcome) -> str:
        """The fitness of an outcome for its record; "" where there is none, which the strategy then says."""
        with suppress(BadInput):
            if outcome.measurements is not None:
                return self.yardstick.write(self.yardstick.score(outcome.measurements))
        return ""

    def _for_worker(self, job: CandidateJob, record: Record) -> CandidateJob:
        execution = job.experiment.execution.of_worker(self.device)
        elsewhere = job.experiment.execution.backend == "ray"  # a node opens data and teacher by itself
        identity = self.store.materials() if elsewhere else None
        experiment = job.experiment.model_copy(update={"execution": execution})
        return replace(job, experiment=experiment, identity=identity, parent=self.parent_of(record))

    def _workers_start(self, now: bool) -> None:
        """Tells that workers start, until the first has taken a student."""
        if now != self._starting:
            self._starting = now
            self.observer.progress("starting workers", int(not now), 1)

    def prune_students(self, breeding: Collection[str] = ()) -> None:
        """Deletes the weights of candidates that are neither on the front nor among the best.

        Where children start with their parents' weights, those of the ids in `breeding` stay, and those of the parents
        of candidates without an outcome. Nothing is deleted where the experiment keeps all students.
        """
        if self.experiment.execution.keep_students == "all":
            return
        # What was not worth keeping once never will be: only what is new is compared with what was kept.
        ended, self._unpruned = [self._records[number] for number in sorted(self._unpruned)], []
        judged = [(one, self.yardstick.judge(one)) for one in ended]
        pool = [*self._kept, *((one, found) for one, found in judged if found is not None)]
        best = by_scalar(pool)[: max(1, self.experiment.finalists.count)]
        kept = {record.id for record in chain(best, front_of(pool))}
        others = [one for one in chain((r for r, _ in self._kept), ended) if one.id not in kept]
        self._kept = [pair for pair in pool if pair[0].id in kept]
        if self.experiment.distillation.inherit == "parent":
            waiting = (one for one in self.recorded_candidates() if one.status in ("pending", "running"))
            parents = {*breeding, *(parent for one in waiting for parent in one.parents[:1])}
            self._unpruned = [one.number for one in others if one.id in parents]  # looked at again
            others = [one for one in others if one.id not in parents]
        self.run.remove_students(others)

    def _break_circuit(self, outcome: Outcome) -> None:
        """Stop the search when the last candidates all failed the same way; the cause is then outside them."""
        failure = outcome.failure
        if failure is None:
            self._alike = None, 0
            return
        last, count = self._alike
        count = count + 1 if last == (failure.kind, failure.stage) else 1
        self._alike = (failure.kind, failure.stage), count
        if count >= self.experiment.execution.stop_after_failures:
            raise SearchAborted(
                f"{self.run.path}: stopped: the last {count} candidates all failed alike: {failure}. "
                f"They stay failed. Remove the cause, then go on: `{self.run.resume_command}`"
            )


@contextmanager
def guarded(run: RunDirectory) -> Iterator[None]:
    """Inside, Ctrl-C is never swallowed, and a fault of the machine is a `MachineFault` that says how to go on."""
    try:
        with stoppable():
            yield
    except Exception as error:
        fault = str(error) if isinstance(error, MachineFault) else machine_fault(error)
        if not fault or (isinstance(error, RunError) and not isinstance(error, MachineFault)):
            raise
        advice = f"Nothing is lost. Then go on: `{run.resume_command}`"
        raise MachineFault(f"{run.path}: stopped: {fault}. {advice}") from error


def candidate_job(driver: Driver, record: Record) -> CandidateJob:
    """The job of a candidate or a baseline."""
    experiment = driver.experiment
    return CandidateJob(
        experiment=experiment,
        cache=driver.cache,
        teacher=driver.teacher,
        genotype=record.genotype,
        seed=record.seed,
        student_folder=driver.run.student_folder(record),
        suite=suite_of(experiment, "validation"),
        attack_seed=attack_seed(experiment),
    )


def _lost(lost: Lost | None) -> Outcome:
    assert lost is not None  # a result has a value or is lost
    if lost.kind == "machine":
        raise MachineFault(f"while in {lost.stage or 'its start'}, {lost.message}")
    return Outcome(None, Failure(lost.kind, lost.stage, lost.message))
