"""The candidates of a generation that were measured at a rung and wait for the others; a fact of their run.

>>> waiting = read_waiting(store)
>>> waiting[record.id] = outcome  # as if its training had ended there
>>> store.rest(record.number, waiting_fact(waiting))

They stand by the id of their architecture. All of a generation stay until it is over, since each rung compares all that
came to it, those that failed later too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rosearch import measurements
from rosearch.records.record import Outcome
from rosearch.records.store import Store
from rosearch.records.whole_rows import UNREADABLE, unreadable

WAITING = "rungs"  # the key of the fact


def waiting_fact(waiting: Mapping[str, Outcome]) -> dict[str, Any]:
    """The fact by its key. Raises `ValueError` where a measurement is not finite."""
    return {WAITING: {identity: _to_data(outcome) for identity, outcome in waiting.items()}}


def read_waiting(store: Store) -> dict[str, Outcome]:
    """The outcome of each that was measured at a rung, at its last. Raises `RunError` where the fact is damaged."""
    data = store.get_meta(WAITING)
    try:
        return {} if data is None else {identity: _from_data(one) for identity, one in data.items()}
    except UNREADABLE as error:
        raise unreadable(store.path, WAITING, error) from error


def rungs_passed(waiting: Mapping[str, Outcome]) -> dict[str, int]:
    """The number of rungs at which each was measured."""
    return {identity: len(one.measurements.rungs) for identity, one in waiting.items() if one.measurements is not None}


def _to_data(outcome: Outcome) -> dict[str, Any]:
    assert outcome.measurements is not None  # what failed at a rung is over
    return {"measurements": measurements.to_json(outcome.measurements), "seconds": outcome.seconds}


def _from_data(data: dict[str, Any]) -> Outcome:
    seconds = {str(stage): float(taken) for stage, taken in data["seconds"].items()}
    return Outcome(measurements.from_json(data["measurements"]), None, seconds)
