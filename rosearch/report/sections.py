"""The sections of a report, in the order in which somebody reads who has just finished a search.

First what can be chosen from (the front), whether more search would help (the course), what won and where it came from,
how sure the figures are, then all candidates, and last what it cost and how it was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rosearch.report.attack_charts import attack_charts
from rosearch.report.beside import beside_tables, run_names
from rosearch.report.chart import Chart
from rosearch.report.comparisons import compare_students, comparison_tables
from rosearch.report.curves import curve, curve_charts
from rosearch.report.data import Row, Table, lefts
from rosearch.report.front_charts import front_charts
from rosearch.report.lineage import Lineage, founders_table, lineage_charts, variation_table
from rosearch.report.motifs import motif_statistics, motif_tables
from rosearch.report.overview import explanation, finalists_table, predictions_table, results_table
from rosearch.report.panels import graph
from rosearch.report.points import Shown
from rosearch.report.regression import regression_statistics, regression_tables
from rosearch.report.spending import failures_table, spending_chart, spending_table
from rosearch.report.statistics import feature_statistics
from rosearch.report.statistics_tables import statistics_tables
from rosearch.run.results import Results

_MOST_GRAPHS = 9
_INDEPENDENT = (
    "These describe the candidates of one run and prove no cause. An evolved population is no independent sample: "
    "relatives resemble each other in everything. So p is that of siblings. Trust "
    "Holm's p, and pool several seeds: rosearch stats RUN RUN."
)


@dataclass(frozen=True)
class Graph:
    """A drawn architecture and the record that a click on its title opens."""

    number: int
    title: str
    svg: Markup


@dataclass(frozen=True)
class Section:
    """One part of the page: a title, words, figures, drawings, tables, files in full."""

    id: str
    title: str
    words: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    graphs: tuple[Graph, ...] = ()
    tables: tuple[Table, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    folded: bool = False  # a table's first note is shown, and the rest, if there is any, when it is asked for
    all: bool = False  # the list of all candidates, which the page's script draws

    @property
    def filled(self) -> bool:
        """True where it shows something."""
        tables = any(table.rows for table in self.tables)
        return bool(self.charts or self.graphs or tables or self.files or self.all)


def sections(shown: Shown, lineage: Lineage, others: Sequence[Shown]) -> list[Section]:
    """The sections that have something to show. `others` are runs beside which the first is drawn."""
    found = [
        _front(shown),
        _course(shown, others),
        _winners(shown),
        _lineage(lineage),
        _attacks(shown.results),
        _statistics(shown),
        Section("all", "All students", all=True),
        _failures(shown.results),
        _spending(shown.results),
        _setting(shown.results),
    ]
    return [section for section in found if section.filled]


def _front(shown: Shown) -> Section:
    results = shown.results
    tables = [results_table("The front, validation rows", results, results.front, teacher=results.teacher)]
    if baselines := results.measured("baseline"):
        tables.append(results_table("Baselines: named architectures, distilled alike", results, baselines))
    if results.measured("finalist"):
        tables.append(finalists_table(results))
    words = (
        "Nobody on the front is beaten in all objectives at once. Lines are 95 % intervals. Efficiency is full from "
        f"{results.experiment.fitness.full_compression:g} times smaller on: there, size decides no more.",
        explanation(results),
    )
    return Section("front", "The front", words, front_charts(shown), tables=tuple(tables))


def _course(shown: Shown, others: Sequence[Shown]) -> Section:
    names = run_names([one.results for one in (shown, *others)])
    curves = [curve(one, name) for one, name in zip((shown, *others), names, strict=True)]
    tables = beside_tables([one.results for one in (shown, *others)], curves) if others else []
    words = ("A curve that still climbs at its end says that more candidates would help.",)
    title = "Course of the search" if not others else "Course of the search, beside other runs"
    return Section("course", title, words, curve_charts(curves), tables=tuple(tables))


def _winners(shown: Shown) -> Section:
    graphs = tuple(
        Graph(point.number, f"#{point.number} {point.label}: fitness {point.scalar:.3f}", graph(record))
        for point, record in zip(shown.front[:_MOST_GRAPHS], shown.results.front, strict=False)
    )
    words = (
        "From the embedded text to the output. A dashed line skips layers; a sign at the head of a box says how it "
        "merges what it reads. What nobody else reads goes into the output.",
    )
    return Section("winners", "The winning architectures", words, graphs=graphs)


def _lineage(lineage: Lineage) -> Section:
    tables = (variation_table(lineage), founders_table(lineage))
    return Section("descent", "Descent and variation", charts=lineage_charts(lineage), tables=tables)


def _attacks(results: Results) -> Section:
    tables = tuple(comparison_tables(compare_students(results)))
    return Section("attacks", "Under attack", charts=attack_charts(results), tables=tables)


def _statistics(shown: Shown) -> Section:
    if shown.table is None or not shown.of_role("candidate"):
        return Section("statistics", "")
    share = shown.results.experiment.fitness.max_class_share
    motifs = motif_tables(motif_statistics(shown.table, max_class_share=share))
    predicted = regression_tables(regression_statistics(shown.table, max_class_share=share))
    tables = (*statistics_tables(feature_statistics(shown.table, max_class_share=share)), *motifs, *predicted)
    return Section("statistics", "What goes with what", (_INDEPENDENT,), tables=tables, folded=True)


def _failures(results: Results) -> Section:
    return Section("failures", "Failures", tables=(failures_table(results),))


def _spending(results: Results) -> Section:
    chart = spending_chart(results)
    charts = () if chart.empty else (chart,)
    predictions = (predictions_table(episodes),) if (episodes := results.predictions) else ()
    return Section("cost", "Where the time went", charts=charts, tables=(spending_table(results), *predictions))


def _setting(results: Results) -> Section:
    table = Table("Made with", lefts("", ""), tuple(Row(fact) for fact in _environment(results)))
    return Section("setting", "Environment and configuration", tables=(table,), files=tuple(_snapshots(results)))


def _environment(results: Results) -> Iterator[tuple[str, str]]:
    yield "run", str(results.run.path)
    yield "strategy", results.experiment.evolution.strategy
    yield "seed", str(results.experiment.seed)
    yield from results.versions.items()
    measured = next((record.anew().measurements for record in results.records if record.status == "done"), None)
    if measured is not None:
        yield "device", f"{measured.efficiency.timed_on}, {measured.efficiency.threads} threads"
        yield "precision", measured.training.precision
    if results.teacher is not None:
        size, soft = f"{results.teacher.cost.parameters:,} parameters", results.experiment.teacher.outputs is not None
        told = f"compared with BERT-base's {size}" if soft else size
        yield results.teacher.called, f"{results.experiment.teacher.name}, {told}"


def _snapshots(results: Results) -> Iterator[tuple[str, str]]:
    """The resolved experiment and its space: opening the run has compared both with what it began with."""
    for title, path in (
        ("Experiment, resolved", results.run.experiment_file),
        ("Search space", results.run.search_space),
    ):
        yield title, path.read_text(encoding="utf-8")
