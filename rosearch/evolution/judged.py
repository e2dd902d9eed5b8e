"""The fitness of all records of a run as columns: who is best and who is on the front, without an object for each.

>>> fitness = Judged(yardstick, records)
>>> fitness[records[0].number].scalar, fitness.best, fitness.front()
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import nlargest
from math import inf
from typing import Any

from pydantic_core import from_json

from rosearch.evolution.fitness import Fitness, Yardstick
from rosearch.evolution.front import undominated
from rosearch.records.record import Record
from rosearch.records.stored import Columns, without_collector

Told = Sequence[Any]  # as `Yardstick.write` writes it: key, robustness, accuracy, efficiency, scalar, gates, violation
_NUMBERS: set[type] = {float, int}
_TYPES: tuple[set[type], ...] = ({str}, {*_NUMBERS, type(None)}, _NUMBERS, _NUMBERS, _NUMBERS, {str}, _NUMBERS)


class Judged(Mapping[int, Fitness]):
    """The fitness of each record that is measured, by its number."""

    def __init__(self, yardstick: Yardstick | None, records: Sequence[Record]) -> None:
        self._records, columns = records, Columns.of(records)
        done = [place for place, status in enumerate(columns.status) if status == "done" and yardstick]
        with without_collector():
            self._told = {} if yardstick is None else self._judge(yardstick, done, columns.judged)  # by place
        self._places = {columns.number[place]: place for place in self._told}
        self._candidates = [place for place in self._told if columns.role[place] == "candidate"]
        self._eligible = [place for place in self._candidates if not self._told[place][5]]

    def __getitem__(self, number: int) -> Fitness:
        """The fitness of a record. Raises `KeyError` for one that is not measured."""
        _, robustness, accuracy, efficiency, scalar, gates, violation = self._told[self._places[number]]
        return Fitness(robustness, accuracy, efficiency, scalar, tuple(gates.split()), violation)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    @property
    def best(self) -> Record | None:
        """The candidate of highest fitness that passed every gate; of equals the one that was proposed earlier."""
        return next(iter(self._highest(self._eligible, 1)), None)

    def front(self) -> list[Record]:
        """The candidates that passed every gate and that no other beats in all objectives, highest fitness first."""
        told = map(self._told.__getitem__, self._eligible)
        points = [(one[1] or 0.0, one[2], one[3]) for one in told]
        best = set(undominated(points))
        places = [place for place, point in zip(self._eligible, points, strict=True) if point in best]
        return self._highest(places, len(places))

    def highest(self, count: int | None = None) -> list[Record]:
        """The measured candidates of highest fitness, whether they passed the gates or not; last those of a rung."""
        return self._highest(self._candidates, len(self._candidates) if count is None else count)

    def _highest(self, places: Sequence[int], count: int) -> list[Record]:
        told = self._told  # `nlargest` leaves equals in their order, which is that of their numbers

        def height(place: int) -> tuple[bool, float]:
            return "rung" not in told[place][5], told[place][4]

        return [self._records[place] for place in nlargest(count, places, key=height)]

    def _judge(self, yardstick: Yardstick, places: Sequence[int], written: Sequence[str]) -> dict[int, Told]:
        """All that the yardstick has written at once; it judges those of which it has written nothing."""
        ours = [text if (text := written[place]).startswith(yardstick.key, 2) else "null" for place in places]
        told: dict[int, Told] = {}
        for place, one in zip(places, _read(ours), strict=True):
            if one is not None:
                told[place] = one
            elif (found := yardstick.judge(self._records[place])) is not None:
                terms = (found.robustness, found.accuracy, found.efficiency, found.scalar)
                told[place] = ("", *terms, " ".join(found.gates), found.violation)
        return told


def _read(texts: Sequence[str]) -> Sequence[Told | None]:
    """The written fitness of each; none of any where one has another shape: a run may come from anywhere."""
    try:
        found = from_json(f"[{','.join(texts)}]")
        columns = list(zip(*(one for one in found if one is not None), strict=True))
    except (ValueError, TypeError):
        return [None] * len(texts)
    shaped = len(found) == len(texts) and len(columns) in (0, len(_TYPES))
    return found if shaped and all(map(_fits, columns, _TYPES)) else [None] * len(texts)


def _fits(column: Sequence[Any], types: set[type]) -> bool:
    """True for values of some types, of which numbers are finite: JSON may hold one that is too large for a float."""
    if not set(map(type, column)) <= types:
        return False
    numbers = column if types == _NUMBERS else [one for one in column if one is not None] if float in types else [0]
    return -inf < min(numbers, default=0) and max(numbers, default=0) < inf
