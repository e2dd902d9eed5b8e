"""What a person reads of a run: tables of records, one record, statistics."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rosearch.records.measurements import Estimate, Measurements, Quality, Robustness
from rosearch.records.record import Record
from rosearch.results import Results

_LOG_WIDTH = 120  # of a pipe or a file, which have no width of their own
out = Console(width=None if sys.stdout.isatty() else _LOG_WIDTH)
err = Console(stderr=True, width=None if sys.stderr.isatty() else _LOG_WIDTH)


def records_table(title: str, results: Results, records: Sequence[Record], *, teacher: bool = False) -> Table:
    """Records side by side; the teacher, where asked, is the first row. Intervals are Wilson's, 95 %."""
    table = Table(title=title, title_justify="left")
    metric = results.experiment.task.metric
    for column in ("id", "fitness", metric, "under attack", "words to break", "parameters", "smaller"):
        table.add_column(column, justify="left" if column == "id" else "right", no_wrap=column == "id")
    if teacher and (facts := results.teacher) is not None:
        cost = facts.cost.parameters
        table.add_row("teacher", "", *_result_cells(facts.quality, facts.robustness), _millions(cost), "1.0x")
    for record in records:
        found, fitness = record.measurements, results.fitness.get(record.number)
        if found is None or fitness is None:
            continue
        size = found.efficiency
        table.add_row(
            record.name or record.id[:8],
            f"{fitness.scalar:.3f}" if fitness.eligible else "[yellow]gated[/]",
            *_result_cells(found.quality, found.robustness),
            _millions(size.parameters),
            f"{size.compression:.1f}x",
        )
    return table


def _result_cells(quality: Quality, robustness: Robustness | None) -> tuple[str, str, str]:
    if robustness is None:
        return f"{quality.value:.3f}", "-", "-"
    return f"{quality.value:.3f}", percent(robustness.under_attack), f"{robustness.words_to_break.value:.3f}"


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f} M"


def percent(estimate: Estimate) -> str:
    """`12.0% [8, 17]`."""
    return f"{estimate.value:.1%} [{estimate.low * 100:.0f}, {estimate.high * 100:.0f}]"


def _explanation(results: Results) -> str:
    weights, fitness = results.experiment.fitness.weights, results.experiment.fitness
    attack = results.experiment.evaluation.robustness
    if results.experiment.task.problem == "regression":
        return f"fitness: {weights.accuracy:g} x accuracy + {weights.efficiency:g} x efficiency ({fitness.efficiency})"
    return (
        f"fitness: {weights.robustness:g} x {fitness.robustness} + {weights.accuracy:g} x accuracy + "
        f"{weights.efficiency:g} x efficiency ({fitness.efficiency}), over the weights' sum. "
        f"Attack: {attack.attack} on {attack.rows} rows. Gated: below {fitness.min_quality:g} of the teacher's quality "
        f"or above {fitness.max_class_share:g} of predictions in one class"
    )


def seconds_line(results: Results) -> str:
    """`distil 71%, attack 20%, ... of 1234 s in workers`."""
    total = sum(results.seconds.values())
    if not total:
        return "no time spent yet"
    shares = ", ".join(f"{stage} {seconds / total:.0%}" for stage, seconds in results.seconds.items())
    return f"{shares} of {total:.0f} s in workers"


def print_results(results: Results) -> None:
    """The end of a search: the front, the baselines, the finalists, and what to type next."""
    path = results.run.path
    front = results.front
    out.print(records_table("Front (validation rows)", results, front, teacher=True))
    if baselines := [r for r in results.of("baseline") if r.measurements]:
        out.print(records_table("Baselines (named architectures, same distillation)", results, baselines))
    if finalists := [r for r in results.of("finalist") if r.measurements]:
        out.print(records_table("Finalists (fresh seeds, test split)", results, finalists))
    if not front:
        out.print("[yellow]No candidate passed the gates[/]: `rosearch status` names those that were missed")
    out.print(f"[dim]{_explanation(results)}[/]", highlight=False)
    out.print(f"Time: {seconds_line(results)}", highlight=False)
    failed = sum(record.status == "failed" for record in results.records)
    out.print(
        f"{len(results.of('candidate'))} candidates, {failed} failed. The run: [bold]{path}[/]",
        highlight=False,
    )
    out.print(f"Next:\n  rosearch stats {path}", highlight=False, soft_wrap=True)
    if front:
        out.print(
            f"  rosearch show {path} {front[0].id[:8]}\n  rosearch export {path} --best",
            highlight=False,
            soft_wrap=True,
        )


