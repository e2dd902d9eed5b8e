"""The rows of a store as they were written: all of them, and each with the digest that it was written with.

>>> rows = WholeRows(path, found_format(connection, path))
>>> rows.all(connection)

A table is read in one pass, in the order of its numbers: an index beside it may be damaged alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from rosearch.errors import RunError, one_line
from rosearch.records.rows import CONTENTS, FORMAT, META, RECORDS, is_whole
from rosearch.records.sqlite import damaged

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)  # raised by values of another shape
Row = dict[str, Any]


@dataclass(frozen=True)
class WholeRows:
    """Reads the rows of a store within a transaction. Every method raises `RunError` where the file is damaged.

    A file of format 1 has no digests: nothing is compared.
    """

    path: Path
    format: int = FORMAT

    def facts(self, connection: sql.Connection) -> dict[str, str]:
        """The JSON text of each fact."""
        rows = self._read(connection, sql.select(*self._columns(META)))
        for row in rows:
            self._compare(row, f"the fact {row['key']!r}")
        facts = {row["key"]: row["value"] for row in rows}
        if self.format > 1 and (lost := set(self._contents(facts)["facts"]) - facts.keys()):
            raise damaged(self.path, f"the facts {', '.join(sorted(lost))} are lost")
        return facts

    def contents(self, connection: sql.Connection) -> Row:
        """The number of `records`, and the names of all `facts`."""
        return self._contents(self.facts(connection))

    def all(self, connection: sql.Connection) -> list[Row]:
        """The rows of all records by number."""
        rows = self._read(connection, sql.select(*self._columns(RECORDS)).order_by(RECORDS.c.number))
        for row in rows:
            self._compare(row, f"record {row['number']}")
        if self.format > 1:
            expected, found = self.contents(connection)["records"], len({row["number"] for row in rows})
            if (found, len(rows)) != (expected, expected):
                raise damaged(self.path, f"expected {expected} records, got {found}")
        return rows

    def one(self, connection: sql.Connection, number: int) -> Row | None:
        """The row of a number; None if there is none."""
        query = sql.select(*self._columns(RECORDS)).where(RECORDS.c.number == number)
        for row in self._read(connection, query):
            self._compare(row, f"record {number}")
            return row
        return None

    def _columns(self, table: sql.Table) -> list[sql.Column[Any]]:
        return [column for column in table.c if self.format > 1 or column.name != "digest"]

    def _read(self, connection: sql.Connection, query: sql.Select[Any]) -> list[Row]:
        found = connection.execute(query)
        names = list(found.keys())
        return [dict(zip(names, row, strict=True)) for row in found]

    def _compare(self, row: Row, what: str) -> None:
        if self.format > 1 and not is_whole(row):
            raise damaged(self.path, f"{what} is not as it was written")

    def _contents(self, facts: Mapping[str, str]) -> Row:
        try:
            found = json.loads(facts[CONTENTS])
            return {"records": int(found["records"]), "facts": [str(key) for key in found["facts"]]}
        except UNREADABLE as error:
            raise unreadable(self.path, CONTENTS, error) from error


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
