from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from records.sample_records import measured, pending

from rosearch.errors import RunError
from rosearch.records import order as ordering
from rosearch.records.order import order_fact, read_order
from rosearch.records.store import Store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(ordering, "_EACH", 3)
    with Store.create(tmp_path / "records.sqlite") as store:
        store.propose([pending(number) for number in range(1, 9)])
        yield store


def finish(store: Store, *numbers: int) -> list[int]:
    order: list[int] = []
    for number in numbers:
        order.append(number)
        store.finish(number, measured(), facts=order_fact(order))
    return order


@pytest.mark.parametrize("numbers", [(), (5,), (5, 2, 8), (5, 2, 8, 1, 3, 4, 6)])
def test_the_order_is_read_as_it_was_written_however_many_facts_it_takes(store: Store, numbers: tuple[int, ...]):
    assert finish(store, *numbers) == read_order(store, store.records()) == [*numbers]


def test_the_order_and_the_outcome_are_written_in_one_step(store: Store):
    finish(store, 5)
    with pytest.raises(RunError, match="record 5 to be pending or running"):
        store.finish(5, measured(), facts=order_fact([5, 5]))
    assert read_order(store, store.records()) == [5]


@pytest.mark.parametrize("order", [[5, 5], [5], [5, 2, 8], "5, 2", [5, "2"], None])
def test_an_order_that_is_not_that_of_the_records_is_one_clear_line(store: Store, order: object):
    finish(store, 5, 2)
    store.set_meta("order 0", order)
    with pytest.raises(RunError, match=r"order 0|2 candidates are over, their order has"):
        read_order(store, store.records())


def test_an_empty_order_has_no_fact():
    with pytest.raises(ValueError, match="one number at least"):
        order_fact([])
