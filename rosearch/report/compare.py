"""Runs held against each other: by strategy, space, method or seed, at equal cost, over their whole course.

>>> found = Compared.of([open_results(path) for path in paths])
>>> found.tables, found.charts

Runs of one group differ in their seeds alone; groups are compared seed by seed where they share seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from statistics import fmean

import numpy as np
import yaml

from rosearch.evaluation.comparison import PairedDifference, bootstrap_difference, holm
from rosearch.measurements import Estimate
from rosearch.report.beside import differences_table, run_names
from rosearch.report.chart import Chart, Mark, Marks
from rosearch.report.comparable import differences, obstacles, refuse_others
from rosearch.report.curves import Cost, Curve, Gain, curve, curve_charts, tones
from rosearch.report.data import GROUPED, THOUSANDTHS, Column, Interval, Row, Table, Unit, Value
from rosearch.report.front_charts import PAIRS
from rosearch.report.points import Objective, Shown
from rosearch.report.sections import Section
from rosearch.run.results import Results

COSTS: tuple[Cost, ...] = ("candidates", "effort", "hours")
GAINS: tuple[Gain, ...] = ("volume", "best")
GROUPS: dict[str, Callable[[Results], str]] = {
    "strategy": lambda run: run.experiment.evolution.strategy,
    "space": lambda run: run.run.search_space.read_text(encoding="utf-8"),
    "method": lambda run: run.experiment.distillation.method,
    "seed": lambda run: f"seed {run.experiment.seed}",
}
_COST = {"candidates": "candidates", "effort": "steps and queries", "hours": "hours"}
GAIN_WORDS: dict[Gain, str] = {"volume": "hypervolume", "best": "best fitness"}
_CHANGE = Unit(decimals=3, ends=3, style="+")
_SHORT, _FEW = 0.5, 6  # a share of the longest course; pairs of which no p is below 5 % by flips of signs


@dataclass(frozen=True)
class Pair:
    """Two groups over the seeds that both have: the difference in one gain, over the whole course at one cost."""

    first: str
    second: str
    gain: Gain
    cost: Cost
    seeds: tuple[int, ...]
    found: PairedDifference
    p_holm: float

    @property
    def interval(self) -> Estimate | float:
        """The mean difference, with its interval from 6 pairs on: of fewer, a bootstrap says nothing."""
        return self.found.difference if len(self.seeds) >= _FEW else self.found.difference.value


_Unadjusted = tuple[str, str, Gain, Cost, tuple[int, ...], PairedDifference]  # a pair without its Holm's p


@dataclass(frozen=True)
class Compared:
    """Several runs, read once, each with the group to which it belongs."""

    shown: Sequence[Shown]
    names: Sequence[str]
    groups: Sequence[str]

    @classmethod
    def of(cls, runs: Sequence[Results], by: Sequence[str] = ()) -> Compared:
        """Read the runs. They are grouped `by` keys of `GROUPS`; none: by those but the seed in which they differ.

        Raises `RunError` where the runs have not the same task and rows, or one has no candidate that is over.
        """
        refuse_others(runs, ("task",))
        return cls([Shown.of(run) for run in runs], run_names(runs), group_labels(runs, by))

    @property
    def runs(self) -> list[Results]:
        """The runs."""
        return [one.results for one in self.shown]

    @cached_property
    def curves(self) -> list[Curve]:
        """The course of each run."""
        return [curve(shown, name) for shown, name in zip(self.shown, self.names, strict=True)]

    @cached_property
    def ends(self) -> dict[Cost, float]:
        """The costs that all runs have spent."""
        return {cost: min((float(one.spent(cost)[-1]) if one.work else 0.0) for one in self.curves) for cost in COSTS}

    @cached_property
    def scored_alike(self) -> bool:
        """True where fitness and hypervolume mean the same in all runs."""
        return not any(differences(self.runs).values())

    @cached_property
    def pairs(self) -> list[Pair]:
        """Each two groups that share two seeds at least."""
        if not self.scored_alike:
            return []
        found = [pair for two in combinations(dict.fromkeys(self.groups), 2) for pair in self._paired(*two)]
        adjusted = holm([found.p for *_, found in found])
        return [Pair(*pair, float(p)) for pair, p in zip(found, adjusted, strict=True)]

    def _paired(self, first: str, second: str) -> Iterator[_Unadjusted]:
        of: dict[str, dict[int, Curve]] = {first: {}, second: {}}
        for shown, group, one in zip(self.shown, self.groups, self.curves, strict=True):
            if group in of:
                of[group].setdefault(shown.results.experiment.seed, one)
        seeds = tuple(sorted(of[first].keys() & of[second].keys()))
        if len(seeds) < 2:
            return
        for gain in GAINS:
            for cost, end in self.ends.items():
                ours, theirs = ([of[one][seed].mean(cost, end, gain) for seed in seeds] for one in (first, second))
                yield first, second, gain, cost, seeds, bootstrap_difference(np.subtract(ours, theirs))

    @property
    def notes(self) -> list[str]:
        """All that stands in the way of a comparison."""
        told = obstacles(self.runs)
        counts = [len(one.work) for one in self.curves]
        if min(counts) < _SHORT * max(counts):
            told.append(
                f"all are cut at the {min(counts):,} candidates of the shortest; the longest has {max(counts):,}"
            )
        if unfinished := [name for name, run in zip(self.names, self.runs, strict=True) if not run.finished]:
            told.append(f"not finished: {', '.join(unfinished)}")
        alone = [name for name in dict.fromkeys(self.groups) if self.groups.count(name) == 1]
        if alone and len(set(self.groups)) > 1:
            told.append(f"one run alone tells no setting from luck: {', '.join(alone)}")
        return told

    @property
    def tables(self) -> list[Table]:
        """Tables of what each group has reached, of the pairs, and of the keys that differ."""
        reached = [self._reached(gain) for gain in GAINS] if self.scored_alike else []
        pairs = [_pairs_table(self.pairs)] if self.pairs else []
        return [*reached, *pairs, differences_table(self.runs, self.groups)]

    def _reached(self, gain: Gain) -> Table:
        rows = []
        for group in dict.fromkeys(self.groups):
            of = [one for one, name in zip(self.curves, self.groups, strict=True) if name == group]
            cells: list[Value] = []
            for cost, end in self.ends.items():
                at = [one.at(cost, end, gain) or 0.0 for one in of]
                cells += [_range(at), _range([one.mean(cost, end, gain) for one in of])]
            rows.append(Row((group, len(of), *cells)))
        columns = [Column("group", align="left", whole=True), Column("runs")]
        for cost, end in self.ends.items():
            unit = Unit(decimals=4) if cost == "hours" else GROUPED
            told = f"{unit.text(end)} {_COST[cost]}"
            mean = Column(f"mean up to {told}", _ENDS, spare=1, heading="mean\nup to\nthere")
            columns += [Column(f"at {told}", _ENDS), mean]
        notes = ("means of a group's runs, with the least and the highest; 'mean up to': of the whole course",)
        return Table(f"{GAIN_WORDS[gain].capitalize()} at equal cost", tuple(columns), tuple(rows), notes)

    @cached_property
    def charts(self) -> tuple[Chart, ...]:
        """The fronts together, then the whole courses at each cost."""
        courses = curve_charts(self.curves, COSTS, self.groups) if self.scored_alike else ()
        return (*self.fronts, *courses)

    @cached_property
    def fronts(self) -> tuple[Chart, ...]:
        """The fronts of all runs in each pair of objectives that all have measured alike."""
        other = differences(self.runs)
        left_out = {"robustness"} if other["attacks"] else set()
        shared = set.intersection(*(set(one.axes) for one in self.shown)) - left_out
        titles = {one: {shown.axes[one].title for shown in self.shown} for one in shared}
        pairs = [pair for pair in PAIRS if set(pair) <= shared and all(len(titles[one]) == 1 for one in pair)]
        charts = (self._front(*pair) for pair in pairs)
        return tuple(chart for chart in charts if not chart.empty)

    def _front(self, across: Objective, up: Objective) -> Chart:
        x, y = self.shown[0].axes[across], self.shown[0].axes[up]
        colours, seen, layers = tones(self.groups), set[str](), []
        for shown, group in zip(self.shown, self.groups, strict=True):
            points = [point.place for point in shown.front if {across, up} <= point.place.keys()]
            marks = tuple(Mark(place[across].value, place[up].value) for place in points)
            layers += [Marks("" if group in seen else group, colours[group], marks)] if marks else []
            seen |= {group} if marks else set()
        sizes = zip(self.names, (len(one.front) for one in self.shown), strict=True)
        told = "; ".join(f"{name}: {size:,} on the front" for name, size in sizes)
        return Chart(f"fronts-{up}-{across}", f"Fronts: {y.title} over {x.title}", f"{told}.", x, y, tuple(layers))

    @property
    def sections(self) -> list[Section]:
        """The page."""
        reached, others = self.tables[:-1], self.tables[-1:]
        return [
            Section("fronts", "The fronts", tuple(self.notes), self.fronts),
            Section("course", "The whole course, at equal cost", (_COURSE,), self.charts[len(self.fronts) :]),
            Section("reached", "What was reached", tables=tuple(reached)),
            Section("keys", "What differs", tables=tuple(others)),
        ]


_COURSE = (
    "Each line is a run; runs of one group have one colour. A final point alone says little: where lines cross, the "
    "better search depends on the budget. Steps and queries are counted, so they do not depend on a machine; hours do."
)
_ENDS = Unit(decimals=3, ends=3)


def group_labels(runs: Sequence[Results], by: Sequence[str] = ()) -> list[str]:
    """The group of each run in words."""
    kinds = {name: [label(run) for run in runs] for name, label in GROUPS.items()}
    spaces = list(dict.fromkeys(kinds["space"]))
    named = [str(yaml.safe_load(text).get("name", "space")) for text in spaces]
    told = [name if named.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(named, start=1)]
    kinds["space"] = [told[spaces.index(text)] for text in kinds["space"]]
    chosen = list(by) or [name for name in GROUPS if name != "seed" and len(set(kinds[name])) > 1]
    if not chosen:
        return run_names(runs)
    return [", ".join(kinds[name][place] for name in chosen) for place in range(len(runs))]


def _range(values: Sequence[float]) -> Interval:
    return Interval(fmean(values), min(values), max(values))


def _pairs_table(pairs: Sequence[Pair]) -> Table:
    rows = [
        Row(
            (
                f"{pair.first} less {pair.second}",
                f"{GAIN_WORDS[pair.gain]} by {_COST[pair.cost]}",
                len(pair.seeds),
                pair.interval,
                pair.found.p,
                pair.p_holm,
            )
        )
        for pair in pairs
    ]
    columns = (
        Column("groups", align="left", whole=True),
        Column("over the whole course", align="left"),
        Column("seeds"),
        Column("difference", _CHANGE),
        Column("p", THOUSANDTHS, spare=1),
        Column("p (Holm)", THOUSANDTHS),
    )
    fewest = min(len(pair.seeds) for pair in pairs)
    notes = ["paired by seed, by flips of signs; a difference is the first group's mean height less the second's"]
    if fewest < _FEW:
        least = 2 / 2**fewest
        notes.append(f"of {fewest} pairs no p is below {least:.3g}: it takes {_FEW} seeds to tell groups apart")
    return Table("Paired by seed", columns, tuple(rows), tuple(notes))
