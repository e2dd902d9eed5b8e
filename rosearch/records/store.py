"""The records of one run in one SQLite file.

Write-ahead log and synchronous FULL: the effect of a finished call survives `kill -9` and a power cut, and any number
of processes may read while the one driver writes. Each call is one transaction: a generation is proposed whole or not
at all. The log is merged after each, so the file alone is whole.

Each row carries a digest, and the fact `contents` says how many records and which facts there are. All are compared
when they are read, in one pass over the table: an index may be damaged too. What is long of a record is read where it
is first asked for; a store that is opened for writing compares all of it.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import sqlalchemy as sql

from rosearch.errors import RunError, one_line
from rosearch.files import whole
from rosearch.measurements import TeacherFacts
from rosearch.records.details import Details
from rosearch.records.migrations import led_to_format
from rosearch.records.record import Outcome, Record, Role
from rosearch.records.rows import (
    CONTENTS,
    FORMAT,
    META,
    OUTCOMES,
    PROPOSALS,
    STATES,
    TABLES,
    VIEW,
    outcome_row,
    proposal_row,
    sealed,
    seconds_text,
    state_row,
    teacher_from_data,
    teacher_to_data,
)
from rosearch.records.sqlite import damaged, merge_log, reading_engine, transaction, writing_engine
from rosearch.records.stored import Columns, StoredRecords, without_collector
from rosearch.records.whole_rows import UNREADABLE, Row, WholeRows, found_format, unreadable

_MATERIALS, _FINISHED = "materials", "finished"  # keys of the facts of a run
_STATUS = STATES.c.keys().index("status")
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
        self._details = Details(self._rows, self._transaction)
        weakref.finalize(self, engine.dispose)  # records that outlive the store read on

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new, empty store, opened for writing. It gets its name only when it is complete."""
        if path.exists():
            raise RunError(f"{path}: expected no file there, got one: a store is never overwritten")
        with whole(path) as draft:
            store = cls(draft, writing_engine(draft, "mode=rwc", "PRAGMA journal_mode=WAL"))  # the file keeps it
            with store._transaction() as connection:
                TABLES.create_all(connection)
                connection.exec_driver_sql(VIEW)
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
        engine = reading_engine(path) if read_only else writing_engine(path, "mode=rw")
        try:
            with transaction(engine, path) as connection:
                found = found_format(connection, path)
            if found < FORMAT:
                engine = led_to_format(engine, path, found, read_only)
            store = cls(path, engine)
            if not read_only:  # a resumed search must not find damage hours later
                store.check()
        except BaseException:
            engine.dispose()
            raise
        return store

    def check(self) -> None:
        """Reads everything. Raises `RunError` where a page, a row or a fact is not as it was written."""
        self._check_pages()
        with self._transaction() as connection:
            self._rows.compare_all(connection)

    def close(self) -> None:
        """Closes all connections; nothing is pending, since every call is its own transaction."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def propose(self, records: Sequence[Record]) -> None:
        """Adds records, all or none. A number, or a (role, genotype, replicate), that exists is refused."""
        if not records:
            return
        over = [Outcome(record.measurements, record.failure) for record in records]
        outcomes = [outcome_row(r.number, o) for r, o in zip(records, over, strict=True) if o != Outcome(None)]
        rows = {STATES: list(map(state_row, records)), PROPOSALS: list(map(proposal_row, records)), OUTCOMES: outcomes}
        with self._writing() as connection:
            contents = self._rows.contents(connection)
            for table, added in rows.items():
                if added:
                    connection.execute(table.insert(), added)
            self._put(connection, CONTENTS, contents | {"records": contents["records"] + len(records)})

    def start(self, number: int) -> None:
        """Marks a pending record as running."""
        with self._writing() as connection:
            self._change(connection, number, ("pending",), status="running")

    def finish(
        self, number: int, outcome: Outcome, facts: Mapping[str, Any] = MappingProxyType({}), judged: str = ""
    ) -> None:
        """Stores the outcome of a record that is pending or running; a second outcome is refused.

        `facts` are stored in the same transaction; `judged` is its fitness as the run's yardstick writes it down.
        Raises `ValueError` where the outcome is neither measured nor failed, is both, or is not finite.
        """
        if (outcome.measurements is None) == (outcome.failure is None):
            raise ValueError(f"record {number}: an outcome is either measurements or a failure, got {outcome}")
        status = "done" if outcome.failure is None else "failed"
        row, seconds = outcome_row(number, outcome), seconds_text(outcome.seconds)
        with self._writing() as connection:
            self._change(connection, number, ("pending", "running"), status=status, seconds=seconds, fitness=judged)
            connection.execute(OUTCOMES.insert(), row)
            for key, value in facts.items():
                self._note(connection, key, value)

    def rest(self, number: int, facts: Mapping[str, Any]) -> None:
        """Marks a running record as pending again and stores facts, in one transaction."""
        with self._writing() as connection:
            self._change(connection, number, ("pending", "running"), status="pending")
            for key, value in facts.items():
                self._note(connection, key, value)

    def reset_running(self) -> tuple[int, ...]:
        """Makes the records pending again that were running when a driver died; returns their numbers."""
        with self._transaction() as connection:
            numbers = [row[0] for row in self._rows.states(connection) if row[_STATUS] == "running"]
        if numbers:
            with self._writing() as connection:
                for number in numbers:
                    self._change(connection, number, ("running",), status="pending")
        return tuple(numbers)

    def stored(self) -> StoredRecords:
        """All records by number, of which each is made where it is first asked for."""
        with without_collector(), self._transaction() as connection:
            return self._read(self._rows.states(connection))

    def records(self, role: Role | None = None, generation: int | None = None) -> list[Record]:
        """The records sorted by number: all of them, or those of a role, a generation, or both."""
        found = self.stored()
        with without_collector():
            return [one for one in found if role in (None, one.role) and generation in (None, one.generation)]

    def record(self, number: int) -> Record:
        """The record of a number."""
        with self._transaction() as connection:
            row = self._rows.state(connection, number)
        if row is None:
            raise RunError(f"{self.path}: expected record {number}, got no such record")
        return self._read([row])[0]

    def last_number(self) -> int:
        """The highest number of a record; 0 in an empty store."""
        with self._transaction() as connection:
            return connection.scalar(sql.select(sql.func.max(STATES.c.number))) or 0

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
        row = sealed(META, {"key": key, "value": json.dumps(value, allow_nan=False)})
        connection.execute(META.insert().prefix_with("OR REPLACE"), row)

    def _change(self, connection: sql.Connection, number: int, states: tuple[str, ...], **columns: Any) -> None:
        row = self._rows.state(connection, number)
        if row is None or row[_STATUS] not in states:
            expected, got = " or ".join(states), "no such record" if row is None else row[_STATUS]
            raise RunError(f"{self.path}: expected record {number} to be {expected}, got {got}")
        values = dict(zip(STATES.c.keys(), row, strict=True)) | columns
        connection.execute(STATES.update().where(STATES.c.number == number), sealed(STATES, values))

    def _read(self, rows: Sequence[Row]) -> StoredRecords:
        try:
            return StoredRecords(Columns.read(rows), self._details.read)
        except UNREADABLE as error:
            if len(rows) > 1:  # it is one of these
                list(map(self._read, zip(rows)))
            problem = f"record {rows[0][0]} cannot be read: {one_line(error)}"
            raise RunError(f"{self.path}: {problem}") from error

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
