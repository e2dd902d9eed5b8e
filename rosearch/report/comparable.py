"""Which runs may be held against each other, and in what: task, teacher, attacks and fitness must be the same.

>>> differences(runs)["task"]
False
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

from rosearch.errors import RunError
from rosearch.run.results import Results

# What decides whether a figure of one run can be held against that of another.
_PARTS: dict[str, Callable[[Results], Any]] = {
    "task": lambda one: (one.experiment.task, one.experiment.corpus),
    "teacher": lambda one: one.experiment.teacher,
    "attacks": lambda one: one.experiment.evaluation.robustness.search if one.experiment.attacked else None,
    "fitness": lambda one: (one.experiment.fitness, _timing(one)),
}
_SAID = {
    "task": "the runs have other tasks or rows: their figures cannot be compared",
    "teacher": "the runs have other teachers: what depends on it (efficiency, fitness, hypervolume) cannot be compared",
    "attacks": "the runs were attacked otherwise: their robustness, fitness and hypervolume cannot be compared",
    "fitness": "the runs weigh fitness otherwise, or time it so (see below): it and the hypervolume cannot be compared",
}


def _timing(results: Results) -> Any:
    """How latency is timed, where a fitness follows from it."""
    experiment = results.experiment
    return experiment.evaluation.efficiency if experiment.fitness.wants_latency else None


def differences(runs: Sequence[Results]) -> dict[str, bool]:
    """True for each of `task`, `teacher`, `attacks` and `fitness` in which the runs are not the same.

    The strategy, the space, the method and the seed may differ: they are what runs are compared for.
    """
    first = runs[0]
    return {name: any(part(run) != part(first) for run in runs) for name, part in _PARTS.items()}


def obstacles(runs: Sequence[Results]) -> list[str]:
    """A sentence for each part in which the runs differ: what cannot be compared."""
    return [_SAID[name] for name, other in differences(runs).items() if other]


def refuse_others(runs: Sequence[Results], needed: Sequence[str] = ("task", "teacher", "attacks")) -> None:
    """Raises `RunError` that names the first run that differs from the first in one of the parts that are needed.

    It is raised for a run that is given twice as well (`refuse_copies`).
    """
    refuse_copies(runs)
    first = runs[0]
    for run in runs[1:]:
        other = [name for name in needed if _PARTS[name](run) != _PARTS[name](first)]
        if other:
            expected = f"expected the {other[0]} of {first.run.path}, got another"
            raise RunError(f"{run.run.path}: {expected}: {_SAID[other[0]]}")


def refuse_copies(runs: Sequence[Results]) -> None:
    """Raises `RunError` for a run that is given twice, or with a copy of it: its luck would count as evidence twice."""
    for one, other in combinations(runs, 2):
        if _is_copy(one, other):
            raise RunError(f"{other.run.path}: expected each run once, got the records of {one.run.path} again")


def _is_copy(one: Results, other: Results) -> bool:
    """True where two folders hold one run. No two searches take the same seconds, even of one seed."""
    if one.run.path.resolve() == other.run.path.resolve():
        return True
    return _trace(one) == _trace(other) and any(record.seconds for record in one.records)


def _trace(results: Results) -> tuple[object, ...]:
    evolution, seed = results.experiment.evolution, results.experiment.seed
    return evolution, seed, [(record.id, record.seconds) for record in results.records]
