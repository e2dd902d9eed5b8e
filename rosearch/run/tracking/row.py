"""A finished record as trackers take it: figures for charts, words, and the architecture.

>>> rows = Rows(yardstick)
>>> rows.of(record).figures["candidate/fitness"]
0.71
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from rosearch.evolution.fitness import Fitness, Yardstick
from rosearch.measurements import Measurements
from rosearch.records.record import Record, Role

Named = Iterator[tuple[str, float]]


@dataclass(frozen=True)
class Row:
    """One record. Names of figures begin with its role, so that no chart mixes rows of validation and of test."""

    number: int  # the step in every chart
    role: Role
    figures: dict[str, float]  # finite
    words: dict[str, str]
    genotype: str  # JSON

    @property
    def text(self) -> str:
        """The whole row as indented JSON."""
        return json.dumps({**asdict(self), "genotype": json.loads(self.genotype)}, indent=2, ensure_ascii=False)


class Rows:
    """Makes the rows of a run one after the other, each with the best fitness so far."""

    def __init__(self, yardstick: Yardstick) -> None:
        self._yardstick = yardstick
        self._best: float | None = None

    def of(self, record: Record) -> Row:
        """The row of a record that is done or failed."""
        fitness = None if record.measurements is None else self._yardstick.score(record.measurements)
        found = {name: float(value) for name, value in _figures(record, fitness)}
        if record.role == "candidate" and fitness is not None and fitness.eligible:
            self._best = max(fitness.scalar, self._best if self._best is not None else -math.inf)
        if record.role == "candidate" and self._best is not None:
            found["best_fitness"] = self._best
        finite = {f"{record.role}/{name}": value for name, value in found.items() if math.isfinite(value)}
        words = _words(record, fitness)
        return Row(record.number, record.role, finite, words, record.genotype.to_json())


def _figures(record: Record, fitness: Fitness | None) -> Named:
    yield "failed", record.status == "failed"
    yield "generation", record.generation
    yield "seconds", sum(record.seconds.values())
    for stage, seconds in record.seconds.items():
        yield f"seconds/{stage}", seconds
    if fitness is not None:
        yield "fitness", fitness.scalar
        yield "eligible", fitness.eligible
        for name, value in zip(("robustness", "accuracy", "efficiency"), fitness.objectives):
            yield f"objective/{name}", value
    if record.measurements is not None:
        yield from _measured(record.measurements)


def _measured(measurements: Measurements) -> Named:
    yield "quality", measurements.quality.value
    if measurements.robustness is not None:
        yield "under_attack", measurements.robustness.under_attack.value
        yield "words_to_break", measurements.robustness.words_to_break.value
    for robustness in measurements.attacks:
        yield f"under_attack/{robustness.attack}", robustness.under_attack.value
    if measurements.held_out_loss is not None:
        yield "held_out_loss", measurements.held_out_loss
    efficiency = measurements.efficiency
    yield "parameters", efficiency.parameters
    yield "flops", efficiency.flops
    yield "compression", efficiency.compression
    for latency in efficiency.latency:
        yield f"latency_ms/{latency.batch_size}", latency.median_ms


def _words(record: Record, fitness: Fitness | None) -> dict[str, str]:
    """All that is no figure; what a record does not have is left out."""
    failure = record.failure
    found = {
        "status": record.status,
        "id": record.id,
        "label": record.label,
        "origin": record.origin,
        "parents": " ".join(record.parents),
        "missed gates": " ".join(fitness.gates) if fitness is not None else "",
        "failure": "" if failure is None else failure.kind,
        "failed in": "" if failure is None else failure.stage,
        "failed with": "" if failure is None else failure.message,
    }
    return {name: value for name, value in found.items() if value}
