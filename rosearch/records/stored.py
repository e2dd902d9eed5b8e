"""The records of a store as columns, and one by one where somebody asks: a status needs a few of very many.

>>> records = store.stored()
>>> Counter(records.columns.status), records[3].label
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from math import inf
from typing import Any, NamedTuple, Self, overload

from pydantic_core import from_json

from rosearch.records.record import Record, Role, Status
from rosearch.records.rows import ID, ROLES, STATUSES, WITHOUT, Values


class Columns(NamedTuple):
    """The short fields of all records, each as a column; places are those of the records."""

    number: Sequence[int]
    role: Sequence[Role]
    generation: Sequence[int]
    replicate: Sequence[int]
    id: Sequence[str]
    name: Sequence[str]
    status: Sequence[Status]
    seconds: Sequence[dict[str, float]]
    judged: Sequence[str]

    @classmethod
    def of(cls, records: Sequence[Record]) -> Self:
        """The columns of any records."""
        return records.columns if isinstance(records, StoredRecords) else cls(*_columns(records))  # type: ignore[return-value]

    @classmethod
    def read(cls, rows: Sequence[Values]) -> Self:
        """The columns of the rows of `STATES`.

        A run may come from anywhere, and its paths are made of these values. Raises `ValueError` for those of other
        types or ranges; one look at a column is a tenth of the time that a look at each value would take.
        """
        columns: list[Sequence[Any]] = [()] * len(cls._fields)
        if rows:
            columns[:] = [*zip(*rows, strict=True)][:-1]  # without the digests
        for place, smallest in ((0, 1), (2, -1), (3, 0)):
            if not set(map(type, columns[place])) <= {int} or min(columns[place], default=smallest) < smallest:
                raise ValueError(f"{cls._fields[place]}: expected whole numbers from {smallest} on")
        for place in (1, 4, 5, 6, 7, 8):
            if not set(map(type, columns[place])) <= {str}:
                raise ValueError(f"{cls._fields[place]}: expected texts")
        for place, words in ((1, ROLES), (6, STATUSES)):
            if not words.issuperset(columns[place]):
                raise ValueError(f"{cls._fields[place]}: expected {', '.join(words)}")
        if not all(map(ID.fullmatch, columns[4])):
            raise ValueError("genotype_id: expected 16 hex digits")
        columns[7] = _seconds(columns[7])
        return cls(*columns)


def _columns(records: Sequence[Record]) -> list[list[Any]]:
    return [[getattr(record, name) for record in records] for name in Columns._fields]


def _seconds(texts: Sequence[str]) -> list[dict[str, float]]:
    found: list[dict[str, float]] = from_json(f"[{','.join(texts)}]")
    if len(found) != len(texts) or not set(map(type, found)) <= {dict}:
        raise ValueError("seconds: expected a number for each stage")
    taken = list(chain.from_iterable(map(dict.values, found)))
    if not set(map(type, taken)) <= {int, float} or not 0 <= min(taken, default=0) <= max(taken, default=0) < inf:
        raise ValueError("seconds: expected times from 0 on")
    return found


class StoredRecords(Sequence[Record]):
    """The records of a store by number; each is made where it is first asked for, and reads what is long by `read`."""

    def __init__(self, columns: Columns, read: Callable[[Record, str], Mapping[str, Any]]) -> None:
        self.columns = columns
        self._read = read
        self._made: dict[int, Record] = {}

    def __len__(self) -> int:
        return len(self.columns.number)

    def __eq__(self, other: object) -> bool:
        """True for equal records in any sequence."""
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> list[Record]: ...

    def __getitem__(self, place: int | slice) -> Record | list[Record]:
        """A record, always the same object, or some."""
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        if (made := self._made.get(place)) is None:
            values = {name: column[place] for name, column in zip(Columns._fields, self.columns, strict=True)}
            without = WITHOUT[self.columns.status[place]]
            made = self._made[place] = Record.known(values | without, self._read)
        return made


@contextmanager
def without_collector() -> Iterator[None]:
    """Records hold no circles, and thousands of them are a third faster to make if nobody looks for garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
