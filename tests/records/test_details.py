from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from records import sample_records as samples

from rosearch.errors import RunError
from rosearch.records.record import Record
from rosearch.records.rows import OUTCOMES, PROPOSALS
from rosearch.records.store import Store
from rosearch.records.whole_rows import WholeRows

COUNT = 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Store.create(tmp_path / "records.sqlite") as store:
        store.propose(samples.generation_of(0, COUNT))
        for number in range(1, COUNT):
            store.finish(number, samples.measured(number / 100) if number % 3 else samples.FAILED)
    return tmp_path / "records.sqlite"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables that long rows were read from, a name for each time."""
    found: list[str] = []
    honest: Callable[..., dict[int, tuple[object, ...]]] = WholeRows.written_once

    def told(self: WholeRows, connection: object, table: object, first: int, last: int) -> object:
        found.append(str(table))
        return honest(self, connection, table, first, last)

    monkeypatch.setattr(WholeRows, "written_once", told)
    return found


def records_of(path: Path) -> list[Record]:
    with Store.open(path, read_only=True) as store:
        return store.records()


def change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


def test_what_is_long_is_read_where_it_is_first_asked_for_and_once(path: Path, read: list[str]) -> None:
    records = records_of(path)
    assert [(one.number, one.id[:1] != "", one.label, one.status)[0] for one in records] == list(range(1, COUNT + 1))
    assert all((one.failure is None) == (one.status != "failed") for one in records if one.status != "failed")
    assert read == []
    chosen = records[18]
    for _ in range(2):
        assert chosen.measurements == samples.measured(0.19).measurements
        assert (chosen.origin, chosen.genotype, chosen.seed) == ("sample", samples.chain(19), 19)
    assert read == ["outcomes", "proposals"]


def test_nothing_is_read_for_what_a_record_does_not_have(path: Path, read: list[str]) -> None:
    for record in records_of(path):
        if record.status != "done":
            assert record.measurements is None
        if record.status != "failed":
            assert record.failure is None
    assert read == []


def test_whoever_goes_through_all_records_reads_many_at_a_time(path: Path, read: list[str]) -> None:
    found = [record.measurements for record in records_of(path) if record.status == "done"]
    assert [one.quality.value for one in found if one] == [n / 100 for n in range(1, COUNT) if n % 3]
    assert len(read) <= 2


def test_a_record_that_forgets_reads_again(path: Path, read: list[str]) -> None:
    record = records_of(path)[1]
    assert record.measurements is not None
    bare = record.bare()
    assert vars(bare).keys().isdisjoint({"measurements", "genotype"})
    assert bare == record
    assert read.count("outcomes") == 2


@pytest.mark.parametrize("table", [PROPOSALS, OUTCOMES])
@pytest.mark.parametrize(
    ("changed", "words"),
    [("UPDATE {} SET digest = ''", "is not as it was"), ("DELETE FROM {}", "(is lost|do not fit)")],
)
def test_damage_is_noticed_by_who_reads_it_and_who_writes_on(
    path: Path, table: object, changed: str, words: str
) -> None:
    change(path, f"{changed.format(table)} WHERE number = 20")
    records = records_of(path)
    for number in (4, 5):
        assert records[number - 1].genotype == samples.chain(number)
        assert records[number - 1].measurements == samples.measured(number / 100).measurements
    with pytest.raises(RunError, match=f"damaged: record 20 .*{words}"):
        _ = records[19].genotype, records[19].measurements
    with pytest.raises(RunError, match=f"damaged: record 20 .*{words}"), Store.open(path):
        pass
