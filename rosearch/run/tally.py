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
from types import MappingProxyType
from typing import Self

from rosearch.evolution.fitness import Fitness
from rosearch.records.record import Record, Role, Status
from rosearch.records.stored import Columns

_OPEN: tuple[tuple[Role, Status], ...] = (("candidate", "pending"), ("candidate", "running"))
_LATEST = 12  # records that say how long the next will take: a run may go on on another machine


class Tally:
    """Counts of roles and states, the newest record, the best candidate, the seconds of the latest of each role."""

    def __init__(self) -> None:
        self.newest: tuple[int, Role, int] | None = None  # number, role, generation
        self.best: tuple[float, int] | None = None  # scalar and number of the eligible candidate of highest fitness
        self._states: dict[int, Status] = {}
        self._counts: Counter[tuple[Role, Status]] = Counter()
        self._rungs: dict[int, int] = {}  # of candidates that are not over, by number: rungs at which each was measured
        self._latest: dict[Role, list[tuple[int, dict[str, float]]]] = {"candidate": [], "baseline": [], "finalist": []}

    @classmethod
    def of(cls, records: Iterable[Record], fitness: Mapping[int, Fitness]) -> Self:
        """The tally of records, and of the fitness of those measured, by their numbers."""
        tally = cls()
        for record in records:
            tally.put(record, fitness.get(record.number))
        return tally

    @classmethod
    def counted(
        cls, columns: Columns, best: tuple[float, int] | None, passed: Mapping[str, int] = MappingProxyType({})
    ) -> Self:
        """As `of`, of all records at once, to be looked at and not to be changed; `passed` are rungs by id."""
        tally = cls()
        tally.best = best
        tally._counts.update(zip(columns.role, columns.status, strict=True))
        if columns.number:
            tally.newest = max(zip(columns.number, columns.role, columns.generation, strict=True))
        if any(tally._counts[role, status] for role, status in _OPEN):
            states = zip(columns.number, columns.id, zip(columns.role, columns.status, strict=True), strict=True)
            tally._rungs |= {number: passed.get(identity, 0) for number, identity, state in states if state in _OPEN}
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
        self._climbs(record)
        if self.newest is None or number > self.newest[0]:
            self.newest = (number, role, record.generation)
        if role == "candidate" and fitness is not None and fitness.eligible:
            found = (fitness.scalar, -number)
            if self.best is None or found > (self.best[0], -self.best[1]):
                self.best = (fitness.scalar, number)

    def _climbs(self, record: Record) -> None:
        if (record.role, record.status) not in _OPEN:
            self._rungs.pop(record.number, None)
        elif record.measurements is not None:
            self._rungs[record.number] = len(record.measurements.rungs)
        else:
            self._rungs.setdefault(record.number, 0)

    @property
    def rung(self) -> int:
        """The rung, from 1, that the candidates at work are on the way to, one more behind the last; 0 without any."""
        return min(self._rungs.values(), default=-1) + 1

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
