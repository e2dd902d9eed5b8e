from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from records import sample_records as samples

from rosearch.errors import RunError
from rosearch.records.record import Record
from rosearch.records.salvage import plan_of, read_left, write_whole_store
from rosearch.records.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three generations of four, of which the first two are measured."""
    path = tmp_path / "records.sqlite"
    with Store.create(path) as store:
        for generation in range(3):
            store.propose(samples.generation_of(generation))
        for number in range(1, 9):
            store.finish(number, samples.measured(number / 10))
        store.set_meta("versions", {"rosearch": "1"})
    return path


def number_is_seed(record: Record) -> int:
    return record.number


def change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


def written(path: Path) -> list[Record]:
    plan = plan_of(read_left(path), number_is_seed)
    write_whole_store(plan, path)
    with Store.open(path) as store:
        store.check()
        return store.records()


def test_a_whole_store_is_written_as_it_was(store: Path) -> None:
    with Store.open(store, read_only=True) as before:
        records = before.records()
    assert written(store) == records
    with Store.open(store, read_only=True) as after:
        assert after.get_meta("versions") == {"rosearch": "1"} and after.records() == records


def test_a_row_whose_outcome_is_torn_is_pending_again(store: Path) -> None:
    change(store, "UPDATE records SET measurements = 'torn' WHERE number = 6")
    statuses = [record.status for record in written(store)]
    assert statuses == ["done"] * 5 + ["pending"] + ["done"] * 2 + ["pending"] * 4


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE records SET seed = 9 WHERE number = 6",
        "UPDATE records SET genotype_id = '0123456789abcdef' WHERE number = 6",
        "UPDATE records SET generation = 2 WHERE number = 6",
        "UPDATE records SET origin = 'a sample' WHERE number = 6",
        "UPDATE records SET parents = '[\"0123456789abcdef\"]' WHERE number = 6",
        "UPDATE records SET name = 'mine' WHERE number = 6",
        "UPDATE records SET genotype = x'ff00' WHERE number = 6",
        "DELETE FROM records WHERE number = 6",
    ],
)
def test_a_row_that_proves_nothing_cuts_the_run_back_to_the_generation_before(statement: str, store: Path) -> None:
    change(store, statement)
    plan = plan_of(read_left(store), number_is_seed)
    assert (plan.cut, plan.again) == (5, ())
    assert [record.number for record in written(store)] == [1, 2, 3, 4]


def test_a_cut_takes_back_that_the_run_is_finished(store: Path) -> None:
    with Store.open(store) as opened:
        opened.set_finished()
    change(store, "DELETE FROM records WHERE number = 12")
    written(store)
    with Store.open(store, read_only=True) as after:
        assert not after.finished()


def test_a_fact_that_nobody_makes_again_is_told(store: Path) -> None:
    with Store.open(store) as opened:
        opened.set_meta("warm_start", {})
    change(store, "DELETE FROM meta WHERE key = 'warm_start'")
    with pytest.raises(RunError, match="the facts warm_start are lost"):
        plan_of(read_left(store), number_is_seed)


def test_the_rows_of_a_page_that_is_gone_are_left_out_and_no_others(store: Path) -> None:
    content = bytearray(store.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    with Store.open(store, read_only=True) as opened:
        last = opened.record(12).genotype.to_json().encode()
    page = content.index(last) // size
    content[page * size : (page + 1) * size] = bytes(size)
    store.write_bytes(content)
    left = read_left(store)
    assert 0 < len(left.rows) < 12 and left.last == 12
    numbers = [record.number for record in written(store)]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) % 4 == 0


def test_nothing_is_left_of_what_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "records.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(RunError, match="nothing of it can be read"):
        read_left(tmp_path / "records.sqlite")
