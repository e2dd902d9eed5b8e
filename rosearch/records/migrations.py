"""From the layout of an older store to today's, a step for each format.

::

    with store._writing() as connection:
        migrate(connection, 1)  # the format that was found; nothing is changed unless all steps succeed

A step is written once and never changed, so it names its columns itself.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sql

from rosearch.records.rows import CONTENTS, FORMAT, digested


def migrate(connection: sql.Connection, found: int) -> None:
    """Leads a file of format `found` to `FORMAT`, within the caller's transaction."""
    for number in range(found, FORMAT):
        MIGRATIONS[number](connection)


@lru_cache(maxsize=1024)  # once a process
def say_undigested(path: Path) -> None:
    """Notes, once, that damage to a file cannot be noticed."""
    logging.getLogger(__name__).warning("%s: of an older rosearch, without digests: damage to it goes unnoticed", path)


def _add_digests(connection: sql.Connection) -> None:
    """To format 2: each row gets a digest, and `contents` counts the rows. What is there now is taken for whole."""
    for table in ("meta", "records"):
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN digest TEXT NOT NULL DEFAULT ''")
    rows = [dict(row._mapping) for row in connection.exec_driver_sql("SELECT * FROM records")]
    for row in rows:
        values = {"digest": digested(row)["digest"], "number": row["number"]}
        connection.exec_driver_sql("UPDATE records SET digest = :digest WHERE number = :number", values)
    facts = {key: value for key, value, _ in connection.exec_driver_sql("SELECT * FROM meta")}
    facts["format"] = json.dumps(2)
    facts[CONTENTS] = json.dumps({"records": len(rows), "facts": list(facts)})
    replace = "INSERT OR REPLACE INTO meta (key, value, digest) VALUES (:key, :value, :digest)"
    for key, value in facts.items():
        connection.exec_driver_sql(replace, digested({"key": key, "value": value}))


# By the format that each step finds.
MIGRATIONS: dict[int, Callable[[sql.Connection], None]] = {1: _add_digests}
