"""The rest of a damaged store, and a whole one made of it.

>>> left = read_left(store)
>>> plan = plan_of(left, lambda record: derive_seed(seed, record.role, record.id, record.replicate))
>>> write_whole_store(plan, store)  # the caller has put a copy of the damaged one aside

Rows that are as they were written are taken over. Of a row that is not, the architecture is proven by its id and the
seed, and its place by its neighbours: it is made pending, and runs again to the same measurements. Where a row cannot
be read, or proves nothing, the run is cut back to the generation before it, from which it goes on as it did.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from rosearch.errors import RunError, one_line
from rosearch.files import whole
from rosearch.records.record import Record
from rosearch.records.rows import CONTENTS, FORMAT, META, RECORDS, TABLES, digested, from_row, is_whole
from rosearch.records.sqlite import transaction, writing_engine
from rosearch.records.whole_rows import UNREADABLE, Row

# Facts that a resumed search, or whoever writes the store anew, makes again as they were.
MADE_AGAIN = (
    *("format", CONTENTS, "finished", "teacher", "teacher_on_test", "materials", "budget"),
    *("experiment", "search_space", "versions", "run"),
)
_GAP = 100  # numbers in a row without a record: then there are no more
_AGAIN = {"status": "pending", "measurements": None, "failure": None, "seconds": "{}"}

SeedOf = Callable[[Record], int]


@dataclass(frozen=True)
class Left:
    """Rows and facts of a damaged store. `torn` are rows that are not as they were written."""

    rows: dict[int, Row]
    torn: dict[int, Row]
    facts: dict[str, str]  # JSON texts
    lost_facts: tuple[str, ...]
    last: int  # the highest number that there was, as far as that is known


@dataclass(frozen=True)
class Plan:
    """The rows and facts of the whole store. `again` run again; from `cut` on (0: nowhere) records are left out."""

    rows: Sequence[Row]
    facts: dict[str, str]
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
            connection.execute("SELECT number FROM records LIMIT 0")
            facts = _readable(connection, "SELECT * FROM meta NOT INDEXED")
        except sqlite3.DatabaseError as error:
            raise RunError(f"{store}: nothing of it can be read: {one_line(error)}") from error
        kept = {row["key"]: row["value"] for row in facts if _is_whole(row)}
        told = _told(kept)
        rows = dict(_numbered(connection, told[0]))
    good = {number: row for number, row in rows.items() if _is_whole(row)}
    torn = {number: row for number, row in rows.items() if number not in good}
    named = {*told[1], *(row["key"] for row in facts)} | {CONTENTS, "format"}
    return Left(good, torn, kept, tuple(sorted(named - kept.keys())), max([told[0], *rows]))


def plan_of(left: Left, seed_of: SeedOf) -> Plan:
    """The store that can be made of what is left. Raises `RunError` where a fact is lost that nobody makes again."""
    if lost := [name for name in left.lost_facts if name not in MADE_AGAIN]:
        raise RunError(f"the facts {', '.join(lost)} are lost")
    again = {number: row for number, row in left.torn.items() if _is_proven(row, left, seed_of)}
    there = {**left.rows, **again}
    first_gap = next((number for number in range(1, left.last + 1) if number not in there), 0)
    cut = _batch_begins(first_gap, there) if first_gap else 0
    rows = [there[number] for number in sorted(there) if not cut or number < cut]
    facts = {key: text for key, text in left.facts.items() if key not in ("format", CONTENTS)}
    run_again = tuple(sorted(number for number in again if not cut or number < cut))
    if cut or run_again:
        facts["finished"] = "false"
    rows = [{**row, **_AGAIN} if row["number"] in run_again else row for row in rows]
    return Plan(rows, facts, run_again, cut, left.lost_facts)


def write_whole_store(plan: Plan, path: Path) -> None:
    """A whole store in the place of `path`, in one step; no log of the old one may lie there."""
    with whole(path) as draft:
        engine = writing_engine(draft, "mode=rwc", "PRAGMA journal_mode=WAL")
        try:
            with transaction(engine, draft) as connection:
                TABLES.create_all(connection)
                facts = {**plan.facts, "format": json.dumps(FORMAT)}
                facts[CONTENTS] = json.dumps({"records": len(plan.rows), "facts": sorted(facts)})
                connection.execute(META.insert(), [digested({"key": k, "value": v}) for k, v in facts.items()])
                if plan.rows:
                    connection.execute(RECORDS.insert(), [_rewritten(row) for row in plan.rows])
        finally:
            engine.dispose()


def _rewritten(row: Row) -> Row:
    return digested({name: value for name, value in row.items() if name != "digest"})


def _readable(connection: sqlite3.Connection, query: str, *values: int) -> list[Row]:
    """The rows of a query as far as they can be read."""
    found: list[Row] = []
    with suppress(sqlite3.DatabaseError):
        found.extend(dict(row) for row in connection.execute(query, values))
    return found


def _numbered(connection: sqlite3.Connection, last: int) -> Iterator[tuple[int, Row]]:
    """Each record by its number, looked up alone: a damaged page hides those that lie on it, and no others."""
    number = seen = 0
    while number < max(last, seen + _GAP):
        number += 1
        for row in _readable(connection, "SELECT * FROM records WHERE number = ?", number):
            seen = number
            yield number, row


def _told(facts: dict[str, str]) -> tuple[int, list[str]]:
    try:
        contents = json.loads(facts[CONTENTS])
        return int(contents["records"]), [str(name) for name in contents["facts"]]
    except UNREADABLE:
        return 0, []


def _is_whole(row: Row) -> bool:
    if "digest" in row:
        return is_whole(row)
    return "number" not in row or _read(row) is not None  # of an older store, which carries no digests


def _is_proven(row: Row, left: Left, seed_of: SeedOf) -> bool:
    """True where nothing but the outcome of a torn row is in doubt.

    Id and seed prove the architecture, a neighbour the place, other records the words and the parents. Where that is
    too strict, the run is cut back further than it had to be, and trains a few students again.
    """
    record = _read({**row, **_AGAIN})
    if record is None or record.id != row["genotype_id"] or record.seed != seed_of(record):
        return False
    beside = (left.rows.get(record.number + step) for step in (-1, 1))
    placed = any(one and (one["role"], one["generation"]) == (record.role, record.generation) for one in beside)
    words = {(one["role"], one["origin"], one["name"]) for one in left.rows.values()}
    ids = {one["genotype_id"] for one in left.rows.values()}
    return placed and (record.role, record.origin, record.name) in words and ids.issuperset(record.parents)


def _read(row: Row) -> Record | None:
    try:
        return from_row(row)
    except UNREADABLE:
        return None


def _batch_begins(gap: int, there: dict[int, Row]) -> int:
    """The first number of the batch that the last record before a gap belongs to: proposals are made in batches."""
    number = gap
    while number > 1 and all(there[number - 1][key] == there[gap - 1][key] for key in ("role", "generation")):
        number -= 1
    return number
