from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from records.sample_records import measured, pending

from rosearch.errors import RunError
from rosearch.measurements import Rung
from rosearch.records.record import Outcome
from rosearch.records.store import Store
from rosearch.records.waiting import WAITING, read_waiting, rungs_passed, waiting_fact

RUNG = Rung(0.2, 10, None, 0.6, 0.9, 0.7, 0)


def at_rung() -> Outcome:
    outcome = measured()
    assert outcome.measurements is not None
    return replace(outcome, measurements=replace(outcome.measurements, rungs=(RUNG,)))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store.create(tmp_path / "records.sqlite")
    made.propose([pending(1), pending(2)])
    return made


def test_nobody_waits_in_a_run_without_rungs(store: Store) -> None:
    assert read_waiting(store) == {}


def test_a_candidate_waits_with_its_outcome_and_is_pending_again(store: Store) -> None:
    first = store.record(1)
    store.start(1)
    store.rest(1, waiting_fact({first.id: at_rung()}))
    assert store.record(1).status == "pending" and store.record(1).measurements is None
    assert read_waiting(store) == {first.id: at_rung()}
    assert rungs_passed(read_waiting(store)) == {first.id: 1}


def test_one_that_is_over_does_not_wait(store: Store) -> None:
    store.finish(1, measured())
    with pytest.raises(RunError, match=r"expected record 1 to be pending or running, got done"):
        store.rest(1, waiting_fact({}))


@pytest.mark.parametrize("data", [[1], {"0123": 1}, {"0123": {"measurements": "{}", "seconds": {}}}, "no"])
def test_a_fact_of_another_shape_is_one_line(store: Store, data: object) -> None:
    store.set_meta(WAITING, data)
    with pytest.raises(RunError, match="the fact 'rungs' cannot be read") as told:
        read_waiting(store)
    assert "\n" not in str(told.value)
