"""The tables of a store, with records and facts as their rows; each row carries the digest of its values."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, get_args

import sqlalchemy as sql
from pydantic import TypeAdapter
from pydantic_core import from_json  # twice as fast as json, but it refuses half a surrogate pair, as messages may hold

from rosearch import measurements
from rosearch.measurements import TeacherFacts
from rosearch.records.record import Failure, Outcome, Record, Role, Status
from rosearch.space.genotype import Genotype

FORMAT = 2  # the number of the layout below (`MIGRATIONS` leads to it); a higher one is a newer rosearch's

CONTENTS = "contents"  # the fact that says how many records, and which facts, there are

TABLES = sql.MetaData()
META = sql.Table(
    "meta",
    TABLES,
    sql.Column("key", sql.Text, primary_key=True),
    sql.Column("value", sql.Text, nullable=False),  # JSON
    sql.Column("digest", sql.Text, nullable=False, server_default=""),  # since format 2, as in the table below
)
RECORDS = sql.Table(
    "records",
    TABLES,
    sql.Column("number", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("role", sql.Text, nullable=False),
    sql.Column("generation", sql.Integer, nullable=False),
    sql.Column("replicate", sql.Integer, nullable=False),
    sql.Column("genotype_id", sql.Text, nullable=False),
    sql.Column("genotype", sql.Text, nullable=False),  # JSON, as in all columns below with more than a word
    sql.Column("origin", sql.Text, nullable=False),
    sql.Column("parents", sql.Text, nullable=False),
    sql.Column("seed", sql.BigInteger, nullable=False),
    sql.Column("status", sql.Text, nullable=False),
    sql.Column("measurements", sql.Text),
    sql.Column("failure", sql.Text),
    sql.Column("seconds", sql.Text, nullable=False),
    sql.Column("name", sql.Text, nullable=False),
    sql.Column("digest", sql.Text, nullable=False, server_default=""),
    sql.UniqueConstraint("role", "genotype_id", "replicate"),
    sql.CheckConstraint("status IN ('pending', 'running', 'done', 'failed')", "known_status"),
    sql.CheckConstraint("(status = 'done') = (measurements IS NOT NULL)", "done_is_measured"),
    sql.CheckConstraint("(status = 'failed') = (failure IS NOT NULL)", "failed_has_a_reason"),
)


_TEACHER: TypeAdapter[TeacherFacts] = TypeAdapter(TeacherFacts)
_SMALLEST = {"number": 1, "generation": -1, "replicate": 0, "seed": 0}  # whole numbers
_WORDS: dict[str, tuple[str, ...]] = {"role": get_args(Role), "status": get_args(Status)}
_TEXTS = ("genotype_id", "genotype", "origin", "parents", "seconds", "name")


def digested(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with the digest of its other values, whatever their order."""
    return {**row, "digest": _digest(row)}


def _digest(row: Mapping[str, Any]) -> str:
    long = str(row.get("measurements"))  # nearly all of a row: it is copied no more than it must be
    short = [f"{name} {row[name]}" for name in sorted(row) if name not in ("digest", "measurements")]
    digest = hashlib.sha256("\x1f".join(short).encode("utf-8", "surrogatepass"))
    digest.update(long.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]


def is_whole(row: Mapping[str, Any]) -> bool:
    """True if the row is as it was written."""
    return bool(_digest(row) == row["digest"])


def to_row(record: Record) -> dict[str, Any]:
    """A record as values of `RECORDS`. Raises `ValueError` where a float is not finite."""
    values = {
        "number": record.number,
        "role": record.role,
        "generation": record.generation,
        "replicate": record.replicate,
        "genotype_id": record.id,
        "genotype": record.genotype.to_json(),
        "origin": record.origin,
        "parents": json.dumps(record.parents),
        "seed": record.seed,
        "status": record.status,
        "name": record.name,
        **outcome_columns(Outcome(record.measurements, record.failure, record.seconds)),
    }
    return digested(values)


def outcome_columns(outcome: Outcome) -> dict[str, str | None]:
    """The columns of a row that an outcome fills."""
    measured, failure = outcome.measurements, outcome.failure
    return {
        "measurements": None if measured is None else measurements.to_json(measured),
        "failure": None if failure is None else json.dumps(asdict(failure)),
        "seconds": json.dumps(outcome.seconds, allow_nan=False),
    }


def from_row(row: Mapping[str, Any]) -> Record:
    """The inverse of `to_row`.

    A run may come from anywhere, and its paths are made of these values. Raises `ValueError`, `KeyError`, `TypeError`
    or `AttributeError` for values of other types or ranges.
    """
    _check_columns(row)
    measured, failure = row["measurements"], row["failure"]
    return Record(
        number=row["number"],
        role=row["role"],
        generation=row["generation"],
        replicate=row["replicate"],
        genotype=Genotype.from_dict(from_json(row["genotype"])),
        origin=row["origin"],
        parents=_parents(from_json(row["parents"])),
        seed=row["seed"],
        status=row["status"],
        measurements=None if measured is None else measurements.from_json(measured),
        failure=None if failure is None else _failure(json.loads(failure)),
        seconds=_seconds(from_json(row["seconds"])),
        name=row["name"],
    )


def _check_columns(row: Mapping[str, Any]) -> None:
    for name, smallest in _SMALLEST.items():
        if type(row[name]) is not int or row[name] < smallest:
            raise ValueError(f"{name}: expected a whole number from {smallest} on, got {row[name]!r}")
    for name, words in _WORDS.items():
        if row[name] not in words:
            raise ValueError(f"{name}: expected one of {', '.join(words)}, got {row[name]!r}")
    for name in _TEXTS:
        if not isinstance(row[name], str):
            raise ValueError(f"{name}: expected a text, got {row[name]!r}")


def _parents(data: Any) -> tuple[str, ...]:
    if not isinstance(data, list) or not all(isinstance(parent, str) for parent in data):
        raise ValueError(f"parents: expected a list of ids, got {data!r}")
    return tuple(data)


def _failure(data: Any) -> Failure:
    if not isinstance(data, dict) or not all(isinstance(text, str) for text in data.values()):
        raise ValueError(f"failure: expected kind, stage and message, got {data!r}")
    return Failure(**data)


def _seconds(data: Any) -> dict[str, float]:
    if not isinstance(data, dict) or not all(type(taken) in (int, float) for taken in data.values()):
        raise ValueError(f"seconds: expected a number for each stage, got {data!r}")
    if not all(0 <= taken < math.inf for taken in data.values()):
        raise ValueError(f"seconds: expected times from 0 on, got {data!r}")
    return data


def teacher_to_data(teacher: TeacherFacts) -> dict[str, Any]:
    """A teacher's facts as plain data, in the form of `META` and of `--json`."""
    data: dict[str, Any] = _TEACHER.dump_python(teacher, mode="json")
    return data


def teacher_from_data(data: Any) -> TeacherFacts:
    """The inverse of `teacher_to_data`. Raises `ValueError` on data of another shape."""
    return _TEACHER.validate_python(data)
