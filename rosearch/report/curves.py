"""How good a search was by when: its best fitness, and the hypervolume of its front, over candidates and over work.

Hypervolumes are those of the three terms of fitness, each from 0 to 1, above 0: 1 is a student that is perfect and
free. Several runs are drawn together, so that a search can be held against random search at equal cost.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

import numpy as np

from rosearch.evolution.front import undominated
from rosearch.evolution.hypervolume import Free
from rosearch.report.chart import SERIES, Axis, Chart, Line, Tone
from rosearch.report.data import COUNT, GROUPED, THOUSANDTHS, Unit
from rosearch.report.points import Shown

Cost = Literal["candidates", "work", "effort", "hours"]
Gain = Literal["best", "volume"]

_AXES: dict[Cost, Axis] = {
    "candidates": Axis("candidates that are over", GROUPED),
    "work": Axis("minutes of workers", Unit(decimals=1, style=",")),
    "effort": Axis("training steps and queries of attacks", GROUPED),
    "hours": Axis("hours of workers", Unit(decimals=4, style=",")),
}
_TITLES: dict[Cost, str] = {"effort": "steps and queries"}
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
    effort: Sequence[float] = ()  # training steps and queries of attacks, summed; failed candidates count as none

    def spent(self, cost: Cost) -> Sequence[float]:
        """The cost after each candidate."""
        if cost == "candidates":
            return range(1, len(self.work) + 1)
        if cost == "hours":
            return [one / 60 for one in self.work]
        return self.effort if cost == "effort" else self.work

    def at(self, cost: Cost, end: float, gain: Gain) -> float | None:
        """The value when so much was spent; None where nothing was good by then."""
        place = bisect_right(self.spent(cost), end * (1 + 1e-9))
        return (self.best if gain == "best" else self.volume)[place - 1] if place else None

    def mean(self, cost: Cost, end: float, gain: Gain) -> float:
        """The mean height of the whole course up to a cost; what has no value yet counts as 0."""
        spent = [0.0, *(min(float(one), end) for one in self.spent(cost)), end]
        values = [0.0, *((one or 0.0) for one in (self.best if gain == "best" else self.volume))]
        steps = zip(values, pairwise(spent), strict=True)
        return sum(value * (after - before) for value, (before, after) in steps) / end if end else 0.0


def curve(shown: Shown, name: str) -> Curve:
    """The course of one run, in the order of its proposals."""
    over = [record for record in shown.results.of("candidate") if record.status in ("done", "failed")]
    work = list(accumulate(sum(record.seconds.values()) / 60 for record in over))
    points = [shown.by_number.get(record.number) for record in over]
    effort = list(accumulate(0.0 if point is None else point.effort for point in points))
    best: list[float | None] = []
    volumes: list[float] = []
    front: list[tuple[float, float, float]] = []
    free, volume, top = Free([]), 0.0, None
    for point in points:
        if point is not None and point.eligible:
            top = point.scalar if top is None else max(top, point.scalar)
            gain = float(free.gains(np.array(point.terms)))
            if gain > 0:
                front, volume = undominated([*front, point.terms]), volume + gain
                free = Free(front)
        best.append(top)
        volumes.append(volume)
    return Curve(name, work, best, volumes, effort)


def curve_charts(
    curves: Sequence[Curve], costs: Sequence[Cost] = ("candidates", "work"), groups: Sequence[str] = ()
) -> tuple[Chart, ...]:
    """Best fitness and hypervolume, each over each cost; none where no candidate is over.

    Curves of one group have one colour and one place in the legend; without `groups` each is its own.
    """
    named = list(groups) or [one.name if len(curves) > 1 else "" for one in curves]
    charts = (_chart(curves, named, gain, cost) for gain in _GAINS for cost in costs)
    return tuple(chart for chart in charts if not chart.empty)


def tones(groups: Sequence[str]) -> dict[str, Tone]:
    """A colour for each group, in their order."""
    return {name: SERIES[place % len(SERIES)] for place, name in enumerate(dict.fromkeys(groups))}


def _chart(curves: Sequence[Curve], groups: Sequence[str], gain: Gain, cost: Cost) -> Chart:
    title, y = _GAINS[gain]
    colours, lines = tones(groups), []
    for place, (one, group) in enumerate(zip(curves, groups, strict=True)):
        values = one.best if gain == "best" else one.volume
        points = tuple((float(x), value) for x, value in zip(one.spent(cost), values, strict=True) if value is not None)
        lines.append(Line("" if group in groups[:place] else group, colours[group], _corners(points), True))
    told = "; ".join(_in_words(one, gain) for one in curves)
    return Chart(f"{gain}-{cost}", f"{title}, by {_TITLES.get(cost, cost)}", f"{told}.", _AXES[cost], y, tuple(lines))


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
