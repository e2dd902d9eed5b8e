from __future__ import annotations

from functools import partial
from itertools import count

from rosearch.models.timing import FEWEST, MOST, pass_times, quartiles, times_within


def test_warm_passes_run_and_are_not_counted() -> None:
    ran: list[int] = []
    ticks = count()
    assert pass_times(lambda: ran.append(1), warmup=2, repeats=3, clock=lambda: next(ticks)) == [1000.0] * 3
    assert len(ran) == 5


def test_as_many_passes_as_fit_into_the_time_within_bounds() -> None:
    for step, seconds, expected in ((0.5, 4.0, 8), (0.5, 0.1, FEWEST), (1e-9, 10.0, MOST)):
        tick = partial(next, count(0, step))
        assert len(times_within(lambda: None, seconds, tick)) == expected


def test_quartiles_are_in_order() -> None:
    assert quartiles([4.0, 1.0, 3.0, 2.0, 5.0]) == (2.0, 3.0, 4.0)
