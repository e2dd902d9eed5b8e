"""SQLite as a store uses it: connections that read or write, transactions, and errors in one line."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sql
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import QueuePool

from rosearch.errors import RunError, one_line

_BUSY_S = 30.0  # longest wait of a reader while the driver resets the log

# Advice about the errors of SQLite, by a part of the message.
ADVICE = {
    "malformed": "The file is damaged: restore a copy, or start a new run",
    "not a database": "The file is damaged: restore a copy, or start a new run",
    "disk is full": "Free some space, then `rosearch resume`",
    "locked": "Another process is writing: try again",
    "readonly": "Check that the file and its folder may be written",
    "unable to open": "Check that the file and its folder may be read and written",
}


@contextmanager
def transaction(engine: sql.Engine, path: Path) -> Iterator[sql.Connection]:
    """Commits at the end, rolls back on any exception. Raises errors of SQLite as a `RunError` in one line."""
    try:
        with engine.begin() as connection:
            yield connection
    except IntegrityError as error:
        raise RunError(f"{path}: a record was refused: {error.orig}") from error
    except DBAPIError as error:
        reason = one_line(error.orig, None)
        advice = next((text for part, text in ADVICE.items() if part in reason), "Check the disk")
        raise RunError(f"{path}: {reason}. {advice}") from error


def writing_engine(path: Path, parameters: str, *statements: str) -> sql.Engine:
    """An engine whose commits survive a power cut. `statements` are run on each new connection."""
    return _engine(lambda: _connected(path, parameters, *statements, "PRAGMA synchronous=FULL"))


def reading_engine(path: Path) -> sql.Engine:
    """An engine that never writes; it works in a write-protected folder too."""
    log = path.with_name(f"{path.name}-wal")

    def connect() -> sqlite3.Connection:
        try:
            return _connected(path, "mode=ro", "SELECT 1 FROM sqlite_master")
        except sqlite3.OperationalError:
            # Readers share a file beside the store, which a write-protected folder refuses. If no log waits to be
            # merged, no driver is at work, and the store is complete without that file.
            if log.exists() and log.stat().st_size:
                raise
            return _connected(path, "mode=ro&immutable=1")

    return _engine(connect)


def _engine(connect: Callable[[], sqlite3.Connection]) -> sql.Engine:
    engine = sql.create_engine("sqlite://", creator=connect, poolclass=QueuePool)

    @sql.event.listens_for(engine, "handle_error")
    def keep(context: sql.ExceptionContext) -> None:
        # SQLAlchemy drops a connection that Ctrl-C interrupts, since a server's may be out of step. A dropped
        # connection of ours would keep its lock on the file until the traceback is gone; it can be rolled back.
        context.is_disconnect = False

    return engine


def _connected(path: Path, parameters: str, *statements: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?{parameters}"  # its `mode` never creates a missing file
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_S, check_same_thread=False)
    try:
        for statement in statements:
            connection.execute(statement).fetchall()
    except BaseException:
        connection.close()
        raise
    return connection
