"""The records of one run in one SQLite file.

Write-ahead log and synchronous FULL: the effect of a finished call survives `kill -9` and a power cut, and any number
of processes may read while the one driver writes. Each call is one transaction: a generation is proposed whole or not
at all. The log is merged after each, so the file alone is whole.

Each row carries a digest, and the fact `contents` says how many records and which facts there are. All are compared
when they are read, in one pass over the table: an index may be damaged too.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import sqlalchemy as sql

from rosearch.errors import RunError, one_line
from rosearch.files import whole
from rosearch.measurements import TeacherFacts
from rosearch.records.migrations import migrate, say_undigested
from rosearch.records.record import Outcome, Record, Role
from rosearch.records.rows import (
    CONTENTS,
    FORMAT,
    META,
    RECORDS,
    TABLES,
    digested,
    from_row,
    outcome_columns,
    teacher_from_data,
    teacher_to_data,
    to_row,
)
from rosearch.records.sqlite import damaged, merge_log, reading_engine, transaction, writing_engine
from rosearch.records.whole_rows import UNREADABLE, WholeRows, found_format, unreadable

_MATERIALS, _FINISHED = "materials", "finished"  # keys of the facts of a run
_TEACHER = {"validation": "teacher", "test": "teacher_on_test"}


class Store:
    """The records and facts of one run. One process writes (`RunDirectory.lock`), any number read.

    >>> with Store.open(run.store, read_only=True) as store:
    ...     store.records("candidate")

    Every method raises `RunError`, in one line, where the file is damaged, the disk is full, or a record is not in the
    state that the call needs.
    """

    def __init__(self, path: Path, engine: sql.Engine) -> None:
        self.path = path
        self._engine = engine
        self._rows = WholeRows(path)

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new, empty store, opened for writing. It gets its name only when it is complete."""
        if path.exists():
            raise RunError(f"{path}: expected no file there, got one: a store is never overwritten")
        with whole(path) as draft:
            store = cls(draft, writing_engine(draft, "mode=rwc", "PRAGMA journal_mode=WAL"))  # the file keeps it
            with store._transaction() as connection:
                TABLES.create_all(connection)
                store._put(connection, CONTENTS, {"records": 0, "facts": ["format"]})
                store._put(connection, "format", FORMAT)
            store.close()
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Self:
        """The store of a run. `read_only` works while a driver writes, and in a write-protected folder.

        A file of an older rosearch gets today's layout when it is opened for writing. Raises `RunError` where there is
        no store, where it is damaged, or where a newer rosearch has written it.
        """
        if not path.is_file():
            raise RunError(f"{path}: expected the records of a run, got no such file")
        store = cls(path, reading_engine(path) if read_only else writing_engine(path, "mode=rw"))
        try:
            with store._transaction() as connection:
                store._rows = WholeRows(path, found_format(connection, path))
            if not read_only:  # a resumed search must not find damage hours later
                store.check()
                store._migrate()
            elif store._rows.format < FORMAT:
                say_undigested(path)
        except BaseException:
            store.close()
            raise
        return store

    def check(self) -> None:
        """Reads everything. Raises `RunError` where a page, a row or a fact is not as it was written."""
        self._check_pages()
        self.records()

    def close(self) -> None:
        """Closes all connections; nothing is pending, since every call is its own transaction."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def propose(self, records: Sequence[Record]) -> None:
        """Adds records, all or none. A number, or a (role, genotype, replicate), that exists is refused."""
        rows = [to_row(record) for record in records]
        if rows:
            with self._writing() as connection:
                contents = self._rows.contents(connection)
                connection.execute(RECORDS.insert(), rows)
                self._put(connection, CONTENTS, contents | {"records": contents["records"] + len(rows)})

    def start(self, number: int) -> None:
        """Marks a pending record as running."""
        with self._writing() as connection:
            self._change(connection, number, ("pending",), status="running")

    def finish(self, number: int, outcome: Outcome, facts: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Stores the outcome of a record that is pending or running; a second outcome is refused.

        `facts` are stored in the same transaction.
        Raises `ValueError` where the outcome is neither measured nor failed, is both, or is not finite.
        """
        if (outcome.measurements is None) == (outcome.failure is None):
            raise ValueError(f"record {number}: an outcome is either measurements or a failure, got {outcome}")
        status = "done" if outcome.failure is None else "failed"
        with self._writing() as connection:
            self._change(connection, number, ("pending", "running"), status=status, **outcome_columns(outcome))
            for key, value in facts.items():
                self._note(connection, key, value)

    def reset_running(self) -> tuple[int, ...]:
        """Makes the records pending again that were running when a driver died; returns their numbers."""
        with self._writing() as connection:
            rows = [row for row in self._rows.all(connection) if row["status"] == "running"]
            for row in rows:
                self._rewrite(connection, row, status="pending")
        return tuple(row["number"] for row in rows)

    def records(self, role: Role | None = None, generation: int | None = None) -> list[Record]:
        """The records sorted by number: all of them, or those of a role, a generation, or both."""
        with self._transaction() as connection:
            rows = self._rows.all(connection)
        chosen = [r for r in rows if role in (None, r["role"]) and generation in (None, r["generation"])]
        with _without_collector():
            return [self._read(row) for row in chosen]

    def record(self, number: int) -> Record:
        """The record of a number."""
        with self._transaction() as connection:
            row = self._rows.one(connection, number)
        if row is None:
            raise RunError(f"{self.path}: expected record {number}, got no such record")
        return self._read(row)

    def last_number(self) -> int:
        """The highest number of a record; 0 in an empty store."""
        with self._transaction() as connection:
            return connection.scalar(sql.select(sql.func.max(RECORDS.c.number))) or 0

    def teacher(self, split: str = "validation") -> TeacherFacts | None:
        """The facts of the run's teacher on a split; None until the driver has measured it there."""
        data = self.get_meta(_TEACHER[split])
        try:
            return None if data is None else teacher_from_data(data)
        except ValueError as error:
            raise unreadable(self.path, _TEACHER[split], error) from error

    def set_teacher(self, teacher: TeacherFacts, split: str = "validation") -> None:
        """Stores the facts of the run's teacher on a split."""
        self.set_meta(_TEACHER[split], teacher_to_data(teacher))

    def materials(self) -> dict[str, str] | None:
        """The fingerprints, by name, of all that a resumed run must find unchanged; None until they are known."""
        found = self.get_meta(_MATERIALS)
        if found is None or (isinstance(found, dict) and all(isinstance(text, str) for text in found.values())):
            return found
        raise unreadable(self.path, _MATERIALS, f"expected a fingerprint for each name, got {found!r}")

    def set_materials(self, fingerprints: Mapping[str, str]) -> None:
        """Stores the fingerprints of all that a resumed run must find unchanged."""
        self.set_meta(_MATERIALS, dict(fingerprints))

    def finished(self) -> bool:
        """True once the whole budget is spent and the finalists are measured."""
        return bool(self.get_meta(_FINISHED))

    def set_finished(self, finished: bool = True) -> None:
        """Notes that the whole budget is spent and the finalists are measured, or that there is more to do again."""
        self.set_meta(_FINISHED, finished)

    def set_meta(self, key: str, value: Any) -> None:
        """Stores a JSON value under a key and replaces the one before. Raises `ValueError` for another value."""
        json.dumps(value, allow_nan=False)
        with self._writing() as connection:
            self._note(connection, key, value)

    def get_meta(self, key: str) -> Any:
        """The JSON value under a key; None if there is none."""
        with self._transaction() as connection:
            text = self._rows.facts(connection).get(key)
        try:
            return None if text is None else json.loads(text)
        except UNREADABLE as error:
            raise unreadable(self.path, key, error) from error

    def _note(self, connection: sql.Connection, key: str, value: Any) -> None:
        contents = self._rows.contents(connection)
        if key not in contents["facts"]:
            self._put(connection, CONTENTS, contents | {"facts": [*contents["facts"], key]})
        self._put(connection, key, value)

    def _put(self, connection: sql.Connection, key: str, value: Any) -> None:
        row = digested({"key": key, "value": json.dumps(value, allow_nan=False)})
        connection.execute(META.insert().prefix_with("OR REPLACE"), row)

    def _change(self, connection: sql.Connection, number: int, states: tuple[str, ...], **columns: Any) -> None:
        row = self._rows.one(connection, number)
        if row is not None and row["status"] in states:
            self._rewrite(connection, row, **columns)
            return
        expected, got = " or ".join(states), "no such record" if row is None else row["status"]
        raise RunError(f"{self.path}: expected record {number} to be {expected}, got {got}")

    def _rewrite(self, connection: sql.Connection, row: Mapping[str, Any], **columns: Any) -> None:
        values = digested({**row, **columns})
        connection.execute(RECORDS.update().where(RECORDS.c.number == row["number"]).values(values))

    def _read(self, row: Mapping[str, Any]) -> Record:
        try:
            return from_row(row)
        except UNREADABLE as error:
            raise RunError(f"{self.path}: record {row['number']} cannot be read: {one_line(error)}") from error

    def _migrate(self) -> None:
        if self._rows.format < FORMAT:
            with self._writing() as connection:
                migrate(connection, self._rows.format)
            self._rows = WholeRows(self.path)

    def _check_pages(self) -> None:
        with self._transaction() as connection:
            verdict = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        if verdict != "ok":
            raise damaged(self.path, one_line(verdict))

    @contextmanager
    def _writing(self) -> Iterator[sql.Connection]:
        with self._transaction() as connection:
            yield connection
        merge_log(self._engine)

    def _transaction(self) -> AbstractContextManager[sql.Connection]:
        return transaction(self._engine, self.path)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Records hold no circles, and thousands of them are a third faster to make if nobody looks for garbage."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
