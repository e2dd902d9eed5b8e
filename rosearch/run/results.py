"""A run read back from its records: fitness, front and ranking. Whoever inspects, exports or prunes starts here.

>>> results = open_results(Path("runs/quickstart-0001"))
>>> results.front[0].id

Reading loads neither torch nor pandas, DEAP, networkx or scipy.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Literal

from rosearch.config.experiment import Experiment
from rosearch.errors import RunError
from rosearch.evolution.agreement import EpisodeAgreement, agreements
from rosearch.evolution.fitness import Yardstick
from rosearch.evolution.judged import Judged
from rosearch.files import stamp
from rosearch.measurements import TeacherFacts
from rosearch.records.beginning import read_versions, refuse_changes
from rosearch.records.budget import Budget, read_budget
from rosearch.records.record import Record, Role
from rosearch.records.run_directory import RunDirectory
from rosearch.records.sqlite import unchanged
from rosearch.records.stored import Columns
from rosearch.records.waiting import read_waiting, rungs_passed
from rosearch.run.course import Overall, overall
from rosearch.run.standing import Standing, read_standing
from rosearch.run.tally import Tally

_ID_LETTERS = 6  # fewer may be a number
_NUMBER = re.compile(r"#?([0-9]{1,5})", re.ASCII)


@dataclass(frozen=True)
class Results:
    """The records of a run and what follows from them."""

    run: RunDirectory
    experiment: Experiment
    teacher: TeacherFacts | None  # None until the driver has measured it
    records: Sequence[Record]
    finished: bool  # the whole budget is spent and the finalists are measured
    teacher_on_test: TeacherFacts | None = None  # beside finalists; runs of older versions have none
    budget: Budget = field(default_factory=Budget)
    passed: Mapping[str, int] = field(default_factory=dict)  # rungs of candidates at work, by id
    versions: Mapping[str, str] = field(default_factory=dict)  # of libraries, as it began; older runs have none

    @property
    def state(self) -> Literal["finished", "running", "interrupted"]:
        """`running` while a process works on the run, `interrupted` where none does and work is left."""
        if self.finished:
            return "finished"
        return "running" if self.run.driver() else "interrupted"

    @property
    def hours(self) -> float | None:
        """The hours that the search may take in all; None where there is no limit."""
        return self.budget.hours or self.experiment.evolution.hours

    @property
    def overall(self) -> Overall:
        """How far the run is."""
        left = None if self.hours is None else max(0.0, self.hours * 3600 - self.budget.worked_seconds)
        best = self.fitness.best
        scalar = None if best is None else (self.fitness[best.number].scalar, best.number)
        tally = Tally.counted(self._columns, scalar, self.passed)
        return overall(self.experiment, tally, bool(self.budget.stopped), left)

    @property
    def standing(self) -> Standing | None:
        """Where the driver stands, or stood when it was killed; None where nothing is known."""
        return None if self.finished else read_standing(self.run.standing)

    @cached_property
    def fitness(self) -> Judged:
        """The fitness of each record by its number; records that are not done have none."""
        return Judged(self.yardstick, self.records)

    @property
    def yardstick(self) -> Yardstick | None:
        """The yardstick of all its candidates; None until the driver has measured the teacher."""
        return None if self.teacher is None else Yardstick.of(self.experiment.fitness, self.teacher)

    def of(self, role: Role) -> list[Record]:
        """The records of one role, in the order in which they were proposed."""
        return [self.records[place] for place, one in enumerate(self._columns.role) if one == role]

    def measured(self, role: Role) -> list[Record]:
        """The records of one role that have measurements."""
        return [record for record in self.of(role) if record.status == "done"]

    @cached_property
    def counts(self) -> Counter[tuple[str, str]]:
        """The number of records of each role and status."""
        return Counter(zip(self._columns.role, self._columns.status, strict=True))

    @property
    def failures(self) -> list[Record]:
        """The records that failed."""
        return [self.records[place] for place, status in enumerate(self._columns.status) if status == "failed"]

    @cached_property
    def ranking(self) -> list[Record]:
        """Candidates that passed every gate, best scalar fitness first."""
        return [record for record in self.fitness.highest() if self.fitness[record.number].eligible]

    @cached_property
    def front(self) -> list[Record]:
        """The candidates that no other beats in robustness, accuracy and efficiency at once, best scalar first."""
        return self.fitness.front()

    @property
    def predictions(self) -> list[EpisodeAgreement]:
        """The agreement of kd_nas's predictions with the rewards of each episode; empty for other strategies."""
        if self.experiment.evolution.strategy != "kd_nas":
            return []
        judged = ((record, self.fitness.get(record.number)) for record in self.of("candidate"))
        return agreements((record, found) for record, found in judged if found is not None)

    @property
    def attack_over_training(self) -> float | None:
        """Attack seconds over training seconds, of the candidates alone: finalists have another suite."""
        taken = zip(self._columns.role, self._columns.seconds, strict=True)
        spent = [seconds for role, seconds in taken if role == "candidate" and "attack" in seconds]
        training = sum([seconds["distil"] for seconds in spent])
        return sum([seconds["attack"] for seconds in spent]) / training if training else None

    @cached_property
    def seconds(self) -> dict[str, float]:
        """Workers' seconds per stage, summed over all records, longest first."""
        taken = self._columns.seconds
        stages = dict.fromkeys(chain.from_iterable(taken))
        totals = {stage: sum([one[stage] for one in taken if stage in one]) for stage in stages}
        return dict(Counter(totals).most_common())

    @cached_property
    def _columns(self) -> Columns:
        return Columns.of(self.records)

    def find(self, prefix: str) -> Record:
        """The record that a user names: by its number, by a baseline's name, or by the first letters of its id.

        Up to five digits, with or without #, are a number, as progress and tables print it; an id needs six letters at
        least. Where a baseline and a candidate are the same architecture, the id means the candidate. Raises `RunError`
        where no record, or more than one, is meant.
        """
        if (number := _NUMBER.fullmatch(prefix)) is not None:
            return self._numbered(int(number[1]))
        given = re.sub(r"\.\d+$", "", prefix)  # tables call a finalist ID.N or NAME.N
        baselines, candidates = self.of("baseline"), self.of("candidate")
        if named := [record for record in baselines if record.name == given]:
            return named[0]
        if len(given) < _ID_LETTERS:
            expected = f"expected a number, a baseline's name, or {_ID_LETTERS} letters of an id at least"
            raise RunError(f"{self.run.path}: {expected}, got {prefix!r}: {self._lists_them}")
        found = {r.id: r for r in (*baselines, *candidates) if r.id.startswith(given)}
        if len(found) == 1:
            return next(iter(found.values()))
        count = f"{len(found)} records begin" if found else "no record begins"
        more = "give more letters" if found else self._lists_them
        raise RunError(f"{self.run.path}: {count} with {prefix!r}: {more}")

    def _numbered(self, number: int) -> Record:
        for record in self.records:
            if record.number == number:
                return record
        last = max((record.number for record in self.records), default=0)
        got = f"its numbers are 1 to {last}" if last else "it has no record yet"
        raise RunError(f"{self.run.path}: expected the number of a record, got {number}: {got}")

    @property
    def _lists_them(self) -> str:
        return f"`rosearch status {shlex.quote(str(self.run.path))}` lists them"

    def retrained(self, record: Record) -> Record:
        """The finalist that retrained a record on the finalists' budget; the record itself where there is none.

        The first replicate, never the best of them: they were measured on the test split, which must not choose.
        """
        finalists = (r for r in self.measured("finalist") if r.id == record.id and r.replicate == 0)
        return next(finalists, record)

    def best(self) -> Record:
        """The candidate of highest fitness. Raises `RunError` where none passed the gates."""
        if (best := self.fitness.best) is None:
            raise RunError(f"{self.run.path}: no candidate has passed the gates yet: nothing is best")
        return best


