"""The long part of a record: architecture and origin, then its outcome. Each is read where it is first asked for.

>>> details = Details(WholeRows(path), transaction)
>>> Record.known(fields, details.read).measurements  # reads the outcome now

Whoever asks for one after the other is about to go through all of them: then the next ones are read along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sql

from rosearch.errors import RunError, one_line
from rosearch.records.record import Record
from rosearch.records.rows import OUTCOMES, PROPOSALS, read_outcome, read_proposal
from rosearch.records.sqlite import damaged
from rosearch.records.whole_rows import UNREADABLE, Row, WholeRows

_NEAR = 16  # a number so little above the last one follows it: some records between have no outcome
_ALONG = 255  # rows that are read with one that follows the last


class Details:
    """The long rows of a store's records. They never change once they are written."""

    def __init__(self, rows: WholeRows, transaction: Callable[[], AbstractContextManager[sql.Connection]]) -> None:
        self._rows, self._transaction = rows, transaction
        self._last = {PROPOSALS: -_NEAR, OUTCOMES: -_NEAR}
        self._along: dict[sql.Table, dict[int, Row]] = {PROPOSALS: {}, OUTCOMES: {}}

    def read(self, record: Record, name: str) -> Mapping[str, Any]:
        """The fields of a record that stand in one row with the field `name`.

        Raises `RunError` where the row is lost, damaged, or holds values of other types.
        """
        of_outcome = name in ("measurements", "failure")
        row = self._row(OUTCOMES if of_outcome else PROPOSALS, record.number)
        try:
            return read_outcome(row) if of_outcome else read_proposal(row, record.id)
        except UNREADABLE as error:
            problem = f"record {record.number} cannot be read: {one_line(error)}"
            raise RunError(f"{self._rows.path}: {problem}") from error

    def _row(self, table: sql.Table, number: int) -> Row:
        found = self._along[table].pop(number, None)
        if found is None:
            follows = 0 < number - self._last[table] <= _NEAR
            with self._transaction() as connection:
                rows = self._rows.written_once(connection, table, number, number + (_ALONG if follows else 0))
            if (found := rows.pop(number, None)) is None:
                raise damaged(self._rows.path, f"record {number} is lost from {table.name}")
            self._along[table] = rows
        self._last[table] = number
        return self._rows.compare(found)
