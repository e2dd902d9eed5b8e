"""The course of a search as one line can tell it: stage k of n, students done of all, the best so far, the time left.

>>> results.overall

It follows from the records alone, so an onlooker and the driver tell the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from rosearch.config.evaluation import SuiteConfig
from rosearch.config.experiment import Experiment
from rosearch.evolution.fitness import Fitness
from rosearch.records.record import Record, Role

_LATEST = 12  # records that say how long the next will take: a run may go on on another machine


@dataclass(frozen=True)
class Overall:
    """How far a search is. `of` counts all students that it will train: baselines, candidates, finalists."""

    stage: int  # from 1
    stages: int
    title: str  # of the stage, such as `generation 2`
    done: int  # students measured or failed
    of: int
    best: int | None  # the number of the candidate of highest fitness; None until one has passed the gates
    fitness: float | None  # of that candidate
    seconds_left: float | None  # by the seconds that workers took so far; None before the first student


def overall(
    experiment: Experiment,
    records: Sequence[Record],
    fitness: Mapping[int, Fitness],
    stopped: bool = False,
    budget_s: float | None = None,
) -> Overall:
    """How far a search with these records is; `fitness` is that of those measured, by their numbers.

    `stopped`: no other candidate will be tried. `budget_s` are the seconds in which candidates may still start.
    """
    planned, steady = planned_students(experiment, records, stopped), experiment.evolution.mode == "steady"
    stages = ["data and teacher", *(role for role in _ORDER if planned[role])]
    newest = max(records, key=lambda record: record.number, default=None)
    stage = "data and teacher" if newest is None else newest.role
    ranked = [r for r in records if r.role == "candidate" and r.number in fitness and fitness[r.number].eligible]
    best = max(ranked, key=lambda r: fitness[r.number].scalar, default=None)
    return Overall(
        stage=stages.index(stage) + 1 if stage in stages else len(stages),
        stages=len(stages),
        title=f"generation {newest.generation}" if newest and stage == "candidate" and not steady else _TITLES[stage],
        done=sum(_is_over(record) for record in records),
        of=sum(planned.values()),
        best=None if best is None else best.number,
        fitness=None if best is None else fitness[best.number].scalar,
        seconds_left=_seconds_left(experiment, records, planned, budget_s),
    )


_ORDER: tuple[Role, ...] = ("baseline", "candidate", "finalist")  # as a search runs them
_TITLES = {
    "data and teacher": "data and teacher",
    "baseline": "baselines",
    "candidate": "candidates",  # in no generations
    "finalist": "finalists",
}


def planned_students(experiment: Experiment, records: Sequence[Record], stopped: bool = False) -> dict[Role, int]:
    """Students of each role that a search trains in all: those proposed, once the number is known."""
    there = Counter(record.role for record in records)
    newest = max(records, key=lambda record: record.number, default=None)
    ended = stopped or (newest is not None and newest.role == "finalist")
    names = len(dict.fromkeys(experiment.baselines))
    final = experiment.finalists
    return {
        "baseline": there["baseline"] or names,
        "candidate": _over(records, "candidate") if ended else experiment.evolution.candidates,
        "finalist": there["finalist"] or (final.count and (final.count + names) * final.replicates),
    }


def _over(records: Sequence[Record], role: Role) -> int:
    return sum(record.role == role and _is_over(record) for record in records)


def _is_over(record: Record) -> bool:
    return record.status in ("done", "failed")


def _seconds_left(
    experiment: Experiment, records: Sequence[Record], planned: Mapping[Role, int], budget_s: float | None
) -> float | None:
    """Workers' seconds that are left, over the workers that can share them; candidates take their budget at most."""
    left = {role: planned[role] - _over(records, role) for role in _ORDER}
    seconds = {role: _expected_seconds(experiment, records, role) for role in _ORDER if left[role]}
    if any(value is None for value in seconds.values()):
        return None
    at_work = experiment.execution.at_a_time or sum(record.status == "running" for record in records)
    of = experiment.evolution
    workers = max(1, at_work if of.mode == "steady" else min(at_work, of.population))
    each = {role: left[role] * (value or 0.0) / min(workers, left[role]) for role, value in seconds.items()}
    if budget_s is not None and "candidate" in each:
        each["candidate"] = min(each["candidate"], budget_s)
    return sum(each.values())


def _expected_seconds(experiment: Experiment, records: Sequence[Record], role: Role) -> float | None:
    """A worker's seconds for one more student of a role; by those of another role where none is measured yet."""
    for other in (role, *(one for one in ("candidate", "baseline") if one != role)):
        taken = [record.seconds for record in records if record.role == other and record.status == "done"][-_LATEST:]
        if taken and other != role and role == "finalist":
            return fmean(_as_finalist(experiment, seconds) for seconds in taken)
        if taken:
            return fmean(sum(seconds.values()) for seconds in taken)
    return None


def _as_finalist(experiment: Experiment, seconds: Mapping[str, float]) -> float:
    """The seconds of a candidate under the budget of the finalists: more epochs, more rows, more attacks."""
    suites, ours = experiment.evaluation.robustness, experiment.distillation.epochs
    share = 1.0 if experiment.corpus is None else experiment.corpus.proxy_share  # of the text that candidates learn
    longer = {
        "distil": (experiment.finalists.epochs or ours) / ours / share,
        "attack": _attacked(suites.report) / _attacked(suites.search),
    }
    return sum(value * longer.get(stage, 1.0) for stage, value in seconds.items())


def _attacked(suite: SuiteConfig) -> int:
    return suite.rows * len(suite.attacks)
