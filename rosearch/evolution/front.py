"""Rankings: by the scalar, and by non-dominated fronts of robustness, accuracy and efficiency.

Nothing here loads DEAP: whoever only reads a run needs its fronts, not its operators.
"""

from __future__ import annotations

from collections.abc import Iterable

from rosearch.evolution.fitness import Fitness
from rosearch.records.record import Record

Scored = tuple[Record, Fitness]


def by_scalar(scored: Iterable[Scored]) -> list[Record]:
    """Eligible records, best first; of equals the one that was proposed earlier."""
    eligible = [(record, score) for record, score in scored if score.eligible]
    return [record for record, _ in sorted(eligible, key=lambda pair: (-pair[1].scalar, pair[0].number))]


def by_front(scored: Iterable[Scored]) -> list[list[Record]]:
    """Eligible records in fronts, the first dominated by nobody; inside a front by scalar.

    The fronts are those of DEAP's `sortNondominated` (NSGA-II, Deb et al. 2002). Equal objectives share a front.
    """
    members: dict[tuple[float, ...], list[Scored]] = {}
    for record, score in scored:
        if score.eligible:
            members.setdefault(score.objectives, []).append((record, score))
    fronts: list[list[tuple[float, ...]]] = []
    for point in sorted(members, reverse=True):  # whoever dominates a point comes before it
        for front in fronts:
            if not any(_no_worse(other, point) for other in front):
                front.append(point)
                break
        else:
            fronts.append([point])
    return [by_scalar(pair for point in front for pair in members[point]) for front in fronts]


def _no_worse(point: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(one >= another for one, another in zip(point, other))
