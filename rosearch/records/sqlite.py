"""SQLite as a store uses it: connections that read or write, transactions, and errors in one line."""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sql
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import NullPool, Pool, QueuePool, StaticPool

from rosearch.errors import RunError, one_line
from rosearch.files import Stamp, lock_holder, stamp

_BUSY_S = 30.0  # longest wait of a reader while the driver resets the log

# Advice about the errors that the machine causes, by a part of SQLite's message. All others come of a damaged file.
_ADVICE = {
    "disk is full": "Free some space",
    "disk I/O": "Check the disk",
    "locked": "{holder} is writing: try again",
    "readonly": "Check that the file and its folder may be written",
    "unable to open": "Check that the file and its folder may be read and written",
    "interrupted": "Try again",
}
DAMAGED_FIX = ". Restore a copy, or see what `rosearch doctor RUN` can mend"


@contextmanager
def transaction(engine: sql.Engine, path: Path) -> Iterator[sql.Connection]:
    """All inside sees one state. Commits at the end, rolls back on any exception.

    Raises errors of SQLite as a `RunError` in one line.
    """
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("BEGIN")  # Python's sqlite3 would begin with the first change
            yield connection
    except IntegrityError as error:
        raise RunError(f"{path}: a record was refused: {error.orig}") from error
    except (DBAPIError, sqlite3.Error) as error:
        reason = one_line(error.orig if isinstance(error, DBAPIError) else error)
        advice = next((text for part, text in _ADVICE.items() if part in reason), None)
        if advice is None:
            raise damaged(path, reason) from error
        raise RunError(f"{path}: {reason}. {advice.format(holder=lock_holder(path))}") from error


def tuples(connection: sql.Connection, query: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
    """The rows of a query within a transaction as they come: SQLAlchemy's own take twice as long, of many thousands."""
    return cast(sqlite3.Connection, connection.connection.driver_connection).execute(query, values)


def damaged(path: Path, what: str) -> RunError:
    """The error for a file that is not as it was written; `what` says where."""
    return RunError(f"{path}: damaged: {what}{DAMAGED_FIX}")


def merge_log(engine: sql.Engine) -> None:
    """Moves what the log holds into the file and empties the log, unless a reader is in the middle of a look.

    The file alone is then whole: a log that is lost or damaged takes nothing with it.
    """
    with suppress(DBAPIError), engine.connect() as connection:  # what was committed lies in the log, and counts
        connection.exec_driver_sql("PRAGMA busy_timeout=0").fetchall()
        try:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={_BUSY_S * 1000:.0f}").fetchall()


def writing_engine(path: Path, parameters: str, *statements: str) -> sql.Engine:
    """An engine whose commits survive a power cut. `statements` are run on each new connection."""
    return _engine(lambda: _connected(path, parameters, *statements, "PRAGMA synchronous=FULL"))


def reading_engine(path: Path) -> sql.Engine:
    """An engine that never writes, nor leaves a file beside the store; it works in a write-protected folder too.

    Readers share a file with the writer, which SQLite makes. Where no log lies there, nobody has the store open for
    writing, and it is read as a file that does not change. A driver that begins in that moment may make it look damaged
    (`unchanged`).
    """
    log = path.with_name(f"{path.name}-wal")

    def connect() -> sqlite3.Connection:
        if not log.exists():
            return _connected(path, "mode=ro&immutable=1")
        try:
            return _connected(path, "mode=ro", "SELECT 1 FROM sqlite_master")
        except sqlite3.OperationalError:  # a write-protected folder refuses the file that is shared
            if log.exists() and log.stat().st_size:
                raise
            return _connected(path, "mode=ro&immutable=1")

    return _engine(connect, NullPool)  # each look asks anew for a log


def copied_engine(engine: sql.Engine, change: Callable[[sql.Connection], None]) -> sql.Engine:
    """An engine that reads a copy, changed once, of what `engine` reads; the copy lies in memory."""
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    with engine.connect() as connection:
        cast(sqlite3.Connection, connection.connection.driver_connection).backup(memory)
    changing = sql.create_engine("sqlite://", creator=lambda: memory, poolclass=StaticPool)
    with changing.begin() as connection:
        change(connection)

    def connect() -> sqlite3.Connection:
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        memory.backup(copy)
        copy.execute("PRAGMA query_only = ON").fetchall()
        return copy

    copied = _engine(connect)
    weakref.finalize(copied, memory.close)
    return copied


def unchanged(path: Path, before: Stamp) -> bool:
    """True where nobody has written a store, or opened it for writing, since it had that stamp."""
    return stamp(path) == before and not path.with_name(f"{path.name}-wal").exists()


def _engine(connect: Callable[[], sqlite3.Connection], pool: type[Pool] = QueuePool) -> sql.Engine:
    engine = sql.create_engine("sqlite://", creator=connect, poolclass=pool)

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
    except UnicodeDecodeError as error:  # raised in the place of sqlite's own message about a damaged schema
        connection.close()
        raise sqlite3.DatabaseError(f"its schema is no text: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection
