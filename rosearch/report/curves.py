"""How good a search was by when: its best fitness, and the hypervolume of its front, over candidates and over work.

Hypervolumes are those of the three terms of fitness, each from 0 to 1, above 0: 1 is a student that is perfect and
free. Several runs are drawn together, so that a search can be held against random search at equal cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import numpy as np

from rosearch.evolution.front import undominated
from rosearch.evolution.hypervolume import Free
from rosearch.report.chart import SERIES, Axis, Chart, Line
from rosearch.report.data import COUNT, GROUPED, THOUSANDTHS, Unit
from rosearch.report.points import Shown

Cost = Literal["candidates", "work"]
Gain = Literal["best", "volume"]

_AXES: dict[Cost, Axis] = {
    "candidates": Axis("candidates that are over", GROUPED),
    "work": Axis("minutes of workers", Unit(decimals=1, style=",")),
}
_GAINS: dict[Gain, tuple[str, Axis]] = {
    "best": ("Best fitness so far", Axis("fitness", THOUSANDTHS)),
    "volume": ("Hypervolume of the front so far", Axis("hypervolume", THOUSANDTHS)),
}


@dataclass(frozen=True)
class Curve:
    """One run after each of its candidates that is over. Before the first that passed the gates, `best` is None."""

    name: str
    work: Sequence[float]  # minutes of workers, summed
    best: Sequence[float | None]
    volume: Sequence[float]

    def at(self, cost: Cost, end: float, gain: Gain) -> float | None:
        """The value when so much was spent; None where nothing was good by then."""
        spent = self.work if cost == "work" else range(1, len(self.work) + 1)
        places = [place for place, one in enumerate(spent) if one <= end * (1 + 1e-9)]
        return None if not places else (self.best if gain == "best" else self.volume)[places[-1]]


def curve(shown: Shown, name: str) -> Curve:
    """The course of one run, in the order of its proposals."""
    over = [record for record in shown.results.of("candidate") if record.status in ("done", "failed")]
    work = list(accumulate(sum(record.seconds.values()) / 60 for record in over))
    best: list[float | None] = []
    volumes: list[float] = []
    front: list[tuple[float, float, float]] = []
    free, volume, top = Free([]), 0.0, None
    for record in over:
        point = shown.by_number.get(record.number)
        if point is not None and point.eligible:
            top = point.scalar if top is None else max(top, point.scalar)
            gain = float(free.gains(np.array(point.terms)))
            if gain > 0:
                front, volume = undominated([*front, point.terms]), volume + gain
                free = Free(front)
        best.append(top)
        volumes.append(volume)
    return Curve(name, work, best, volumes)


def curve_charts(curves: Sequence[Curve]) -> tuple[Chart, ...]:
    """Best fitness and hypervolume, each over candidates and over work; none where no candidate is over."""
    charts = (_chart(curves, gain, cost) for gain in _GAINS for cost in _AXES)
    return tuple(chart for chart in charts if not chart.empty)


def _chart(curves: Sequence[Curve], gain: Gain, cost: Cost) -> Chart:
    title, y = _GAINS[gain]
    lines = []
    for place, one in enumerate(curves):
        values = one.best if gain == "best" else one.volume
        spent = one.work if cost == "work" else range(1, len(values) + 1)
        points = tuple((float(x), value) for x, value in zip(spent, values, strict=True) if value is not None)
        lines.append(Line(one.name if len(curves) > 1 else "", SERIES[place % len(SERIES)], _corners(points), True))
    told = "; ".join(_in_words(one, gain) for one in curves)
    return Chart(f"{gain}-{cost}", f"{title}, by {cost}", f"{told}.", _AXES[cost], y, tuple(lines))


def _corners(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """The points at which a staircase turns, and its last."""
    turns = [point for before, point in zip((None, *points), points) if before is None or before[1] != point[1]]
    return (*turns, points[-1]) if points and turns[-1] != points[-1] else tuple(turns)


def _in_words(one: Curve, gain: Gain) -> str:
    values = [value for value in (one.best if gain == "best" else one.volume) if value is not None]
    if not values:
        return f"{one.name}: no candidate has passed the gates"
    reached = next(place for place, value in enumerate(values) if value == values[-1]) + len(one.work) - len(values) + 1
    of = f"{COUNT.text(len(one.work))} candidates"
    return f"{one.name}: {values[-1]:.3f} after {of}, reached with candidate {reached}"
