from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from report.descent import evolve
from report.made_run import make_run

from rosearch.evolution.agreement import Agreement, EpisodeAgreement
from rosearch.report.compare import Compared
from rosearch.report.data import Table
from rosearch.report.details import record_tables
from rosearch.report.lineage import Lineage
from rosearch.report.overview import predictions_table
from rosearch.report.page import render_page
from rosearch.report.points import Shown
from rosearch.report.pooling import pooled_statistics, pooled_tables
from rosearch.report.sections import Section, sections
from rosearch.report.statistics import feature_statistics
from rosearch.run.results import Results


def sections_of(first: Results, *others: Results) -> list[Section]:
    shown, *beside = (Shown.of(one, table=place == 0) for place, one in enumerate((first, *others)))
    return sections(shown, Lineage.of(shown), beside)


def every_table(made: Results, other: Results) -> Iterator[Table]:
    for section in sections_of(made, other):
        yield from section.tables
    yield from Compared.of([made, other], ["seed"]).tables
    yield from record_tables(made, made.records[0])
    yield from pooled_tables(pooled_statistics([feature_statistics(evolve(seed, 8, 3)) for seed in (1, 2)]), 2)
    yield predictions_table([EpisodeAgreement(1, Agreement(3, 0.5, 0.5), Agreement(3, None, None))])


def test_no_table_has_two_columns_of_one_name(made: Results, tmp_path: Path) -> None:
    """A note names the columns that had no room: each name means one of them."""
    tables = list(every_table(made, make_run(tmp_path, 8, seed=7)))
    assert len(tables) > 15
    for table in tables:
        names = [column.name for column in table.columns if column.name]
        assert len(names) == len(set(names)), (table.title, names)


def test_the_page_says_how_well_architecture_predicts_or_why_nothing_is_predicted(made: Results) -> None:
    (told,) = (one for one in sections_of(made) if one.id == "statistics")
    shown = told.tables[-1]
    assert shown.title.startswith("Predicted from architecture") and shown.rows and "held out whole" in shown.notes[0]
    few = replace(made, records=made.records[:7])
    assert "could be held out: nothing is predicted" in render_page([few])