def load_results(run: RunDirectory) -> Results:
    """The results so far; works while a search writes.

    Raises `RunError` where the folder is no run, is damaged, or has other snapshots than it began with.
    """
    before = stamp(run.store) if run.store.is_file() else None
    try:
        return _loaded(run)
    except RunError:
        if before is None or unchanged(run.store, before):
            raise
        return _loaded(run)  # a driver has begun in the middle of the look


def _loaded(run: RunDirectory) -> Results:
    with run.open_store(read_only=True) as store:
        refuse_changes(store, run.experiment_file, run.search_space)
        records, budget = store.stored(), read_budget(store)
        passed, on_test = rungs_passed(read_waiting(store)), store.teacher("test")
        facts = (run.experiment(), store.teacher(), records, store.finished(), on_test, budget, passed)
        return Results(run, *facts, read_versions(store))


def open_results(folder: Path) -> Results:
    """`load_results` of a run's folder; raises `RunError` where there is no run too."""
    return load_results(RunDirectory.open(folder))


def tokenizer_beside(student: Path) -> Path | None:
    """The folder of the tokenizer that a student's folder inside a run shares; None for a folder anywhere else."""
    run = RunDirectory(student.resolve().parent.parent)
    return run.tokenizer if run.students == student.resolve().parent and run.tokenizer.is_dir() else None
