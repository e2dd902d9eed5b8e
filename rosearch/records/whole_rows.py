"""The rows of a store as they were written: all of them, and each with the digest that it was written with.

>>> rows = WholeRows(path)
>>> rows.states(connection)

A table is read in one pass, in the order of its numbers: an index beside it may be damaged alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from rosearch.errors import RunError, one_line
from rosearch.records.rows import CONTENTS, FORMAT, META, OUTCOMES, PROPOSALS, STATES, is_whole
from rosearch.records.sqlite import damaged, tuples

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)  # raised by values of another shape
Row = tuple[Any, ...]


@dataclass(frozen=True)
class WholeRows:
    """Reads the rows of a store within a transaction. Every method raises `RunError` where the file is damaged."""

    path: Path

    def facts(self, connection: sql.Connection) -> dict[str, str]:
        """The JSON text of each fact."""
        facts = {}
        for row in tuples(connection, _SELECT[META]):
            self._compare(row, f"the fact {row[0]!r}")
            facts[row[0]] = row[1]
        if lost := set(self._contents(facts)["facts"]) - facts.keys():
            raise damaged(self.path, f"the facts {', '.join(sorted(lost))} are lost")
        return facts

    def contents(self, connection: sql.Connection) -> dict[str, Any]:
        """The number of `records`, and the names of all `facts`."""
        return self._contents(self.facts(connection))

    def states(self, connection: sql.Connection) -> list[Row]:
        """The rows of all records in `STATES`, by number."""
        rows = tuples(connection, f"{_SELECT[STATES]} ORDER BY number").fetchall()
        for row in rows:
            if not is_whole(row):
                self._compare(row, f"record {row[0]}")
        expected, found = self.contents(connection)["records"], len({row[0] for row in rows})
        if (found, len(rows)) != (expected, expected):
            raise damaged(self.path, f"expected {expected} records, got {found}")
        return rows

    def state(self, connection: sql.Connection, number: int) -> Row | None:
        """The row of a number in `STATES`; None if there is none."""
        row = next(self._between(connection, STATES, number, number), None)
        return None if row is None else self.compare(row)

    def written_once(self, connection: sql.Connection, table: sql.Table, first: int, last: int) -> dict[int, Row]:
        """The rows of `PROPOSALS` or `OUTCOMES`, by number, from `first` to `last`; `compare` those that are used."""
        return {row[0]: row for row in self._between(connection, table, first, last)}

    def compare(self, row: Row) -> Row:
        """The row of a record, as it was written."""
        self._compare(row, f"record {row[0]}")
        return row

    def compare_all(self, connection: sql.Connection) -> None:
        """Goes through all rows, and keeps none of the long ones: a file may be larger than the memory."""
        numbers = {row[0]: row[6] in ("done", "failed") for row in self.states(connection)}
        for table, expected in ((PROPOSALS, set(numbers)), (OUTCOMES, {n for n, over in numbers.items() if over})):
            found = {self.compare(row)[0] for row in self._between(connection, table, 0, max(numbers, default=0))}
            if wrong := found ^ expected:
                raise damaged(self.path, f"record {min(wrong)} and its row in {table.name} do not fit")

    def _between(self, connection: sql.Connection, table: sql.Table, first: int, last: int) -> Iterator[Row]:
        return tuples(connection, f"{_SELECT[table]} WHERE number BETWEEN ? AND ? ORDER BY number", (first, last))

    def _compare(self, row: Row, what: str) -> None:
        if not is_whole(row):
            raise damaged(self.path, f"{what} is not as it was written")

    def _contents(self, facts: Mapping[str, str]) -> dict[str, Any]:
        try:
            found = json.loads(facts[CONTENTS])
            return {"records": int(found["records"]), "facts": [str(key) for key in found["facts"]]}
        except UNREADABLE as error:
            raise unreadable(self.path, CONTENTS, error) from error


_SELECT = {
    table: f"SELECT {', '.join(column.name for column in table.c)} FROM {table.name}"
    for table in (META, STATES, PROPOSALS, OUTCOMES)
}


def found_format(connection: sql.Connection, path: Path) -> int:
    """The number of the layout of a file. Raises `RunError` where it is none, or of a newer rosearch.

    The digest is not compared: a newer file may have another.
    """
    known = sql.inspect(connection).get_table_names()
    text = connection.scalar(sql.select(META.c.value).where(META.c.key == "format")) if META.name in known else None
    try:
        found = json.loads(text or "null")
    except UNREADABLE as error:
        raise unreadable(path, "format", error) from error
    if type(found) is not int or found < 1:
        raise RunError(f"{path}: expected the records of a run, got a database without a format number")
    if found > FORMAT:
        raise RunError(f"{path}: expected format {FORMAT} or older, got {found}. A newer rosearch wrote it: upgrade")
    return found


def unreadable(path: Path, key: str, why: object) -> RunError:
    """The error for a fact that holds something else than it should."""
    return RunError(f"{path}: the fact {key!r} cannot be read: {one_line(why)}")
