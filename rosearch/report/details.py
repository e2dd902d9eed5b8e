"""One record in full: its facts, its attacks, its classes, its architecture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rosearch.measurements import Estimate, Lineage, Measurements, Robustness
from rosearch.records.record import Record
from rosearch.report.data import (
    INTERVAL,
    PERCENT,
    SHARE,
    Cell,
    Column,
    Row,
    Table,
    Unit,
    Value,
    interval,
    lefts,
    metric_unit,
    percent,
)
from rosearch.report.overview import size_in_words
from rosearch.run.results import Results
from rosearch.space.genes import all_in_words


def record_tables(results: Results, record: Record) -> list[Table]:
    """All that `rosearch show` prints of a record; its attacks and classes only where they were measured."""
    return [*measured_tables(results, record), _architecture_table(record)]


def measured_tables(results: Results, record: Record) -> list[Table]:
    """The same without the architecture."""
    tables = [_facts_table(results, record)]
    if (found := record.measurements) is not None and found.robustness is not None:
        tables.append(_attacks_table(found, found.robustness))
    if found is not None and (found.quality.per_class or (found.robustness and found.robustness.per_class)):
        tables.append(_classes_table(found, results.experiment.require_task().labels))
    return tables


def _facts_table(results: Results, record: Record) -> Table:
    title = f"#{record.number} {record.id} {record.name}".rstrip()
    return Table(title, lefts("", ""), tuple(Row(fact) for fact in _facts(results, record)))


def _facts(results: Results, record: Record) -> list[tuple[str, str]]:
    genotype, found = record.genotype, record.measurements
    facts = [
        ("status", record.status),
        ("origin", " ".join([record.origin, *(parent[:8] for parent in record.parents)])),
        ("role", _role(record, results.experiment.evolution.mode == "steady")),
        ("width, rank, pooling", f"{genotype.width}, {genotype.rank}, {genotype.pooling}"),
    ]
    if genotype.source:
        facts.append(("source", ", ".join(f"{name} {value}" for name, value in genotype.source)))
    if genotype.training:
        facts.append(("trained with", all_in_words(genotype.training)))
    if record.failure is not None:
        facts.append(("failure", str(record.failure)))
    if found is not None:
        facts += [
            *_rung_facts(found),
            *_measured_facts(found, "the teacher" if results.teacher is None else results.teacher.whose_cost),
        ]
    if (fitness := results.fitness.get(record.number)) is not None:
        terms = f"accuracy {fitness.accuracy:.4f}, efficiency {fitness.efficiency:.4f}"
        if fitness.robustness is not None:
            terms = f"robustness {fitness.robustness:.4f}, {terms}"
        gates = f"; gates missed: {' '.join(fitness.gates)}" if fitness.gates else ""
        facts.append(("fitness", f"{fitness.scalar:.4f} ({terms}){gates}"))
    facts.append(("time", ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in record.seconds.items())))
    return facts


def _role(record: Record, steady: bool) -> str:
    """The part that a record plays, and the rows that it was measured on."""
    if record.role == "finalist":
        return "finalist: trained again with a seed of its own, measured on test rows"
    played = f"candidate of generation {record.generation}" if record.role == "candidate" else record.role
    if record.role == "candidate" and steady:
        played = f"candidate, proposed when {record.generation:,} others were over"
    return f"{played}, measured on validation rows"


def _rung_facts(found: Measurements) -> list[tuple[str, str]]:
    """A line for each rung that it came to."""
    facts = []
    for number, rung in enumerate(found.rungs, start=1):
        attacked = "" if rung.robustness is None else f"robustness {rung.robustness:.4f}, "
        terms = f"{attacked}accuracy {rung.accuracy:.4f}, fitness {rung.scalar:.4f}"
        ended = "promoted" if rung.promoted else "stopped: all figures here are those of this rung"
        facts.append((f"rung {number}", f"{ended}; after {rung.steps:,} steps {terms}"))
    return facts


def _measured_facts(found: Measurements, beside: str) -> list[tuple[str, str]]:
    quality, efficiency = found.quality, found.efficiency
    facts = [(f"clean {quality.metric}", f"{metric_unit(quality.metric).text(quality.value)} of {quality.n} rows")]
    facts += [("collapsed", quality.collapse)] if quality.collapse else []
    facts += [] if quality.calibration is None else [("calibration error", str(quality.calibration))]
    facts += [("held-out loss", f"{found.held_out_loss:.4f}")] if found.held_out_loss is not None else []
    for swaps in found.single_swaps:
        worst = f"right on all of {swaps.texts} texts: {percent(swaps.worst)} of {swaps.n} rows"
        facts.append((f"single swaps of {swaps.attack}", f"{worst}, margin {interval(swaps.margin)}"))
    facts += [] if found.lineage is None else [("first weights", _start(found.lineage))]
    figures = {} if found.meaning is None else found.meaning.figures
    facts += [
        (name, f"{percent(value)} of {value.n}" if isinstance(value, Estimate) else f"{value:.1%}")
        for name, value in figures.items()
    ]
    facts += [
        ("parameters", f"{efficiency.parameters:,} ({size_in_words(efficiency.compression)} than {beside})"),
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
            f"{efficiency.timed_on}, {efficiency.threads} threads",
        )
        for latency in efficiency.latency
    ]
    return facts


def _start(lineage: Lineage) -> str:
    """Where the first weights came from, how much, and what that took."""
    if not lineage.origin:
        return "fresh"
    of = lineage.parent[:8] if lineage.parent else "the teacher's layers"
    nodes = f"{sum(map(bool, lineage.nodes))} of {len(lineage.nodes)} nodes"
    return f"{of}: {lineage.share:.1%} of its parameters, {nodes}; {lineage.inherited_steps:,} steps in all"


_QUERIES = Unit(decimals=1, ends=1)

# A row of the table of attacks; one that no attack has is left out.
_ATTACKED: dict[str, Callable[[Robustness], Value | Cell]] = {
    "clean": lambda r: Cell(r.clean, PERCENT, f" of {r.n} rows"),
    "under attack": lambda r: Cell(r.under_attack, PERCENT),
    "attack success rate": lambda r: Cell(r.success_rate, PERCENT, f" of {r.success_rate.n}"),
    "words to break": lambda r: Cell(r.words_to_break, PERCENT),
    "perturbed words": lambda r: Cell(r.perturbed_words, PERCENT, f" in {r.perturbed_words.n} broken rows"),
    "queries": lambda r: Cell(r.queries, _QUERIES, " a row"),
    "distinct queries": lambda r: None if r.distinct_queries is None else Cell(r.distinct_queries, _QUERIES, " a row"),
    "similarity": lambda r: r.similarity,
    "time": lambda r: Cell(r.seconds, Unit(" s", 1)),
}


def _attacks_table(found: Measurements, worst: Robustness) -> Table:
    """The worst case and each attack alone, a column each; one attack alone is the worst case."""
    columns = {"worst case": worst} | {attack.attack: attack for attack in found.attacks}
    if len(found.attacks) < 2:
        columns = {worst.attack: worst}
    rows = []
    for name, read in _ATTACKED.items():
        cells = [read(attack) for attack in columns.values()]
        if any(cell is not None for cell in cells):
            rows.append(Row((name, *cells)))
    notes = [f"{name}: {attack.differs}" for name, attack in columns.items() if attack.differs]
    notes += [f"{name}: candidates from {', '.join(attack.reads)}" for name, attack in columns.items() if attack.reads]
    notes += [f"{name}: {note}" for name, attack in columns.items() for note in attack.notes]
    shown = (Column(name, INTERVAL, "left", missing="") for name in columns)
    return Table("Under attack", (Column("", align="left"), *shown), tuple(rows), tuple(notes))


def _classes_table(found: Measurements, labels: Sequence[str]) -> Table:
    """Each class on all clean rows, then on the attacked ones; figures that were not measured are left empty."""
    columns = (
        Column("class", align="left"),
        Column("rows", missing=""),
        Column("recall", PERCENT, missing=""),
        Column("precision", SHARE, missing=""),
        Column("F1", SHARE, missing=""),
        Column("attacked", missing=""),
        Column("clean", PERCENT, missing="", spare=1),
        Column("under attack", PERCENT, missing=""),
    )
    clean = {one.label: (one.n, one.recall, one.precision, one.f1) for one in found.quality.per_class}
    attacked = () if found.robustness is None else found.robustness.per_class
    under = {one.label: (one.n, one.clean, one.under_attack) for one in attacked}
    rows = [
        Row((_named(label, labels), *clean.get(label, (None,) * 4), *under.get(label, (None,) * 3)))
        for label in sorted({**clean, **under})
    ]
    return Table("By class", columns, tuple(rows))


def _named(label: int, labels: Sequence[str]) -> str:
    return labels[label] if label < len(labels) else str(label)


def _architecture_table(record: Record) -> Table:
    rows = []
    for position, node in enumerate(record.genotype.nodes, start=1):
        settings = ", ".join(f"{name} {value}" for name, value in node.settings)
        reads = ", ".join("source" if read == 0 else str(read) for read in node.inputs)
        sink = " (to output)" if position in record.genotype.sinks else ""
        merge = node.merge if len(node.inputs) > 1 else ""
        rows.append(Row((str(position), node.op + sink, settings, reads, merge)))
    return Table("Architecture", lefts("node", "operation", "settings", "reads", "merge"), tuple(rows))
