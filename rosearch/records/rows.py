"""The tables of a store, with records and facts as their rows."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import sqlalchemy as sql
from pydantic import TypeAdapter

from rosearch import measurements
from rosearch.measurements import TeacherFacts
from rosearch.records.record import Failure, Outcome, Record
from rosearch.space.genotype import Genotype

FORMAT = 1  # the number of the layout below; a file with a higher one is of a newer rosearch

TABLES = sql.MetaData()
META = sql.Table(
    "meta",
    TABLES,
    sql.Column("key", sql.Text, primary_key=True),
    sql.Column("value", sql.Text, nullable=False),  # JSON
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
    sql.UniqueConstraint("role", "genotype_id", "replicate"),
    sql.CheckConstraint("status IN ('pending', 'running', 'done', 'failed')", "known_status"),
    sql.CheckConstraint("(status = 'done') = (measurements IS NOT NULL)", "done_is_measured"),
    sql.CheckConstraint("(status = 'failed') = (failure IS NOT NULL)", "failed_has_a_reason"),
)


_TEACHER: TypeAdapter[TeacherFacts] = TypeAdapter(TeacherFacts)


def to_row(record: Record) -> dict[str, Any]:
    """A record as values of `RECORDS`. Raises `ValueError` where a float is not finite."""
    return {
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


def outcome_columns(outcome: Outcome) -> dict[str, str | None]:
    """The columns of a row that an outcome fills."""
    measured, failure = outcome.measurements, outcome.failure
    return {
        "measurements": None if measured is None else measurements.to_json(measured),
        "failure": None if failure is None else json.dumps(asdict(failure)),
        "seconds": json.dumps(outcome.seconds, allow_nan=False),
    }


def from_row(row: sql.RowMapping) -> Record:
    """The inverse of `to_row`. Raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` on another shape."""
    measured, failure = row["measurements"], row["failure"]
    return Record(
        number=row["number"],
        role=row["role"],
        generation=row["generation"],
        replicate=row["replicate"],
        genotype=Genotype.from_json(row["genotype"]),
        origin=row["origin"],
        parents=tuple(json.loads(row["parents"])),
        seed=row["seed"],
        status=row["status"],
        measurements=None if measured is None else measurements.from_json(measured),
        failure=None if failure is None else Failure(**json.loads(failure)),
        seconds=json.loads(row["seconds"]),
        name=row["name"],
    )


def teacher_to_data(teacher: TeacherFacts) -> dict[str, Any]:
    """A teacher's facts as plain data, in the form of `META` and of `--json`."""
    data: dict[str, Any] = _TEACHER.dump_python(teacher, mode="json")
    return data


def teacher_from_data(data: Any) -> TeacherFacts:
    """The inverse of `teacher_to_data`. Raises `ValueError` on data of another shape."""
    return _TEACHER.validate_python(data)
