"""The measured students of a run as figures draw them: what each objective is, where each student stands.

>>> shown = Shown.of(results)
>>> shown.points[0].quality.value, shown.axes["cost"].title
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Literal

import pandas as pd

from rosearch.measurements import Estimate, Measurements, TeacherFacts
from rosearch.records.record import Record, Role, Status
from rosearch.report.chart import Axis
from rosearch.report.data import MILLISECONDS, SHARE, THOUSANDTHS, Interval, Unit, metric_unit
from rosearch.report.features import FEATURES
from rosearch.report.statistics import OUTCOMES, is_attack
from rosearch.report.tables import COLUMNS, Cell, Score, record_row, table_of
from rosearch.run.results import Results

Objective = Literal["robustness", "accuracy", "cost"]
Measured = Measurements | TeacherFacts
Figure = Estimate | Interval

PORTION = 80  # records that are in memory at once
_MILLIONS = Unit(decimals=2, style=",")
_READ = {
    *("number", "role", "generation", "id", "origin", "parents", "status", "rung", "gates"),
    *("fitness", "fitness_robustness", "fitness_accuracy", "fitness_efficiency", "compression"),
    *("largest_class_share", "operation_pairs", *FEATURES, *OUTCOMES),
}  # columns


@dataclass(frozen=True)
class Point:
    """One measured student, or the teacher, whose `number` is 0."""

    number: int
    label: str
    role: Role | Literal["teacher"]
    place: dict[Objective, Figure]  # what was not measured is missing
    scalar: float = 0.0
    terms: tuple[float, float, float] = (0.0, 0.0, 0.0)  # robustness, accuracy, efficiency of the fitness
    gates: tuple[str, ...] = ()
    parameters: int = 0
    under_attack: float | None = None
    generation: int = -1
    effort: float = 0.0  # training steps, and queries of its attacks

    @property
    def eligible(self) -> bool:
        """True for a candidate that may win."""
        return self.role == "candidate" and not self.gates


@dataclass(frozen=True)
class Made:
    """How a candidate was made: its id, its origin, the ids of its parents, and what became of it."""

    id: str
    origin: str
    parents: tuple[str, ...]
    status: Status


@dataclass(frozen=True)
class Shown:
    """All measured students of a run, read once, in the order of their proposals."""

    results: Results
    points: Sequence[Point]
    teacher: Point | None
    made: Mapping[int, Made] = field(default_factory=dict)  # the candidates' descent, by number
    table: pd.DataFrame | None = None  # all records with what statistics read, where it was asked for

    @classmethod
    def of(
        cls, results: Results, table: bool = False, each: Callable[[Sequence[Record]], object] | None = None
    ) -> Shown:
        """Read them, in portions, as measurements are long. Raises `RunError` where a record is damaged.

        `each` is called with the records of each portion, so that who needs all of them reads nothing again.
        """
        points: list[Point] = []
        made: dict[int, Made] = {}
        rows: list[dict[str, Cell]] = []
        score = None if results.yardstick is None else results.yardstick.score
        for first in range(0, len(results.records), PORTION):
            read = [replace(record.anew()) for record in results.records[first : first + PORTION]]
            points += [found for record in read if (found := _point(results, record)) is not None]
            made |= {r.number: Made(r.id, r.origin, r.parents, r.status) for r in read if r.role == "candidate"}
            rows += [_row(record, score) for record in read] if table else []
            if each is not None:
                each(read)
        facts = results.teacher
        teacher = None if facts is None else Point(0, facts.called, "teacher", _places(results, facts))
        return cls(results, points, teacher, made, _table(rows) if rows else None)

    def of_role(self, role: Role) -> list[Point]:
        """Those of one role."""
        return [point for point in self.points if point.role == role]

    @cached_property
    def by_number(self) -> dict[int, Point]:
        """Each point by the number of its record."""
        return {point.number: point for point in self.points}

    @cached_property
    def front(self) -> list[Point]:
        """Those on the front, highest fitness first."""
        return [self.by_number[record.number] for record in self.results.front]

    @cached_property
    def axes(self) -> dict[Objective, Axis]:
        """The axes of the objectives that this run has, in what was measured rather than in terms of fitness."""
        task, fitness = self.results.experiment.task, self.results.experiment.fitness
        metric = "fidelity" if task is None else task.metric
        axes: dict[Objective, Axis] = {}
        if any("robustness" in point.place for point in self.points):
            unit = THOUSANDTHS if fitness.robustness == "single_swap_margin" else SHARE
            axes["robustness"] = Axis(_ROBUSTNESS[fitness.robustness], unit)
        axes["accuracy"] = Axis(f"clean {metric.replace('_', ' ')}", metric_unit(metric))
        title, unit = _COST[fitness.efficiency]
        if fitness.efficiency == "latency" and self.results.experiment.evaluation.efficiency.runtime == "onnx":
            title += " in ONNX Runtime"  # runs whose titles differ share no chart
        return axes | {"cost": Axis(title, unit, log=True)}


_ROBUSTNESS = {
    "accuracy_under_attack": "accuracy under attack",
    "words_to_break": "words to break",
    "single_swap_worst": "right on every single swap",
    "single_swap_margin": "margin over single swaps",
}
_COST = {
    "parameters": ("million parameters", _MILLIONS),
    "flops": ("million FLOPs of a text", _MILLIONS),
    "latency": ("milliseconds of a batch", MILLISECONDS),
}


def _row(record: Record, score: Score | None) -> dict[str, Cell]:
    """The cells that statistics read."""
    return {name: cell for name, cell in record_row(record, score).items() if _is_read(name)}


@cache
def _is_read(column: str) -> bool:
    return column in _READ or is_attack(column)


def _table(rows: list[dict[str, Cell]]) -> pd.DataFrame:
    attacks = sorted({name for row in rows for name in row if is_attack(name)})
    return table_of(rows, [*(name for name in COLUMNS if name in _READ), *attacks])


def _point(results: Results, record: Record) -> Point | None:
    fitness = results.fitness.get(record.number)
    found = record.measurements
    if fitness is None or found is None or not fitness.finite:
        return None
    return Point(
        record.number,
        record.label,
        record.role,
        _places(results, found),
        fitness.scalar,
        fitness.objectives,
        fitness.gates,
        found.efficiency.parameters,
        None if found.robustness is None else found.robustness.under_attack.value,
        record.generation,
        _effort(found),
    )


def _effort(found: Measurements) -> float:
    attacks = found.attacks or tuple(filter(None, (found.robustness,)))
    return found.training.steps + sum(one.queries.value * one.n for one in attacks)


def _places(results: Results, found: Measured) -> dict[Objective, Figure]:
    quality = found.quality
    exact = Interval(quality.value, quality.value, quality.value)
    places: dict[Objective, Figure] = {"accuracy": exact}
    if quality.metric == "accuracy" and quality.accuracy is not None:
        places["accuracy"] = quality.accuracy
    if (robustness := _robustness(results, found)) is not None:
        places["robustness"] = robustness
    if (cost := _cost(results, found)) is not None and cost > 0:
        places["cost"] = Interval(cost, cost, cost)
    return places


def _robustness(results: Results, found: Measured) -> Figure | None:
    kind, robust = results.experiment.fitness.robustness, found.robustness
    if robust is None:
        return None
    if kind == "accuracy_under_attack":
        return robust.under_attack
    if kind == "words_to_break":
        return robust.words_to_break
    swaps = [one.worst if kind == "single_swap_worst" else one.margin for one in found.single_swaps]
    return min(swaps, key=lambda one: one.value, default=None)


def _cost(results: Results, found: Measured) -> float | None:
    kind, cost = results.experiment.fitness.efficiency, found.cost if isinstance(found, TeacherFacts) else None
    if isinstance(found, TeacherFacts):
        if kind == "latency":
            return found.latency_ms
    elif kind == "latency":
        return found.efficiency.latency[0].median_ms if found.efficiency.latency else None
    counted = cost or found.efficiency  # type: ignore[union-attr]
    return (counted.parameters if kind == "parameters" else counted.flops) / 1e6
