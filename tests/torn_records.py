"""Rows of a store changed by hand, whatever its tables are."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

TABLES = ("records", "states", "proposals", "outcomes")  # of all formats


def tear(store: Path, number: int, column: str, value: str) -> None:
    """Sets a column of a record to an expression of SQL; its digest stays."""
    _run(store, f"UPDATE {{}} SET {column} = {value} WHERE number = {number}", column)


def lose(store: Path, number: int) -> None:
    """Deletes a record."""
    _run(store, f"DELETE FROM {{}} WHERE number = {number}", "number")


def tear_fact(store: Path, key: str, value: str | None) -> None:
    """Sets the text of a fact; None deletes it."""
    with closing(sqlite3.connect(store)) as connection, connection:
        if value is None:
            connection.execute("DELETE FROM meta WHERE key = ?", (key,))
        else:
            connection.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))


def _run(store: Path, statement: str, column: str) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        having = [
            table
            for table in TABLES
            if table in known and column in {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        ]
        assert having, f"no table has {column}"
        for table in having:
            connection.execute(statement.format(table))