def print_record(results: Results, record: Record) -> None:
    """One record, for reading."""
    title = f"#{record.number} {record.id} {record.name}".rstrip()
    table = Table(title=title, title_justify="left", show_header=False)
    for name, value in _facts(results, record):
        table.add_row(name, escape(value))  # a failure's message may hold brackets
    out.print(table)
    nodes = Table(title="Architecture", title_justify="left")
    for column in ("node", "operation", "settings", "reads", "merge"):
        nodes.add_column(column)
    for position, node in enumerate(record.genotype.nodes, start=1):
        settings = ", ".join(f"{name} {value}" for name, value in node.settings)
        reads = ", ".join("source" if read == 0 else str(read) for read in node.inputs)
        sink = " (to output)" if position in record.genotype.sinks else ""
        nodes.add_row(str(position), node.op + sink, settings, reads, node.merge if len(node.inputs) > 1 else "")
    out.print(nodes)


def _facts(results: Results, record: Record) -> list[tuple[str, str]]:
    genotype, found = record.genotype, record.measurements
    facts = [
        ("status", record.status),
        ("origin", " ".join([record.origin, *(parent[:8] for parent in record.parents)])),
        ("generation", str(record.generation)),
        ("width, rank, pooling", f"{genotype.width}, {genotype.rank}, {genotype.pooling}"),
    ]
    if record.failure is not None:
        facts.append(("failure", str(record.failure)))
    if found is not None:
        facts += _measured_facts(found)
    if (fitness := results.fitness.get(record.number)) is not None:
        terms = f"accuracy {fitness.accuracy:.4f}, efficiency {fitness.efficiency:.4f}"
        if fitness.robustness is not None:
            terms = f"robustness {fitness.robustness:.4f}, {terms}"
        gates = f"; gates missed: {' '.join(fitness.gates)}" if fitness.gates else ""
        facts.append(("fitness", f"{fitness.scalar:.4f} ({terms}){gates}"))
    facts.append(("seconds", ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in record.seconds.items())))
    return facts


def _measured_facts(found: Measurements) -> list[tuple[str, str]]:
    quality, efficiency, robust = found.quality, found.efficiency, found.robustness
    facts = [(f"clean {quality.metric}", f"{quality.value:.4f} on {quality.n} rows")]
    if robust is not None:
        facts += [
            (
                f"under {robust.attack}",
                f"{percent(robust.under_attack)} of {robust.n} rows (clean {percent(robust.clean)})",
            ),
            ("attack success rate", f"{percent(robust.success_rate)} of {robust.success_rate.n} attacked"),
            ("words to break", interval(robust.words_to_break)),
            ("perturbed words", f"{interval(robust.perturbed_words)} of {robust.perturbed_words.n} broken"),
            ("queries", interval(robust.queries)),
        ]
    facts += [
        ("parameters", f"{efficiency.parameters:,} ({efficiency.compression:.2f}x smaller than the teacher)"),
        ("without embeddings", f"{efficiency.encoder_parameters:,} ({efficiency.encoder_compression:.2f}x)"),
        (
            "FLOPs",
            f"{efficiency.flops / 1e6:.1f} M for {efficiency.tokens} tokens ({efficiency.flops_compression:.2f}x)",
        ),
        ("on disk", f"{efficiency.size_mb:.1f} MB"),
    ]
    facts += [
        (
            f"latency, batch {latency.batch_size}",
            f"{latency.median_ms:.2f} ms [{latency.low_ms:.2f}, {latency.high_ms:.2f}] quartiles, "
            f"{efficiency.device}, {efficiency.threads} threads",
        )
        for latency in efficiency.latency
    ]
    return facts


def interval(estimate: Estimate) -> str:
    """`0.212 [0.180, 0.244]`."""
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def print_statistics(statistics: pd.DataFrame, paths: Sequence[Path]) -> None:
    """A table per outcome, strongest correlation first."""
    for outcome, rows in statistics.groupby("outcome", sort=False):
        table = Table(title=f"What goes with {outcome} (Spearman)", title_justify="left")
        for column in ("feature", "rho", "p", "p (Holm)", "rho given parameters", "p", "n", "note"):
            table.add_column(column, justify="left" if column in ("feature", "note") else "right")
        ordered = rows.sort_values("rho", key=abs, ascending=False, na_position="last")
        for row in ordered.to_dict(orient="records"):
            numbers = (row[name] for name in ("rho", "p", "p_holm", "partial_rho", "partial_p"))
            cells = ["" if math.isnan(value) else f"{value:.3f}" for value in map(float, numbers)]
            table.add_row(str(row["feature"]), *cells, str(row["n"]), str(row["note"]))
        out.print(table)
    out.print(
        "Many features are compared at once: trust Holm's p, and repeat on another seed.\nWritten:",
        highlight=False,
    )
    for path in paths:
        out.print(f"  {path}", highlight=False, markup=False, soft_wrap=True)
