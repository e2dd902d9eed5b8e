"""Rankings: by the scalar, and by non-dominated fronts of robustness, accuracy and efficiency.

Nothing here loads DEAP: whoever only reads a run needs its fronts, not its operators.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from heapq import nlargest

from rosearch.evolution.fitness import Fitness
from rosearch.records.record import Record

Scored = tuple[Record, Fitness]
_CHAMPIONS = 8
Objectives = tuple[float, float, float]


def by_scalar(scored: Iterable[Scored]) -> list[Record]:
    """Eligible records, best first; of equals the one that was proposed earlier."""
    eligible = [(record, score) for record, score in scored if score.eligible]
    return [record for record, _ in sorted(eligible, key=lambda pair: (-pair[1].scalar, pair[0].number))]


def by_front(scored: Iterable[Scored]) -> list[list[Record]]:
    """Eligible records in fronts, the first dominated by nobody; inside a front by scalar.

    The fronts are those of DEAP's `sortNondominated` (NSGA-II, Deb et al. 2002). Equal objectives share a front.
    """
    members = _by_objectives(scored)
    fronts: list[_Front] = []
    for point in sorted(members, reverse=True):  # whoever dominates a point comes before it
        # A point that a front dominates is dominated by every front before that one, too.
        place = bisect_left(fronts, True, key=lambda front: not front.dominates(point))
        if place == len(fronts):
            fronts.append(_Front())
        fronts[place].add(point)
    return [by_scalar(pair for point in front.points for pair in members[point]) for front in fronts]


def front_of(scored: Iterable[Scored]) -> list[Record]:
    """The first of `by_front`, in a fraction of the time; empty where nothing is eligible."""
    members = _by_objectives(scored)
    return by_scalar(pair for point in undominated(members) for pair in members[point])


def undominated(points: Iterable[Objectives]) -> list[Objectives]:
    """The points that no other is as good as in everything; of equal points one."""
    left, front = list(points), _Front()
    for first, second, third in nlargest(_CHAMPIONS, left, key=sum):  # nearly all points are below one of these
        left = [one for one in left if one[0] > first or one[1] > second or one[2] > third] + [(first, second, third)]
    for point in sorted(left, reverse=True):
        if not front.dominates(point):
            front.add(point)
    return front.points


def _by_objectives(scored: Iterable[Scored]) -> dict[Objectives, list[Scored]]:
    members: dict[Objectives, list[Scored]] = {}
    for record, score in scored:
        if score.eligible:
            members.setdefault(score.objectives, []).append((record, score))
    return members


class _Front:
    """Points in descending order, none of which dominates another.

    Each later point is no better in the first objective: what dominates it is better in the two others. Of these, the
    outer ones are kept as a staircase, so that a search among thousands looks at a few.
    """

    def __init__(self) -> None:
        self.points: list[Objectives] = []
        self._second: list[float] = []  # ascending
        self._third: list[float] = []  # descending: the largest for a second that is so large

    def dominates(self, point: Objectives) -> bool:
        """True if a point of the front is no worse than a later one in any objective."""
        place = bisect_left(self._second, point[1])
        return place < len(self._third) and self._third[place] >= point[2]

    def add(self, point: Objectives) -> None:
        """Takes a later point that the front does not dominate."""
        self.points.append(point)
        end = start = bisect_right(self._second, point[1])
        while start and self._third[start - 1] <= point[2]:
            start -= 1
        self._second[start:end], self._third[start:end] = [point[1]], [point[2]]
