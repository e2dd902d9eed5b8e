"""The tables of a store, with records and facts as their rows; each row carries the digest of its values.

A record has a row in `states`, one in `proposals` and, once it is over, one in `outcomes`. The first is short and is
all that most readers want of most records; the two others are written once. The view `records` has all of it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, get_args

import sqlalchemy as sql
from pydantic import TypeAdapter
from pydantic_core import from_json  # twice as fast as json, but it refuses half a surrogate pair, as messages may hold

from rosearch import measurements
from rosearch.measurements import TeacherFacts
from rosearch.records.record import Failure, Outcome, Record, Role, Status
from rosearch.space.genotype import Genotype

FORMAT = 3  # the number of the layout below (`MIGRATIONS` leads to it); a higher one is a newer rosearch's

CONTENTS = "contents"  # the fact that says how many records, and which facts, there are

Values = Sequence[Any]  # of a row: those of all columns in their order, the digest last


def _digest_column() -> sql.Column[str]:
    return sql.Column("digest", sql.Text, nullable=False)


TABLES = sql.MetaData()
META = sql.Table(
    "meta",
    TABLES,
    sql.Column("key", sql.Text, primary_key=True),
    sql.Column("value", sql.Text, nullable=False),  # JSON
    _digest_column(),
)
STATES = sql.Table(
    "states",
    TABLES,
    sql.Column("number", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("role", sql.Text, nullable=False),
    sql.Column("generation", sql.Integer, nullable=False),
    sql.Column("replicate", sql.Integer, nullable=False),
    sql.Column("genotype_id", sql.Text, nullable=False),
    sql.Column("name", sql.Text, nullable=False),
    sql.Column("status", sql.Text, nullable=False),
    sql.Column("seconds", sql.Text, nullable=False),  # JSON, as in all columns below with more than a word
    sql.Column("fitness", sql.Text, nullable=False),
    _digest_column(),
    sql.UniqueConstraint("role", "genotype_id", "replicate"),
    sql.CheckConstraint("status IN ('pending', 'running', 'done', 'failed')", "known_status"),
)
PROPOSALS = sql.Table(
    "proposals",
    TABLES,
    sql.Column("number", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("genotype", sql.Text, nullable=False),
    sql.Column("origin", sql.Text, nullable=False),
    sql.Column("parents", sql.Text, nullable=False),
    sql.Column("seed", sql.BigInteger, nullable=False),
    _digest_column(),
)
OUTCOMES = sql.Table(
    "outcomes",
    TABLES,
    sql.Column("number", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("measurements", sql.Text),
    sql.Column("failure", sql.Text),
    _digest_column(),
    sql.CheckConstraint("(measurements IS NULL) <> (failure IS NULL)", "measured_or_failed"),
)
# For people and programs that look into the file: nothing here reads it.
VIEW = """
CREATE VIEW records AS SELECT
    number, role, generation, replicate, genotype_id, genotype, origin, parents, seed, status, measurements, failure,
    seconds, name, fitness
FROM states JOIN proposals USING (number) LEFT JOIN outcomes USING (number)
"""

_TEACHER: TypeAdapter[TeacherFacts] = TypeAdapter(TeacherFacts)
_TEXTS = ["\x1f".join(["%s"] * count) for count in range(len(STATES.c))]  # by the number of values
ROLES, STATUSES = frozenset(get_args(Role)), frozenset(get_args(Status))
ID = re.compile(r"[0-9a-f]{16}")
# What a record of a status does not have.
WITHOUT: dict[str, dict[str, None]] = {
    "pending": {"measurements": None, "failure": None},
    "running": {"measurements": None, "failure": None},
    "done": {"failure": None},
    "failed": {"measurements": None},
}


def digest(values: Values) -> str:
    """The digest of a row's values, itself not among them."""
    text = _TEXTS[len(values)] % (*values,)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def is_whole(row: tuple[Any, ...]) -> bool:
    """True if the row is as it was written."""
    text = _TEXTS[len(row) - 1] % row[:-1]
    return bool(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32] == row[-1])


def sealed(table: sql.Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a table with its digest."""
    names = [column.name for column in table.c][:-1]
    return {**values, "digest": digest([values[name] for name in names])}


def state_row(record: Record) -> dict[str, Any]:
    """The row of a record in `STATES`. Raises `ValueError` where a time is not finite."""
    values = {name: getattr(record, name) for name in ("number", "role", "generation", "replicate", "name", "status")}
    timed = {"genotype_id": record.id, "seconds": seconds_text(record.seconds), "fitness": record.judged}
    return sealed(STATES, values | timed)


def proposal_row(record: Record) -> dict[str, Any]:
    """The row of a record in `PROPOSALS`."""
    written = {"genotype": record.genotype.to_json(), "parents": json.dumps(record.parents)}
    values = {"number": record.number, "origin": record.origin, "seed": record.seed}
    return sealed(PROPOSALS, values | written)


def outcome_row(number: int, outcome: Outcome) -> dict[str, Any]:
    """The row of a record in `OUTCOMES`. Raises `ValueError` where a measurement is not finite."""
    measured, failure = outcome.measurements, outcome.failure
    values = {
        "number": number,
        "measurements": None if measured is None else measurements.to_json(measured),
        "failure": None if failure is None else json.dumps(asdict(failure)),
    }
    return sealed(OUTCOMES, values)


def seconds_text(seconds: Mapping[str, float]) -> str:
    """The seconds of each stage as JSON. Raises `ValueError` where one is not finite."""
    return json.dumps(seconds, allow_nan=False)


def read_proposal(row: Values, identity: str) -> dict[str, Any]:
    """The fields of a record that its row in `PROPOSALS` holds; `identity` is the id, which takes long to compute.

    This and `read_outcome` raise `ValueError`, `KeyError`, `TypeError` or `AttributeError` for values of other types.
    """
    _, genotype, origin, parents, seed, _ = row
    if type(seed) is not int or seed < 0:
        raise ValueError(f"seed: expected a whole number from 0 on, got {seed!r}")
    for key, value in (("genotype", genotype), ("origin", origin), ("parents", parents)):
        if type(value) is not str:
            raise ValueError(f"{key}: expected a text, got {value!r}")
    found = Genotype.from_dict(from_json(genotype))
    vars(found)["id"] = identity
    return {"genotype": found, "origin": origin, "parents": _parents(from_json(parents)), "seed": seed}


def read_outcome(row: Values) -> dict[str, Any]:
    """The fields of a record that its row in `OUTCOMES` holds."""
    _, measured, failure, _ = row
    return {
        "measurements": None if measured is None else measurements.from_json(measured),
        "failure": None if failure is None else _failure(json.loads(failure)),
    }


def _parents(data: Any) -> tuple[str, ...]:
    if not isinstance(data, list) or not all(isinstance(parent, str) for parent in data):
        raise ValueError(f"parents: expected a list of ids, got {data!r}")
    return tuple(data)


def _failure(data: Any) -> Failure:
    if not isinstance(data, dict) or not all(isinstance(text, str) for text in data.values()):
        raise ValueError(f"failure: expected kind, stage and message, got {data!r}")
    return Failure(**data)


def teacher_to_data(teacher: TeacherFacts) -> dict[str, Any]:
    """A teacher's facts as plain data, in the form of `META` and of `--json`."""
    data: dict[str, Any] = _TEACHER.dump_python(teacher, mode="json")
    return data


def teacher_from_data(data: Any) -> TeacherFacts:
    """The inverse of `teacher_to_data`. Raises `ValueError` on data of another shape."""
    return _TEACHER.validate_python(data)
