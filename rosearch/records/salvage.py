"""The rest of a damaged store, and a whole one made of it.

>>> left = read_left(store)
>>> plan = plan_of(left, lambda record: derive_seed(seed, record.role, record.id, record.replicate))
>>> write_whole_store(plan, store)  # the caller has put a copy of the damaged one aside

Records that are as they were written are taken over. Of one that is not, the architecture is proven by its id and the
seed, and its place by its neighbours: it is made pending, and runs again to the same measurements. Where a record
cannot be read, or proves nothing, the run is cut back to the generation before it, from which it goes on as it did.

The tables are read as they lie there, each row alone: a store cannot be opened whose pages are damaged.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from rosearch import measurements
from rosearch.errors import RunError, one_line
from rosearch.files import whole
from rosearch.records.record import Failure, Record, Role, Status
from rosearch.records.rows import CONTENTS
from rosearch.records.store import Store
from rosearch.records.whole_rows import UNREADABLE
from rosearch.space.genotype import Genotype

# Facts that a resumed search, or whoever writes the store anew, makes again as they were.
MADE_AGAIN = (
    *("format", CONTENTS, "finished", "teacher", "teacher_on_test", "materials", "budget", "rungs"),
    *("experiment", "search_space", "versions", "run"),
)
_ORDER = "order "  # begins the facts that tell the order of outcomes of a steady search
_GAP = 100  # numbers in a row without a record: then there are no more
_LAYOUTS = (("records",), ("states", "proposals", "outcomes"))  # tables of records, by formats: up to 2, since 3
_AGAIN = {"status": "pending", "measurements": None, "failure": None, "seconds": "{}", "fitness": ""}

SeedOf = Callable[[Record], int]
Row = dict[str, Any]


@dataclass(frozen=True)
class Left:
    """Records and facts of a damaged store. `torn` are rows that are not as they were written."""

    whole: dict[int, Record]
    torn: dict[int, Row]
    facts: dict[str, str]  # JSON texts
    lost_facts: tuple[str, ...]
    last: int  # the highest number that there was, as far as that is known


@dataclass(frozen=True)
class Plan:
    """The records and facts of the whole store. `again` run again; from `cut` on (0: nowhere) they are left out."""

    records: Sequence[Record]
    facts: dict[str, Any]
    again: tuple[int, ...]
    cut: int
    lost_facts: tuple[str, ...]


def read_left(store: Path) -> Left:
    """All that can still be read. Raises `RunError` where that is nothing: the file is no database any more."""
    log = store.with_name(f"{store.name}-wal")
    mode = "mode=ro" if log.exists() else "mode=ro&immutable=1"
    with closing(sqlite3.connect(f"{store.resolve().as_uri()}?{mode}", uri=True)) as connection:
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        connection.row_factory = sqlite3.Row
        try:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        except sqlite3.DatabaseError as error:
            raise RunError(f"nothing of it can be read: {one_line(error)}") from error
        layout = next((layout for layout in _LAYOUTS if tables.issuperset(layout)), None)
        if layout is None:
            raise RunError("its tables cannot be found")
        facts = _readable(connection, "SELECT * FROM meta NOT INDEXED")
        kept = {row["key"]: row["value"] for row in facts if _is_whole(row)}
        last, names = _told(kept)
        rows = dict(_numbered(connection, layout, last))
    records = {number: found for number, (row, sound) in rows.items() if sound and (found := _record(row))}
    torn = {number: row for number, (row, _) in rows.items() if number not in records}
    named = {*names, *(row["key"] for row in facts)} | {CONTENTS, "format"}
    return Left(records, torn, kept, tuple(sorted(named - kept.keys())), max([last, *rows]))


def plan_of(left: Left, seed_of: SeedOf) -> Plan:
    """The store that can be made of what is left. Raises `RunError` where a fact is lost that nobody makes again."""
    if lost := [name for name in left.lost_facts if name not in MADE_AGAIN]:
        raise RunError(f"the facts {', '.join(lost)} are lost")
    again = {number: record for number, row in left.torn.items() if (record := _proven(row, left, seed_of))}
    there = {**left.whole, **again}
    first_gap = next((number for number in range(1, left.last + 1) if number not in there), 0)
    cut = _batch_begins(first_gap, there) if first_gap else 0
    kept = [number for number in sorted(there) if not cut or number < cut]
    facts = {key: json.loads(text) for key, text in left.facts.items() if key not in ("format", CONTENTS)}
    run_again = tuple(number for number in kept if number in again)
    if cut or run_again:
        if any(name.startswith(_ORDER) for name in facts):
            raise RunError("the outcomes of a steady search have an order, in which one would be missing")
        facts["finished"] = False
    return Plan([there[number] for number in kept], facts, run_again, cut, left.lost_facts)


def write_whole_store(plan: Plan, path: Path) -> None:
    """A whole store in the place of `path`, in one step; no log of the old one may lie there."""
    with whole(path) as draft, Store.create(draft) as store:
        store.propose(plan.records)
        for key, value in plan.facts.items():
            store.set_meta(key, value)


def _readable(connection: sqlite3.Connection, query: str, *values: int) -> list[Row]:
    """The rows of a query as far as they can be read."""
    found: list[Row] = []
    with suppress(sqlite3.DatabaseError):
        found.extend(dict(row) for row in connection.execute(query, values))
    return found


def _numbered(connection: sqlite3.Connection, layout: Sequence[str], last: int) -> Iterator[tuple[int, Any]]:
    """Each record by its number: its columns, and True if they are as they were written.

    It is looked up alone: a damaged page hides those that lie on it, and no others.
    """
    number = seen = 0
    while number < max(last, seen + _GAP):
        number += 1
        rows = [row for table in layout for row in _readable(connection, _ONE.format(table), number)]
        if rows:
            seen = number
            columns = {name: value for row in rows for name, value in row.items() if name != "digest"}
            yield number, ({**_AGAIN, **columns}, all(map(_is_whole, rows)))


_ONE = "SELECT * FROM {} WHERE number = ?"


def _told(facts: dict[str, str]) -> tuple[int, list[str]]:
    """The number of records, and the names of all facts."""
    try:
        contents = json.loads(facts[CONTENTS])
        return int(contents["records"]), [str(name) for name in contents["facts"]]
    except UNREADABLE:
        return 0, []


def _is_whole(row: Row) -> bool:
    """True where the digest of a row is that of its values; formats differ in how they stand one after the other."""
    if "digest" not in row:
        return True  # of the first format: nobody can tell
    values = {name: value for name, value in row.items() if name != "digest"}
    short = [f"{name} {values[name]}" for name in sorted(values) if name != "measurements"]
    texts = ("\x1f".join(short) + str(row.get("measurements")), "\x1f".join(map(str, values.values())))
    hashes = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32] for text in texts)
    return row["digest"] in hashes


def _record(row: Row) -> Record | None:
    """The record of the columns; None where they hold something else."""
    try:
        if any(type(row[name]) is not int for name in ("number", "generation", "replicate", "seed")):
            return None
        measured, failure = row["measurements"], row["failure"]
        judged = {"judged": row["fitness"]} if "judged" in {one.name for one in fields(Record)} else {}
        found = Record(
            **{name: row[name] for name in _PLAIN},
            **judged,
            genotype=Genotype.from_dict(json.loads(row["genotype"])),
            parents=tuple(json.loads(row["parents"])),
            measurements=None if measured is None else measurements.from_json(measured),
            failure=None if failure is None else Failure(**json.loads(failure)),
            seconds=json.loads(row["seconds"]),
        )
        ends = (found.status == "done", found.status == "failed") == (measured is not None, failure is not None)
        words = found.role in get_args(Role) and found.status in get_args(Status)
        return found if ends and words and found.genotype.id == row["genotype_id"] else None
    except UNREADABLE:
        return None


_PLAIN = ("number", "role", "generation", "replicate", "origin", "seed", "status", "name")


def _proven(row: Row, left: Left, seed_of: SeedOf) -> Record | None:
    """A torn record as pending; None where more than its outcome is in doubt.

    Id and seed prove the architecture, a neighbour the place, other records the words and the parents. Where that is
    too strict, the run is cut back further than it had to be, and trains a few students again.
    """
    record = _record({**row, **_AGAIN})
    if record is None or record.seed != seed_of(record):
        return None
    beside = (left.whole.get(record.number + step) for step in (-1, 1))
    placed = any(one and (one.role, one.generation) == (record.role, record.generation) for one in beside)
    words = {(one.role, one.origin, one.name) for one in left.whole.values()}
    ids = {one.genotype.id for one in left.whole.values()}
    known = (record.role, record.origin, record.name) in words and ids.issuperset(record.parents)
    return record if placed and known else None


def _batch_begins(gap: int, there: dict[int, Record]) -> int:
    """The first number of the batch that the last record before a gap belongs to: proposals are made in batches."""
    number = gap
    while number > 1 and _batch(there[number - 1]) == _batch(there[gap - 1]):
        number -= 1
    return number


def _batch(record: Record) -> tuple[str, int]:
    return record.role, record.generation
