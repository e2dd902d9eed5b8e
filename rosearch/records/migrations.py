"""From the layout of an older store to today's, a step for each format.

::

    with store._writing() as connection:
        migrate(connection, 1)  # the format that was found; nothing is changed unless all steps succeed

A step is written once and never changed, so it names its columns itself.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from rosearch.errors import one_line
from rosearch.records.sqlite import copied_engine, damaged, merge_log, transaction
from rosearch.records.whole_rows import UNREADABLE


def migrate(connection: sql.Connection, found: int) -> None:
    """Leads a file of format `found` to the newest, within the caller's transaction.

    Raises `ValueError` where a row is not as it was written.
    """
    for number in sorted(MIGRATIONS):
        if number >= found:
            MIGRATIONS[number](connection)


def led_to_format(engine: sql.Engine, path: Path, found: int, read_only: bool) -> sql.Engine:
    """An engine of an older file in today's layout: of the file, or of a copy in memory where it is only read."""
    if read_only and found == 1:
        say_undigested(path)

    def lead(connection: sql.Connection) -> None:
        try:
            migrate(connection, found)
        except UNREADABLE as error:
            raise damaged(path, one_line(error)) from error

    if read_only:
        with transaction(engine, path):  # for the errors of SQLite in one line
            return copied_engine(engine, lead)
    with transaction(engine, path) as connection:
        lead(connection)
    merge_log(engine)
    return engine


@lru_cache(maxsize=1024)  # once a process
def say_undigested(path: Path) -> None:
    """Notes, once, that damage to a file cannot be noticed."""
    logging.getLogger(__name__).warning("%s: of an older rosearch, without digests: damage to it goes unnoticed", path)


def _add_digests(connection: sql.Connection) -> None:
    """To format 2: each row gets a digest, and `contents` counts the rows. What is there now is taken for whole."""
    for table in ("meta", "records"):
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN digest TEXT NOT NULL DEFAULT ''")
    rows = _rows(connection, "records")
    for row in rows:
        values = {"digest": _digest_2(row), "number": row["number"]}
        connection.exec_driver_sql("UPDATE records SET digest = :digest WHERE number = :number", values)
    facts = {key: value for key, value, _ in connection.exec_driver_sql("SELECT * FROM meta")}
    facts["format"] = json.dumps(2)
    facts["contents"] = json.dumps({"records": len(rows), "facts": list(facts)})
    for key, value in facts.items():
        row = {"key": key, "value": value}
        connection.exec_driver_sql(_REPLACE, row | {"digest": _digest_2(row)})


def _digest_2(row: Mapping[str, Any]) -> str:
    """The digest of a row, whatever the order of its columns, in format 2."""
    short = [f"{name} {row[name]}" for name in sorted(row) if name not in ("digest", "measurements")]
    return _digest_of("\x1f".join(short) + str(row.get("measurements")))


def _part_records(connection: sql.Connection) -> None:
    """To format 3: what is short, what was proposed and what came of it stand in three tables, with other digests."""
    for statement in _THREE_TABLES:
        connection.exec_driver_sql(statement)
    facts = dict.fromkeys(("format", "contents"), "")
    for row in _rows(connection, "meta"):
        _compare(row, f"the fact {row['key']!r}")
        facts[row["key"]] = row["value"]
    facts["format"] = json.dumps(3)
    count = 0
    for row in _rows(connection, "records"):
        _compare(row, f"record {row['number']}")
        _part(connection, dict(row, fitness=""))
        count += 1
    if not facts["contents"]:
        raise ValueError("the fact 'contents' is lost")
    if count != (expected := json.loads(facts["contents"])["records"]):
        raise ValueError(f"expected {expected} records, got {count}")
    if lost := set(json.loads(facts["contents"])["facts"]) - facts.keys():
        raise ValueError(f"the facts {', '.join(sorted(lost))} are lost")
    for key, value in facts.items():
        connection.exec_driver_sql(_REPLACE, {"key": key, "value": value, "digest": _digest_3((key, value))})
    connection.exec_driver_sql("DROP TABLE records")
    connection.exec_driver_sql(_VIEW)


def _rows(connection: sql.Connection, table: str) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.exec_driver_sql(f"SELECT * FROM {table}")]


def _part(connection: sql.Connection, row: Mapping[str, Any]) -> None:
    for table, names in _PARTS.items():
        if table != "outcomes" or row["status"] in ("done", "failed"):
            values = tuple(row[name] for name in names)
            places = ", ".join("?" * (len(values) + 1))
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({places})", (*values, _digest_3(values)))


def _compare(row: Mapping[str, Any], what: str) -> None:
    if _digest_2(row) != row["digest"]:
        raise ValueError(f"{what} is not as it was written")


def _digest_3(values: Sequence[Any]) -> str:
    """The digest of a row's values in their order, in format 3."""
    return _digest_of("\x1f".join(map(str, values)))


def _digest_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


_REPLACE = "INSERT OR REPLACE INTO meta (key, value, digest) VALUES (:key, :value, :digest)"
_PARTS = {
    "states": ("number", "role", "generation", "replicate", "genotype_id", "name", "status", "seconds", "fitness"),
    "proposals": ("number", "genotype", "origin", "parents", "seed"),
    "outcomes": ("number", "measurements", "failure"),
}
_THREE_TABLES = (
    """
CREATE TABLE states (
    number INTEGER NOT NULL PRIMARY KEY, role TEXT NOT NULL, generation INTEGER NOT NULL, replicate INTEGER NOT NULL,
    genotype_id TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, seconds TEXT NOT NULL, fitness TEXT NOT NULL,
    digest TEXT NOT NULL, UNIQUE (role, genotype_id, replicate),
    CONSTRAINT known_status CHECK (status IN ('pending', 'running', 'done', 'failed'))
)
""",
    """
CREATE TABLE proposals (
    number INTEGER NOT NULL PRIMARY KEY, genotype TEXT NOT NULL, origin TEXT NOT NULL, parents TEXT NOT NULL,
    seed BIGINT NOT NULL, digest TEXT NOT NULL
)
""",
    """
CREATE TABLE outcomes (
    number INTEGER NOT NULL PRIMARY KEY, measurements TEXT, failure TEXT, digest TEXT NOT NULL,
    CONSTRAINT measured_or_failed CHECK ((measurements IS NULL) <> (failure IS NULL))
)
""",
)
_VIEW = """
CREATE VIEW records AS SELECT
    number, role, generation, replicate, genotype_id, genotype, origin, parents, seed, status, measurements, failure,
    seconds, name, fitness
FROM states JOIN proposals USING (number) LEFT JOIN outcomes USING (number)
"""

# By the format that each step finds.
MIGRATIONS: dict[int, Callable[[sql.Connection], None]] = {1: _add_digests, 2: _part_records}
