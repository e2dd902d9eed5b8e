"""Who wins: ranking by the scalar, and the non-dominated fronts of robustness, accuracy and efficiency."""

from __future__ import annotations

from collections.abc import Iterable

from deap import tools

from rosearch.evolution.fitness import Fitness
from rosearch.evolution.toolbox import objectives_individual
from rosearch.records.record import Record

Scored = tuple[Record, Fitness]


def by_scalar(scored: Iterable[Scored]) -> list[Record]:
    """Eligible records, best first; of equals the one that was proposed earlier."""
    eligible = [(record, score) for record, score in scored if score.eligible]
    return [record for record, _ in sorted(eligible, key=lambda pair: (-pair[1].scalar, pair[0].number))]


def by_front(scored: Iterable[Scored]) -> list[list[Record]]:
    """Eligible records in fronts, the first dominated by nobody; inside a front by scalar."""
    individuals = [objectives_individual(record, score) for record, score in scored if score.eligible]
    fronts = tools.sortNondominated(individuals, len(individuals))
    return [by_scalar((member.record, member.score) for member in front) for front in fronts]
