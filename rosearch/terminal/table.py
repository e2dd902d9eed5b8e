"""Records side by side: the table of `rosearch status` and of the end of a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.markup import escape
from rich.table import Table

from rosearch.evolution.fitness import Fitness
from rosearch.measurements import Estimate, Measurements, TeacherFacts
from rosearch.records.record import Record
from rosearch.run.results import Results

Measured = Measurements | TeacherFacts
Cell = Callable[[Measured], str]


def results_table(title: str, results: Results, records: Sequence[Record], *, teacher: bool = False) -> Table:
    """Records side by side; the teacher, where asked, is the first row. Intervals are Wilson's, 95 %.

    Under several attacks, the worst case of each row comes first, then each attack alone; what nobody has (attacks, of
    regression and of encoders; the loss that a reward asks for) has no column.
    """
    shown = [(r, r.measurements, results.fitness[r.number]) for r in records if r.number in results.fitness]
    facts = results.teacher if teacher else None
    measured: list[Measured] = [*([facts] if facts else []), *(found for _, found, _ in shown if found)]
    columns = _columns(results, measured)
    table = Table(title=title, title_justify="left", caption_justify="left")
    for column in ("id", "fitness", *columns):
        table.add_column(column, justify="left" if column == "id" else "right", no_wrap=column == "id")
    if facts is not None:
        table.add_row("teacher", "", *(cell(facts) for cell in columns.values()))
    for record, found, fitness in shown:
        if found is not None:
            table.add_row(record.label, _scalar(fitness), *(cell(found) for cell in columns.values()))
    table.caption = escape("\n".join(_footnotes(measured))) or None
    return table


def _columns(results: Results, measured: Sequence[Measured]) -> dict[str, Cell]:
    """What is measured, by the title of its column."""
    task = results.experiment.task
    columns: dict[str, Cell] = {"fidelity" if task is None else task.metric: _quality}
    if any(isinstance(found, Measurements) and found.held_out_loss is not None for found in measured):
        columns |= {"held-out loss": _loss, "ms": _latency}
    if any(found.robustness is not None for found in measured):
        names = list(dict.fromkeys(attack.attack for found in measured for attack in found.attacks))
        alone = names if len(names) > 1 else []
        columns["worst case" if alone else "under attack"] = _worst
        columns |= {name: lambda found, name=name: _alone(found, name) for name in alone}  # type: ignore[misc]
        columns["words to break"] = _words
    return columns | {"parameters": _parameters, "smaller": _smaller}


def _scalar(fitness: Fitness) -> str:
    return f"{fitness.scalar:.3f}" if fitness.eligible else "[yellow]gated[/]"


def _quality(found: Measured) -> str:
    """`!` has a footnote."""
    return f"{found.quality.value:.3f}{'!' if found.quality.collapse else ''}"


def _loss(found: Measured) -> str:
    loss = found.held_out_loss if isinstance(found, Measurements) else None
    return "-" if loss is None else f"{loss:.4f}"


def _latency(found: Measured) -> str:
    """At the first batch size that is timed."""
    if isinstance(found, TeacherFacts):
        return "-" if found.latency_ms is None else f"{found.latency_ms:.1f}"
    return f"{found.efficiency.latency[0].median_ms:.1f}" if found.efficiency.latency else "-"


def _worst(found: Measured) -> str:
    if (robustness := found.robustness) is None:
        return "-"
    stopped = robustness.stopped
    note = "" if stopped is None else f" ({stopped.rows} of {stopped.planned} rows)"
    return percent(robustness.under_attack) + note


def _alone(found: Measured, attack: str) -> str:
    return next((f"{one.under_attack.value:.1%}" for one in found.attacks if one.attack == attack), "-")


def _words(found: Measured) -> str:
    return "-" if found.robustness is None else f"{found.robustness.words_to_break.value:.3f}"


def _parameters(found: Measured) -> str:
    size = found.cost if isinstance(found, TeacherFacts) else found.efficiency
    return f"{size.parameters / 1e6:.2f} M"


def _smaller(found: Measured) -> str:
    return "1.0x" if isinstance(found, TeacherFacts) else f"{found.efficiency.compression:.1f}x"


def _footnotes(measured: Sequence[Measured]) -> list[str]:
    """What the figures of a table leave out: variants of recipes, collapse, early stops, rows that went wrong."""
    attacks = [attack for found in measured for attack in found.attacks]
    notes = [f"{attack.attack}: {attack.differs}" for attack in attacks if attack.differs]
    if flags := [found.quality.collapse for found in measured if found.quality.collapse]:
        notes.append(f"! collapsed: {'; '.join(dict.fromkeys(flags))}")
    stopped = [found.robustness.stopped for found in measured if found.robustness and found.robustness.stopped]
    notes += [f"not all rows: surely below {stop.below:.0%}, with error rate {stop.error_rate:.0%}" for stop in stopped]
    for name in dict.fromkeys(attack.attack for attack in attacks):
        same = [attack for attack in attacks if attack.attack == name]
        counts = {
            "rows whose attack raised": sum(attack.errors for attack in same),
            "rows out of time": sum(attack.out_of_time for attack in same),
            "rows out of queries": sum(attack.out_of_queries for attack in same),
        }
        notes += [f"{name}: {what}, over all shown here: {count}" for what, count in counts.items() if count]
    return list(dict.fromkeys(notes))


def percent(estimate: Estimate) -> str:
    """`12.0% [8, 17]`."""
    return f"{estimate.value:.1%} [{estimate.low * 100:.0f}, {estimate.high * 100:.0f}]"
