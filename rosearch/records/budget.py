"""The time that a search has worked, over all its starts, and whether its budget has ended it; a fact of its run.

>>> with Store.open(run.store, read_only=True) as store:
...     read_budget(store).stopped
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

from rosearch.records.store import Store
from rosearch.records.whole_rows import unreadable

Stop = Literal["", "hours", "patience"]  # keys of `evolution`
_KEY = "budget"


@dataclass(frozen=True)
class Budget:
    """The time that a search has spent on data, teacher and candidates, and its end before the last candidate.

    `stopped` is the key of `evolution` that ended it, such as `hours`; "" where none did. `hours` are those that a
    resume has allowed in place of `evolution.hours`.
    """

    worked_seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    hours: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    stopped: Stop = ""

    @property
    def worked_hours(self) -> float:
        """The time that was spent, in hours."""
        return self.worked_seconds / 3600


def read_budget(store: Store) -> Budget:
    """The budget that a run has noted; nothing is spent where it has noted none. Raises `RunError` for other data."""
    data = store.get_meta(_KEY)
    try:
        return Budget() if data is None else _ADAPTER.validate_python(data)
    except ValueError as error:
        raise unreadable(store.path, _KEY, error) from error


def note_budget(store: Store, budget: Budget) -> None:
    """Stores it in place of the one before."""
    store.set_meta(_KEY, asdict(budget))


_ADAPTER: TypeAdapter[Budget] = TypeAdapter(Budget)
