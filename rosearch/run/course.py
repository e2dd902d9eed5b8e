"""The course of a search as one line can tell it: stage k of n, students done of all, the best so far, the time left.

>>> results.overall

It follows from the records alone, so an onlooker and the driver tell the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from rosearch.config.evaluation import SuiteConfig
from rosearch.config.experiment import Experiment
from rosearch.records.record import Role
from rosearch.run.tally import Tally


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


def overall(experiment: Experiment, tally: Tally, stopped: bool = False, budget_s: float | None = None) -> Overall:
    """How far a search with these records is.

    `stopped`: no other candidate will be tried. `budget_s` are the seconds in which candidates may still start.
    """
    planned, steady = planned_students(experiment, tally, stopped), experiment.evolution.mode == "steady"
    stages = ["data and teacher", *(role for role in _ORDER if planned[role])]
    _, stage, generation = tally.newest or (0, "data and teacher", 0)
    return Overall(
        stage=stages.index(stage) + 1 if stage in stages else len(stages),
        stages=len(stages),
        title=_generation(experiment, generation, tally) if stage == "candidate" and not steady else _TITLES[stage],
        done=sum(map(tally.over, _ORDER)),
        of=sum(planned.values()),
        best=None if tally.best is None else tally.best[1],
        fitness=None if tally.best is None else tally.best[0],
        seconds_left=_seconds_left(experiment, tally, planned, budget_s),
    )


def _generation(experiment: Experiment, generation: int, tally: Tally) -> str:
    """`generation 2`, with rungs also `generation 2, rung 1 of 2`."""
    title, rungs = f"generation {generation}", len(experiment.evolution.rungs)
    if not rungs or not tally.rung:
        return title
    return f"{title}, promoted" if tally.rung > rungs else f"{title}, rung {tally.rung} of {rungs}"


_ORDER: tuple[Role, ...] = ("baseline", "candidate", "finalist")  # as a search runs them
_TITLES = {
    "data and teacher": "data and teacher",
    "baseline": "baselines",
    "candidate": "candidates",  # in no generations
    "finalist": "finalists",
}


def planned_students(experiment: Experiment, tally: Tally, stopped: bool = False) -> dict[Role, int]:
    """Students of each role that a search trains in all: those proposed, once the number is known."""
    ended = stopped or (tally.newest is not None and tally.newest[1] == "finalist")
    names = len(experiment.architectures)
    final = experiment.finalists
    return {
        "baseline": tally.of_role("baseline") or names,
        "candidate": tally.over("candidate") if ended else experiment.evolution.candidates,
        "finalist": tally.of_role("finalist") or (final.count and (final.count + names) * final.replicates),
    }


def _seconds_left(
    experiment: Experiment, tally: Tally, planned: Mapping[Role, int], budget_s: float | None
) -> float | None:
    """Workers' seconds that are left, over the workers that can share them; candidates take their budget at most."""
    left = {role: planned[role] - tally.over(role) for role in _ORDER}
    seconds = {role: _expected_seconds(experiment, tally, role) for role in _ORDER if left[role]}
    if any(value is None for value in seconds.values()):
        return None
    at_work, of = experiment.execution.at_a_time or tally.running, experiment.evolution
    workers = max(1, at_work if of.mode == "steady" else min(at_work, of.population))
    each = {role: left[role] * (value or 0.0) / min(workers, left[role]) for role, value in seconds.items()}
    if budget_s is not None and "candidate" in each:
        each["candidate"] = min(each["candidate"], budget_s)
    return sum(each.values())


def _expected_seconds(experiment: Experiment, tally: Tally, role: Role) -> float | None:
    """A worker's seconds for one more student of a role; by those of another role where none is measured yet."""
    others: tuple[Role, ...] = ("candidate", "baseline")
    for other in (role, *(one for one in others if one != role)):
        taken = tally.latest_seconds(other)
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
