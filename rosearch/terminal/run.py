"""What a person reads of a run: tables of records, one record, statistics."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rosearch.measurements import Estimate, Measurements, Robustness
from rosearch.records.record import Record
from rosearch.report.words import explanation
from rosearch.run.results import Results
from rosearch.terminal.table import percent, results_table

_LOG_WIDTH = 120  # of a pipe or a file, which have no width of their own
out = Console(width=None if sys.stdout.isatty() else _LOG_WIDTH, emoji=False)
err = Console(stderr=True, width=None if sys.stderr.isatty() else _LOG_WIDTH, emoji=False)


def seconds_line(results: Results) -> str:
    """`distil 71%, attack 20%, ... of 1234 s in workers; attack / training 0.28`."""
    total = sum(results.seconds.values())
    if not total:
        return "no time spent yet"
    shares = ", ".join(f"{stage} {seconds / total:.0%}" for stage, seconds in results.seconds.items())
    ratio = results.attack_over_training
    told = "" if ratio is None else f"; attack / training {ratio:.2f}"
    return f"{shares} of {total:.0f} s in workers{told}"


def print_results(results: Results) -> None:
    """The end of a search: the front, the baselines, the finalists, and what to type next."""
    path = results.run.path
    front = results.front
    out.print(results_table("Front (validation rows)", results, front, teacher=True))
    if baselines := [r for r in results.of("baseline") if r.measurements]:
        out.print(results_table("Baselines (named architectures, same distillation)", results, baselines))
    if finalists := [r for r in results.of("finalist") if r.measurements]:
        out.print(results_table("Finalists (fresh seeds, test split)", results, finalists))
    if not front:
        out.print("[yellow]No candidate passed the gates[/]: `rosearch status` names those that were missed")
    out.print(f"[dim]{explanation(results)}[/]", highlight=False)
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
    if (found := record.measurements) is not None and found.robustness is not None:
        out.print(_attacks_table(found, found.robustness))
        if found.robustness.per_class:
            out.print(_classes_table(found.robustness, results.experiment.require_task().labels))
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
    if genotype.source:
        facts.append(("source", ", ".join(f"{name} {value}" for name, value in genotype.source)))
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
    quality, efficiency = found.quality, found.efficiency
    facts = [(f"clean {quality.metric}", f"{quality.value:.4f} on {quality.n} rows")]
    facts += [("collapsed", quality.collapse)] if quality.collapse else []
    facts += [("held-out loss", f"{found.held_out_loss:.4f}")] if found.held_out_loss is not None else []
    for swaps in found.single_swaps:
        worst = f"right on all of {swaps.texts} texts: {percent(swaps.worst)} of {swaps.n} rows"
        facts.append((f"single swaps of {swaps.attack}", f"{worst}, margin {interval(swaps.margin)}"))
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


def _attacks_table(found: Measurements, worst: Robustness) -> Table:
    """The worst case and each attack alone, a column each; one attack alone is the worst case."""
    columns = {"worst case": worst} | {attack.attack: attack for attack in found.attacks}
    if len(found.attacks) < 2:
        columns = {worst.attack: worst}
    table = Table(title="Under attack", title_justify="left", caption_justify="left")
    table.add_column("")
    for name in columns:
        table.add_column(name)
    shown: dict[str, Callable[[Robustness], str]] = {
        "clean": lambda r: f"{percent(r.clean)} of {r.n} rows",
        "under attack": lambda r: percent(r.under_attack),
        "attack success rate": lambda r: f"{percent(r.success_rate)} of {r.success_rate.n}",
        "words to break": lambda r: interval(r.words_to_break),
        "perturbed words": lambda r: f"{interval(r.perturbed_words)} of {r.perturbed_words.n} broken",
        "queries": lambda r: interval(r.queries),
        "distinct queries": lambda r: interval(r.distinct_queries) if r.distinct_queries else "",
        "similarity": lambda r: interval(r.similarity) if r.similarity else "",
        "seconds": lambda r: f"{r.seconds:.1f}",
    }
    for name, show in shown.items():
        cells = [show(attack) for attack in columns.values()]
        if any(cells):
            table.add_row(name, *cells)
    notes = [f"{name}: {attack.differs}" for name, attack in columns.items() if attack.differs]
    notes += [f"{name}: {note}" for name, attack in columns.items() for note in attack.notes]
    table.caption = escape("\n".join(notes)) or None
    return table


def _classes_table(robustness: Robustness, labels: Sequence[str]) -> Table:
    table = Table(title="By class", title_justify="left")
    for column in ("class", "rows", "clean", "under attack"):
        table.add_column(column, justify="left" if column == "class" else "right")
    for one in robustness.per_class:
        name = labels[one.label] if one.label < len(labels) else str(one.label)
        table.add_row(escape(name), str(one.n), percent(one.clean), percent(one.under_attack))
    return table


def interval(estimate: Estimate) -> str:
    """`0.212 [0.180, 0.244]`."""
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def print_comparisons(comparisons: pd.DataFrame) -> None:
    """Each student against the best, row by row; nothing where no two were attacked on the same rows."""
    for role, rows in comparisons.groupby("role", sort=False):
        table = Table(title=f"Against the best: {role}s, paired by row", title_justify="left", caption_justify="left")
        columns = ("student", "against", "rows", "under attack", "p (Holm)", "words to break", "p (Holm)", "verdict")
        for column in columns:
            table.add_column(column, justify="left" if column in ("student", "against", "verdict") else "right")
        for row in rows.to_dict(orient="records"):
            cells = []
            for name in ("survival", "words_to_break"):
                value, low, high = (100 * float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
                cells += [f"{value:+.1f} [{low:.1f}, {high:.1f}]", f"{row[f'{name}_p_holm']:.3f}"]
            verdict = "separated" if row["separated"] else "[yellow]not separated[/]"
            if not row["separated"] and not pd.isna(row["rows_needed"]):
                verdict += f": about {int(row['rows_needed']):,} rows would"
            table.add_row(str(row["student"]), str(row["against"]), str(row["n"]), *cells, verdict)
        caption = "in points; McNemar's test and sign flips, 95 % intervals of one comparison each"
        if role == "candidate":
            caption += "\nthe best was chosen on these very rows: the finalists' comparison is the fair one"
        table.caption = caption
        out.print(table)


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
