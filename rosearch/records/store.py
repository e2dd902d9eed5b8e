"""The records of one run in one SQLite file.

Write-ahead log and synchronous FULL: the effect of a finished call survives `kill -9` and a power cut, and any number
of processes may read while the one driver writes. Each call is one transaction: a generation is proposed whole or not
at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sql

from rosearch.errors import RunError, one_line
from rosearch.files import whole
from rosearch.measurements import TeacherFacts
from rosearch.records.record import Outcome, Record, Role
from rosearch.records.rows import (
    FORMAT,
    META,
    RECORDS,
    TABLES,
    from_row,
    outcome_columns,
    teacher_from_data,
    teacher_to_data,
    to_row,
)
from rosearch.records.sqlite import ADVICE, reading_engine, transaction, writing_engine

_TEACHER, _MATERIALS, _FINISHED = "teacher", "materials", "finished"  # keys of the facts of a run


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

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new, empty store, opened for writing. It gets its name only when it is complete."""
        if path.exists():
            raise RunError(f"{path}: expected no file there, got one: a store is never overwritten")
        with whole(path) as draft:
            store = cls(draft, writing_engine(draft, "mode=rwc", "PRAGMA journal_mode=WAL"))  # the file keeps it
            with store._transaction() as connection:
                TABLES.create_all(connection)
                connection.execute(META.insert(), {"key": "format", "value": json.dumps(FORMAT)})
            store.close()
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Self:
        """The store of a run. `read_only` works while a driver writes, and in a write-protected folder.

        Raises `RunError` where there is no store, where it is damaged, or where a newer rosearch has written it.
        """
        if not path.is_file():
            raise RunError(f"{path}: expected the records of a run, got no such file")
        store = cls(path, reading_engine(path) if read_only else writing_engine(path, "mode=rw"))
        try:
            store._check_format()
            if not read_only:  # a resumed search must not find damage hours later
                store._check_pages()
        except BaseException:
            store.close()
            raise
        return store

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
            with self._transaction() as connection:
                connection.execute(RECORDS.insert(), rows)

    def start(self, number: int) -> None:
        """Marks a pending record as running."""
        self._change(number, ("pending",), status="running")

    def finish(self, number: int, outcome: Outcome) -> None:
        """Stores the outcome of a record that is pending or running; a second outcome is refused.

        Raises `ValueError` where the outcome is neither measured nor failed, is both, or is not finite.
        """
        if (outcome.measurements is None) == (outcome.failure is None):
            raise ValueError(f"record {number}: an outcome is either measurements or a failure, got {outcome}")
        status = "done" if outcome.failure is None else "failed"
        self._change(number, ("pending", "running"), status=status, **outcome_columns(outcome))

    def reset_running(self) -> tuple[int, ...]:
        """Makes the records pending again that were running when a driver died; returns their numbers."""
        running = sql.select(RECORDS.c.number).where(RECORDS.c.status == "running").order_by(RECORDS.c.number)
        with self._transaction() as connection:
            numbers = tuple(connection.scalars(running))
            connection.execute(RECORDS.update().where(RECORDS.c.status == "running").values(status="pending"))
        return numbers

    def records(self, role: Role | None = None, generation: int | None = None) -> list[Record]:
        """The records sorted by number: all of them, or those of a role, a generation, or both."""
        query = RECORDS.select().order_by(RECORDS.c.number)
        if role is not None:
            query = query.where(RECORDS.c.role == role)
        if generation is not None:
            query = query.where(RECORDS.c.generation == generation)
        with self._transaction() as connection:
            rows = connection.execute(query).mappings().all()
        return [self._read(row) for row in rows]

    def record(self, number: int) -> Record:
        """The record of a number."""
        with self._transaction() as connection:
            row = connection.execute(RECORDS.select().where(RECORDS.c.number == number)).mappings().first()
        if row is None:
            raise RunError(f"{self.path}: expected record {number}, got no such record")
        return self._read(row)

    def last_number(self) -> int:
        """The highest number of a record; 0 in an empty store."""
        with self._transaction() as connection:
            return connection.scalar(sql.select(sql.func.max(RECORDS.c.number))) or 0

    def teacher(self) -> TeacherFacts | None:
        """The facts of the run's teacher; None until the driver has measured it."""
        data = self.get_meta(_TEACHER)
        try:
            return None if data is None else teacher_from_data(data)
        except ValueError as error:
            raise RunError(f"{self.path}: the fact {_TEACHER!r} cannot be read: {one_line(error, None)}") from error

    def set_teacher(self, teacher: TeacherFacts) -> None:
        """Stores the facts of the run's teacher."""
        self.set_meta(_TEACHER, teacher_to_data(teacher))

    def materials(self) -> dict[str, str] | None:
        """The fingerprints, by name, of all that a resumed run must find unchanged; None until they are known."""
        found: dict[str, str] | None = self.get_meta(_MATERIALS)
        return found

    def set_materials(self, fingerprints: Mapping[str, str]) -> None:
        """Stores the fingerprints of all that a resumed run must find unchanged."""
        self.set_meta(_MATERIALS, dict(fingerprints))

    def finished(self) -> bool:
        """True once the whole budget is spent and the finalists are measured."""
        return bool(self.get_meta(_FINISHED))

    def set_finished(self) -> None:
        """Notes that the whole budget is spent and the finalists are measured."""
        self.set_meta(_FINISHED, True)

    def set_meta(self, key: str, value: Any) -> None:
        """Stores a JSON value under a key and replaces the one before. Raises `ValueError` for another value."""
        text = json.dumps(value, allow_nan=False)
        with self._transaction() as connection:
            connection.execute(META.insert().prefix_with("OR REPLACE"), {"key": key, "value": text})

    def get_meta(self, key: str) -> Any:
        """The JSON value under a key; None if there is none."""
        with self._transaction() as connection:
            text = connection.scalar(sql.select(META.c.value).where(META.c.key == key))
        try:
            return None if text is None else json.loads(text)
        except ValueError as error:
            raise RunError(f"{self.path}: the fact {key!r} cannot be read: {error}") from error

    def _change(self, number: int, states: tuple[str, ...], **columns: Any) -> None:
        query = RECORDS.update().where(RECORDS.c.number == number, RECORDS.c.status.in_(states)).values(**columns)
        with self._transaction() as connection:
            if connection.execute(query).rowcount == 1:
                return
            status = connection.scalar(sql.select(RECORDS.c.status).where(RECORDS.c.number == number))
        expected = " or ".join(states)
        raise RunError(f"{self.path}: expected record {number} to be {expected}, got {status or 'no such record'}")

    def _read(self, row: sql.RowMapping) -> Record:
        try:
            return from_row(row)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = one_line(error, None)
            raise RunError(f"{self.path}: record {row['number']} cannot be read: {reason}") from error

    def _check_format(self) -> None:
        with self._transaction() as connection:
            known = sql.inspect(connection).get_table_names()
        found = self.get_meta("format") if META.name in known else None
        if not isinstance(found, int):
            raise RunError(f"{self.path}: expected the records of a run, got a database without a format number")
        if found > FORMAT:
            raise RunError(
                f"{self.path}: expected format {FORMAT} or older, got {found}. A newer rosearch wrote it: upgrade"
            )

    def _check_pages(self) -> None:
        with self._transaction() as connection:
            verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if verdict != "ok":
            reason = one_line(verdict, None)
            raise RunError(f"{self.path}: database disk image is malformed ({reason}). {ADVICE['malformed']}")

    def _transaction(self) -> AbstractContextManager[sql.Connection]:
        return transaction(self._engine, self.path)
