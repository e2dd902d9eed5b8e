"""Who came from whom: descent drawn, the ancestors of many, what each kind of variation has gained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from rosearch.evaluation.intervals import wilson
from rosearch.report.chart import Axis, Chart, Layer, Line, Links, Mark, Marks
from rosearch.report.data import GROUPED, PERCENT, THOUSANDTHS, Column, Row, Table, Unit
from rosearch.report.points import Point, Shown

_MOST_FOUNDERS = 12
_GAIN = Unit(decimals=3, style="+")


@dataclass(frozen=True)
class Lineage:
    """The descent of the candidates of a run, by number."""

    shown: Shown
    parents: Mapping[int, tuple[int, ...]]
    origins: Mapping[int, str]
    failed: frozenset[int]

    @classmethod
    def of(cls, shown: Shown) -> Lineage:
        """Read the descent. A parent that this run does not hold is left out."""
        made = shown.made
        number = {made[place].id: place for place in sorted(made, reverse=True)}
        parents = {one: _numbers(one, found.parents, number) for one, found in made.items()}
        origins = {one: kind(found.origin) for one, found in made.items()}
        return cls(shown, parents, origins, frozenset(one for one, found in made.items() if found.status == "failed"))

    @cached_property
    def children(self) -> Mapping[int, Sequence[int]]:
        """The children of each candidate that has some."""
        found = defaultdict(list)
        for child, parents in self.parents.items():
            for parent in parents:
                found[parent].append(child)
        return dict(found)

    def ancestors(self, number: int) -> set[int]:
        """All that a candidate came from."""
        return _reached(number, self.parents)

    def descendants(self, number: int) -> set[int]:
        """All that came from a candidate."""
        return _reached(number, self.children)

    def gain(self, number: int) -> float | None:
        """The fitness of a child less that of its better parent; None where either was not measured."""
        fitness = [self._point(parent).scalar for parent in self.parents[number] if parent in self.shown.by_number]
        child = self.shown.by_number.get(number)
        return None if child is None or not fitness else child.scalar - max(fitness)

    def _point(self, number: int) -> Point:
        return self.shown.by_number[number]


def kind(origin: str) -> str:
    """An origin without what it says of one candidate: `chosen:0.71` is `chosen`."""
    head, _, rest = origin.partition(":")
    return head if head in ("chosen", "sample") or not rest else f"{head}:{rest}"


def lineage_charts(lineage: Lineage) -> tuple[Chart, ...]:
    """The descent, and the gain of each kind of variation; the second only where something was bred."""
    charts = (_descent(lineage), _gains(lineage))
    return tuple(chart for chart in charts if not chart.empty)


def _descent(lineage: Lineage) -> Chart:
    places = {point.number: (float(point.number), point.scalar) for point in lineage.shown.of_role("candidate")}
    links = tuple(
        (*places[parent], *places[child])
        for child, parents in lineage.parents.items()
        for parent in parents
        if child in places and parent in places
    )
    layers: list[Layer] = [Links("parent to child", "pale", links)] if links else []
    best = lineage.shown.results.fitness.best
    line = set() if best is None else {best.number} | lineage.ancestors(best.number)
    winning = tuple(
        (*places[parent], *places[child])
        for child in sorted(line)
        for parent in lineage.parents[child]
        if child in places and parent in places
    )
    layers += [Links("ancestry of the best", "front", winning)] if winning else []
    points = lineage.shown.of_role("candidate")
    for name, tone, chosen in (
        ("missed a gate", "gated", [point for point in points if not point.eligible]),
        ("candidate", "plain", [point for point in points if point.eligible and point.number not in line]),
        ("the best and its ancestors", "front", [p for p in points if p.eligible and p.number in line]),
    ):
        marks = tuple(Mark(*places[point.number], point.number) for point in chosen)
        layers += [Marks(name, tone, marks, "cross" if tone == "gated" else "dot")] if marks else []  # type: ignore[arg-type]
    x, y = Axis("number of the candidate", GROUPED), Axis("fitness", THOUSANDTHS)
    return Chart("lineage", "Descent", _descent_in_words(lineage, len(line)), x, y, tuple(layers), wide=True)


def _descent_in_words(lineage: Lineage, line: int) -> str:
    bred = sum(bool(parents) for parents in lineage.parents.values())
    told = f"{bred:,} of {len(lineage.parents):,} candidates have parents in this run."
    best = lineage.shown.results.fitness.best
    if best is None:
        return told
    came = f" with {line - 1:,} ancestor{'s' if line > 2 else ''}" if line > 1 else ""
    return f"{told} The best is #{best.number} ({lineage.origins[best.number]}){came}."


def _gains(lineage: Lineage) -> Chart:
    bred = {number: gain for number in lineage.parents if (gain := lineage.gain(number)) is not None}
    names = tuple(sorted({lineage.origins[number] for number in bred}))
    place = {name: float(index) for index, name in enumerate(names)}
    up = [Mark(gain, _spread(place[lineage.origins[one]], one), one) for one, gain in bred.items() if gain > 0]
    down = [Mark(gain, _spread(place[lineage.origins[one]], one), one) for one, gain in bred.items() if gain <= 0]
    layers: list[Layer] = [Line("", "pale", ((0.0, -0.5), (0.0, len(names) - 0.5)))] if bred else []
    layers += [Marks("better than its better parent", "front", tuple(up))] if up else []
    layers += [Marks("not better", "plain", tuple(down))] if down else []
    told = f"{len(up):,} of {len(bred):,} children are better than their better parent."
    x, y = Axis("gain in fitness over the better parent", Unit(decimals=2, style="+")), Axis("", names=names)
    return Chart("gains", "Gain of each variation", told, x, y, tuple(layers), wide=True)


def _spread(place: float, number: int) -> float:
    """Beside each other, so that equals are seen: the golden ratio fills an interval evenly."""
    return place + 0.56 * ((number * 0.618034) % 1.0 - 0.5)


def founders_table(lineage: Lineage) -> Table:
    """The candidates without parents from which most have come, and how good their best descendant is."""
    points = lineage.shown.by_number
    founders = [number for number, parents in lineage.parents.items() if not parents and number in lineage.children]
    found = [(number, lineage.descendants(number)) for number in founders]
    rows = []
    for number, descendants in sorted(found, key=lambda pair: -len(pair[1]))[:_MOST_FOUNDERS]:
        measured = [points[one] for one in descendants if one in points and points[one].eligible]
        best = max(measured, key=lambda point: point.scalar, default=None)
        own = points[number].scalar if number in points else None
        told = (None, None) if best is None else (f"#{best.number}", best.scalar)
        share = len(descendants) / max(1, len(lineage.parents))
        rows.append(Row((f"#{number}", lineage.origins[number], own, len(descendants), share, *told)))
    columns = (
        Column("founder", align="left", whole=True),
        Column("origin", align="left"),
        Column("fitness", THOUSANDTHS),
        Column("descendants", GROUPED),
        Column("of all", PERCENT),
        Column("best of them", align="left"),
        Column("its fitness", THOUSANDTHS),
    )
    return Table("Ancestors of many", columns, tuple(rows))


def variation_table(lineage: Lineage) -> Table:
    """The yield of each kind of origin: how many, how many failed or missed a gate, how many beat their parents."""
    front = {point.number for point in lineage.shown.front}
    kinds = defaultdict(list)
    for number, name in lineage.origins.items():
        kinds[name].append(number)
    rows = [_variation(lineage, name, numbers, front) for name, numbers in kinds.items()]
    columns = (
        Column("origin", align="left"),
        Column("tried", GROUPED),
        Column("failed", GROUPED),
        Column("missed a gate", GROUPED),
        Column("on the front", GROUPED),
        Column("better than parents", PERCENT),
        Column("median gain", _GAIN),
        Column("best gain", _GAIN),
    )
    notes = ("gains are over the better parent; shares with Wilson's 95 % intervals, of children that were measured",)
    return Table("What each variation has given", columns, tuple(sorted(rows, key=lambda row: -_tried(row))), notes)


def _variation(lineage: Lineage, name: str, numbers: Sequence[int], front: set[int]) -> Row:
    points = lineage.shown.by_number
    gains = [gain for number in numbers if (gain := lineage.gain(number)) is not None]
    gated = sum(number in points and not points[number].eligible for number in numbers)
    counts = (len(numbers), sum(number in lineage.failed for number in numbers), gated)
    better = wilson(sum(gain > 0 for gain in gains), len(gains)) if gains else None
    told = (median(gains), max(gains)) if gains else (None, None)
    return Row((name, *counts, sum(number in front for number in numbers), better, *told))


def _tried(row: Row) -> int:
    return row.cells[1] if isinstance(row.cells[1], int) else 0


def _numbers(child: int, parents: Sequence[str], number: Mapping[str, int]) -> tuple[int, ...]:
    """The parents that came before it: a damaged run may name others, and descent has no circle."""
    found = (number[parent] for parent in dict.fromkeys(parents) if parent in number)
    return tuple(parent for parent in found if parent < child)


def _reached(number: int, graph: Mapping[int, Iterable[int]]) -> set[int]:
    found: set[int] = set()
    left = [number]
    while left:
        for one in graph.get(left.pop(), ()):
            if one not in found:
                found.add(one)
                left.append(one)
    return found
