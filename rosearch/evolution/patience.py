"""The end of a search that finds nothing better: candidates are counted since the best was last improved.

>>> standstill = Standstill(patience=12, fronts=False)
>>> standstill.add(fitness)  # of each candidate, in the order of their numbers; None for one that failed
>>> standstill.reached

It follows from records alone, in their order, and is asked between generations: equal seeds end at the same candidate,
whatever the number of workers.
"""

from __future__ import annotations

from rosearch.evolution.fitness import Fitness


class Standstill:
    """Counts candidates since the best fitness rose or, with `fronts`, since the front was changed.

    Nothing is counted until a candidate has passed the gates: until then a search is still on its way to the first.
    `patience` None never ends.
    """

    def __init__(self, patience: int | None, *, fronts: bool) -> None:
        self._patience = patience
        self._fronts = fronts
        self._best: list[tuple[float, ...]] = []  # points that no other beats
        self._since = 0

    @property
    def reached(self) -> bool:
        """True once so many candidates have changed nothing."""
        return self._patience is not None and self._since >= self._patience

    def add(self, fitness: Fitness | None) -> None:
        """Counts one candidate; None is one that failed."""
        if self._patience is None:
            return
        if fitness is not None and fitness.eligible and self._improves(fitness):
            self._since = 0
        elif self._best:
            self._since += 1

    def _improves(self, fitness: Fitness) -> bool:
        """Takes a candidate among the best, if no other is as good in everything that counts."""
        point = fitness.objectives if self._fronts else (fitness.scalar,)
        if any(_no_worse(other, point) for other in self._best):
            return False
        self._best = [other for other in self._best if not _no_worse(point, other)] + [point]
        return True


def _no_worse(point: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(one >= another for one, another in zip(point, other, strict=True))
