from __future__ import annotations

from pathlib import Path

import pytest
from records import sample_records as samples
from torn_records import lose, tear, tear_fact

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
    tear(store, 6, "measurements", "'torn'")
    statuses = [record.status for record in written(store)]
    assert statuses == ["done"] * 5 + ["pending"] + ["done"] * 2 + ["pending"] * 4


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("seed", "9"),
        ("genotype_id", "'0123456789abcdef'"),
        ("generation", "2"),
        ("origin", "'a sample'"),
        ("parents", "'[\"0123456789abcdef\"]'"),
        ("name", "'mine'"),
        ("genotype", "x'ff00'"),
        ("", ""),
    ],
)
def test_a_row_that_proves_nothing_cuts_the_run_back_to_the_generation_before(
    column: str, value: str, store: Path
) -> None:
    if column:
        tear(store, 6, column, value)
    else:
        lose(store, 6)
    plan = plan_of(read_left(store), number_is_seed)
    assert (plan.cut, plan.again) == (5, ())
    assert [record.number for record in written(store)] == [1, 2, 3, 4]


def test_the_outcomes_of_a_steady_search_are_not_mended_since_their_order_counts(store: Path) -> None:
    with Store.open(store) as opened:
        opened.set_meta("order 0", [2, 1])
    assert len(written(store)) == 12
    lose(store, 12)
    with pytest.raises(RunError, match="steady search have an order"):
        plan_of(read_left(store), number_is_seed)


def test_a_cut_takes_back_that_the_run_is_finished(store: Path) -> None:
    with Store.open(store) as opened:
        opened.set_finished()
    lose(store, 12)
    written(store)
    with Store.open(store, read_only=True) as after:
        assert not after.finished()


def test_a_fact_that_nobody_makes_again_is_told(store: Path) -> None:
    with Store.open(store) as opened:
        opened.set_meta("warm_start", {})
    tear_fact(store, "warm_start", None)
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
    assert 0 < len(left.whole) < 12 and left.last == 12
    numbers = [record.number for record in written(store)]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) % 4 == 0


def test_nothing_is_left_of_what_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "records.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(RunError, match="nothing of it can be read"):
        read_left(tmp_path / "records.sqlite")
