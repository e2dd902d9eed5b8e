"""The records of a run, counted as they change: a long run would go through all of them with each student.

>>> tally = Tally.of(records, fitness)
>>> tally.put(record, found)  # a record that is new, or has changed
>>> tally.over("candidate"), tally.best
"""

from __future__ import annotations

from bisect import insort
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import compress
from typing import Self

from rosearch.evolution.fitness import Fitness
from rosearch.records.record import Record, Role, Status
from rosearch.records.stored import Columns

_LATEST = 12  # records that say how long the next will take: a run may go on on another machine


class Tally:
    """Counts of roles and states, the newest record, the best candidate, the seconds of the latest of each role."""

    def __init__(self) -> None:
        self.newest: tuple[int, Role, int] | None = None  # number, role, generation
        self.best: tuple[float, int] | None = None  # scalar and number of the eligible candidate of highest fitness
        self._states: dict[int, Status] = {}
        self._counts: Counter[tuple[Role, Status]] = Counter()
        self._latest: dict[Role, list[tuple[int, dict[str, float]]]] = {"candidate": [], "baseline": [], "finalist": []}

    @classmethod
    def of(cls, records: Iterable[Record], fitness: Mapping[int, Fitness]) -> Self:
        """The tally of records, and of the fitness of those measured, by their numbers."""
        tally = cls()
        for record in records:
            tally.put(record, fitness.get(record.number))
        return tally

    @classmethod
    def counted(cls, columns: Columns, best: tuple[float, int] | None) -> Self:
        """As `of`, of all records at once, to be looked at and not to be changed."""
        tally = cls()
        tally.best = best
        tally._counts.update(zip(columns.role, columns.status, strict=True))
        if columns.number:
            tally.newest = max(zip(columns.number, columns.role, columns.generation, strict=True))
        for role, latest in tally._latest.items():
            if tally._counts[role, "done"]:
                those = compress(zip(columns.number, columns.seconds, strict=True), _done(columns, role))
                latest += deque(those, _LATEST)
        return tally

    def put(self, record: Record, fitness: Fitness | None = None) -> None:
        """Counts a record as it is now, in place of what it was."""
        number, role, status = record.number, record.role, record.status
        before = self._states.get(number)
        if before != status:
            self._states[number] = status
            self._counts[role, status] += 1
            self._counts[role, before or status] -= before is not None
            if status == "done":
                insort(self._latest[role], (number, record.seconds), key=lambda pair: pair[0])
                del self._latest[role][:-_LATEST]
        if self.newest is None or number > self.newest[0]:
            self.newest = (number, role, record.generation)
        if role == "candidate" and fitness is not None and fitness.eligible:
            found = (fitness.scalar, -number)
            if self.best is None or found > (self.best[0], -self.best[1]):
                self.best = (fitness.scalar, number)

    def of_role(self, role: Role) -> int:
        """The records of a role."""
        return sum(self._counts[role, status] for status in ("pending", "running", "done", "failed"))

    def over(self, role: Role) -> int:
        """The records of a role that are measured or failed."""
        return self._counts[role, "done"] + self._counts[role, "failed"]

    @property
    def running(self) -> int:
        """The records in the hands of a worker."""
        return sum(count for (_, status), count in self._counts.items() if status == "running")

    def latest_seconds(self, role: Role) -> list[dict[str, float]]:
        """A worker's seconds, by stage, for each of the latest records of a role that are measured."""
        return [seconds for _, seconds in self._latest[role]]


def _done(columns: Columns, role: Role) -> Iterator[bool]:
    return (one == role and status == "done" for one, status in zip(columns.role, columns.status, strict=True))
