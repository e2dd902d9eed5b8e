"""Which architecture for which latency? The best of a run's records within each budget, and what stands behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from rosearch.errors import RunError
from rosearch.measurements import Estimate, Latency, Measurements
from rosearch.records.record import Record
from rosearch.run.results import Results


@dataclass(frozen=True)
class Recommendation:
    """The candidate of highest quality whose median latency keeps a budget; None where none is as fast."""

    budget_ms: float
    record: Record | None
    latency: Latency | None
    among: int  # candidates within the budget
    finalists: tuple[float, ...]  # quality on the test split of those that retrained it

    @property
    def quality(self) -> float | None:
        """On the rows (or held-out blocks) of the search; it flatters the best of many."""
        return None if self.record is None else _measured(self.record).quality.value


def recommend(results: Results, budgets_ms: Sequence[float], device: str = "cpu") -> list[Recommendation]:
    """One for each budget, small budgets first. What misses a gate is never named; of equals the faster one is.

    `device` is `cpu` or `cuda`: latencies of another one do not count. They are those at the first batch size that the
    run timed. Raises `RunError` where the run has none for the device.
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
        found.append(Recommendation(budget, record, latency, len(within), qualities))
    return found


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
    """As plain data: what `--json` prints."""
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
        "metric": measured.quality.metric,
        "quality": measured.quality.value,
        "quality_n": measured.quality.n,
        "held_out_loss": measured.held_out_loss,
        "under_attack": None if measured.robustness is None else measured.robustness.under_attack.value,
        "parameters": measured.efficiency.parameters,
        "among": found.among,
        "finalists": list(found.finalists),
    }


def recommendations_table(results: Results, found: Sequence[Recommendation]) -> Table:
    """A row for each budget."""
    first = next((_measured(one.record) for one in found if one.record is not None), None)
    metric = first.quality.metric if first else "quality"
    teacher = results.teacher.latency_ms if results.teacher is not None else None
    table = Table(title="Best within each latency", title_justify="left", caption_justify="left")
    hard = "held-out loss" if first and _without_task(first) else "under attack"
    for name in ("budget", "id", "latency", "x teacher", metric, hard, "parameters", "among", "finalists"):
        table.add_column(name, justify="left" if name == "id" else "right", no_wrap=name == "id")
    for one in found:
        table.add_row(f"{one.budget_ms:g} ms", *_cells(one, teacher))
    table.caption = escape(_caption(first))
    return table


def _cells(one: Recommendation, teacher_ms: float | None) -> tuple[str, ...]:
    if one.record is None or one.latency is None:
        return ("nothing is as fast", *[""] * 7)
    measured, latency = _measured(one.record), one.latency
    times = "-" if not teacher_ms else f"{teacher_ms / latency.median_ms:.1f}"
    again = f"{min(one.finalists):.3f} to {max(one.finalists):.3f} ({len(one.finalists)})" if one.finalists else "-"
    return (
        one.record.id[:8],
        f"{latency.median_ms:.1f} ms [{latency.low_ms:.1f}, {latency.high_ms:.1f}]",
        times,
        _quality(measured),
        _hard(measured),
        f"{measured.efficiency.parameters / 1e6:.2f} M",
        str(one.among),
        again,
    )


def _without_task(measured: Measurements) -> bool:
    """An encoder has no classes to attack: what it loses to its teacher is shown in that place."""
    return measured.robustness is None and measured.held_out_loss is not None


def _hard(measured: Measurements) -> str:
    if _without_task(measured):
        return f"{measured.held_out_loss:.4f}"
    return "-" if measured.robustness is None else f"{measured.robustness.under_attack.value:.1%}"


def _quality(measured: Measurements) -> str:
    quality = measured.quality
    if quality.metric == "accuracy" and isinstance(quality.accuracy, Estimate):
        return f"{quality.value:.3f} [{quality.accuracy.low:.3f}, {quality.accuracy.high:.3f}]"
    return f"{quality.value:.3f}"


def _caption(first: Measurements | None) -> str:
    if first is None:
        return "no candidate is as fast: ask for more milliseconds, or search smaller architectures"
    efficiency = first.efficiency
    threads = f"{efficiency.threads} thread{'s' if efficiency.threads != 1 else ''}"
    return (
        f"latency: median and quartiles on {efficiency.device}, {threads}, batch of "
        f"{efficiency.latency[0].batch_size}, {efficiency.tokens} tokens; "
        f"{first.quality.metric} on {first.quality.n} rows of the search, the best of `among`: it flatters the winner; "
        "finalists: on the test split, retrained"
    )


def _measured(record: Record) -> Measurements:
    assert record.measurements is not None
    return record.measurements
