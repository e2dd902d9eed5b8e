"""The order in which the candidates of a steady search were over: what was asked for later follows from it.

>>> order = read_order(store, store.records("candidate"))
>>> order.append(number)
>>> store.finish(number, outcome, facts=order_fact(order))

The numbers are facts of the run, a thousand in each, written in one transaction with each outcome.
"""

from __future__ import annotations

from collections.abc import Sequence

from rosearch.records.record import Record
from rosearch.records.sqlite import damaged
from rosearch.records.store import Store
from rosearch.records.whole_rows import unreadable

_EACH = 1000  # numbers of a fact, which is written again with each


def order_fact(order: Sequence[int]) -> dict[str, list[int]]:
    """The fact that the last number of the order has changed, by its key. Raises `ValueError` for an empty order."""
    if not order:
        raise ValueError("expected an order of one number at least, got none")
    part = (len(order) - 1) // _EACH
    return {_key(part): list(order[part * _EACH :])}


def read_order(store: Store, candidates: Sequence[Record]) -> list[int]:
    """The numbers of the candidates that are over, in their order.

    Raises `RunError` where they are not those of the records, each once.
    """
    over = {record.number for record in candidates if record.status in ("done", "failed")}
    found: list[int] = []
    for part in range(-(-len(over) // _EACH)):
        numbers = store.get_meta(_key(part))
        if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
            raise unreadable(store.path, _key(part), f"expected numbers of records, got {numbers!r:.60}")
        found += numbers
    if len(found) != len(over) or set(found) != over:
        raise damaged(store.path, f"{len(over)} candidates are over, their order has {len(found)}")
    return found


def _key(part: int) -> str:
    return f"order {part}"
