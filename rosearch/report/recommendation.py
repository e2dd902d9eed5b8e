"""The best architecture within each latency budget, from the records of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rosearch.errors import RunError
from rosearch.measurements import Latency, Measurements, Quality
from rosearch.records.record import Record
from rosearch.report.data import (
    FOUR_DECIMALS,
    MILLIONS,
    PERCENT,
    SHARE,
    TIMES,
    Cell,
    Column,
    Interval,
    Row,
    Table,
    Unit,
    Value,
    metric_unit,
)
from rosearch.report.verdicts import overlap
from rosearch.run.results import Results


@dataclass(frozen=True)
class Recommendation:
    """The candidate of highest quality whose median latency keeps a budget; `record` is None where none is as fast."""

    budget_ms: float
    record: Record | None
    latency: Latency | None
    among: int  # candidates within the budget
    finalists: tuple[float, ...]  # quality on the test split of those that retrained it
    alike: int = 0  # others within the budget whose 95 % interval of accuracy overlaps with its

    @property
    def quality(self) -> float | None:
        """Measured on the rows (or held-out blocks) of the search, which flatters the best of many."""
        return None if self.record is None else _measured(self.record).quality.value


def recommend(results: Results, budgets_ms: Sequence[float], device: str = "cpu") -> list[Recommendation]:
    """One recommendation for each budget, small budgets first.

    A candidate that misses a gate is never named; of two equals, the faster is. `device` is `cpu` or `cuda`: only
    latencies on it count, at the first batch size that the run timed. Raises `RunError` where the run has none.
    """
    timed = timed_candidates(results, device)
    found = []
    for budget in sorted(set(budgets_ms)):
        within = [(record, latency) for record, latency in timed if latency.median_ms <= budget]
        if not within:
            found.append(Recommendation(budget, None, None, 0, ()))
            continue
        record, latency = max(within, key=lambda pair: (_measured(pair[0]).quality.value, -pair[1].median_ms))
        again = [r for r in results.measured("finalist") if r.id == record.id]
        qualities = tuple(_measured(one).quality.value for one in again)
        others = (one for one, _ in within if one is not record)
        alike = sum(_overlap(_measured(record).quality, _measured(one).quality) for one in others)
        found.append(Recommendation(budget, record, latency, len(within), qualities, alike))
    return found


def _overlap(one: Quality, other: Quality) -> bool:
    return one.accuracy is not None and other.accuracy is not None and overlap(one.accuracy, other.accuracy)


def recommendation_verdicts(found: Sequence[Recommendation]) -> list[str]:
    """A sentence for each budget within which other candidates are as good, as far as the rows tell."""
    return [
        f"Within {one.budget_ms:g} ms, the 95 % intervals of accuracy of #{one.record.number} and of "
        f"{one.alike} other candidate{'s' if one.alike > 1 else ''} overlap: these rows do not tell which is best."
        for one in found
        if one.record is not None and one.alike
    ]


def timed_candidates(results: Results, device: str) -> list[tuple[Record, Latency]]:
    """Candidates that passed all gates, with their latency. Raises `RunError` where none was timed on the device."""
    timed = []
    for record in results.measured("candidate"):
        efficiency, fitness = _measured(record).efficiency, results.fitness.get(record.number)
        on_cpu = efficiency.device == "cpu"
        if efficiency.latency and on_cpu == (device == "cpu") and fitness is not None and fitness.eligible:
            timed.append((record, efficiency.latency[0]))
    if not timed:
        raise RunError(
            f"{results.run.path}: no candidate that passed the gates was timed on {device}: runs measure latency with "
            "evaluation.efficiency.repeats above 0, on their own device"
        )
    return timed


def describe(found: Recommendation) -> dict[str, Any]:
    """A recommendation as JSON data; docs/json.md describes the keys."""
    if found.record is None or found.latency is None:
        return {"budget_ms": found.budget_ms, "id": None, "among": 0}
    measured = _measured(found.record)
    return {
        "budget_ms": found.budget_ms,
        "id": found.record.id,
        "architecture": str(found.record.genotype),
        "latency_ms": found.latency.median_ms,
        "latency_ms_quartiles": [found.latency.low_ms, found.latency.high_ms],
        "batch_size": found.latency.batch_size,
        "runtime": measured.efficiency.runtime,
        "metric": measured.quality.metric,
        "quality": measured.quality.value,
        "quality_n": measured.quality.n,
        "held_out_loss": measured.held_out_loss,
        "under_attack": None if measured.robustness is None else measured.robustness.under_attack.value,
        "parameters": measured.efficiency.parameters,
        "among": found.among,
        "alike": found.alike,
        "finalists": list(found.finalists),
    }


def recommendations_table(results: Results, found: Sequence[Recommendation]) -> Table:
    """A row for each budget."""
    first = next((_measured(one.record) for one in found if one.record is not None), None)
    metric = first.quality.metric if first else "quality"
    teacher = results.teacher.latency_ms if results.teacher is not None else None
    without_task = first is not None and _without_task(first)
    columns = (
        Column("budget"),
        Column("id", align="left", whole=True),
        Column("latency", Unit(" ms", 1, ends=1)),
        Column("faster than teacher", TIMES, spare=3),
        Column(metric, metric_unit(metric) if metric != "accuracy" else PERCENT),
        Column("held-out loss", FOUR_DECIMALS) if without_task else Column("under attack", SHARE),
        Column("parameters", MILLIONS, spare=2),
        Column("among", spare=1),
        Column("finalists", spare=1),
    )
    rows = tuple(Row((f"{one.budget_ms:g} ms", *_cells(one, teacher))) for one in found)
    return Table("Best within each latency", columns, rows, (*recommendation_verdicts(found), _caption(first)))


def _cells(one: Recommendation, teacher_ms: float | None) -> tuple[Value | Cell, ...]:
    if one.record is None or one.latency is None:
        return ("nothing is as fast", *[""] * 7)
    measured, latency = _measured(one.record), one.latency
    unit, again = metric_unit(measured.quality.metric), None
    if one.finalists:
        again = f"{unit.text(min(one.finalists))} to {unit.text(max(one.finalists))} ({len(one.finalists)})"
    return (
        f"#{one.record.number} {one.record.id[:8]}",
        Interval(latency.median_ms, latency.low_ms, latency.high_ms),
        None if not teacher_ms else teacher_ms / latency.median_ms,
        _quality(measured),
        _hard(measured),
        measured.efficiency.parameters,
        one.among,
        again,
    )


def _without_task(measured: Measurements) -> bool:
    """An encoder has no classes to attack: its held-out loss takes the place of robustness."""
    return measured.robustness is None and measured.held_out_loss is not None


def _hard(measured: Measurements) -> Value | Cell:
    if _without_task(measured):
        return Cell(measured.held_out_loss, FOUR_DECIMALS)
    return None if measured.robustness is None else Cell(measured.robustness.under_attack, SHARE)


def _quality(measured: Measurements) -> Value:
    """With its interval where the metric is accuracy."""
    quality = measured.quality
    if quality.metric == "accuracy" and quality.accuracy is not None:
        return Interval(quality.value, quality.accuracy.low, quality.accuracy.high)
    return quality.value


def _caption(first: Measurements | None) -> str:
    if first is None:
        return "no candidate is as fast: ask for more milliseconds, or search smaller architectures"
    efficiency = first.efficiency
    threads = f"{efficiency.threads} thread{'s' if efficiency.threads != 1 else ''}"
    return (
        f"latency: median and quartiles on {efficiency.timed_on}, {threads}, batch of "
        f"{efficiency.latency[0].batch_size}, {efficiency.tokens} tokens; "
        f"{first.quality.metric} on {first.quality.n} rows of the search, the best of `among`: it flatters the winner; "
        "finalists: on the test split, retrained"
    )


def _measured(record: Record) -> Measurements:
    assert record.measurements is not None
    return record.measurements
