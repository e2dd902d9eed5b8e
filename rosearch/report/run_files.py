"""The tables and figures that `rosearch stats` writes into the folder of a run."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from rosearch.errors import RunError
from rosearch.report.comparisons import compare_students
from rosearch.report.figures import draw_correlations, draw_front
from rosearch.report.statistics import feature_statistics
from rosearch.report.tables import records_table, replace_file, write_tables
from rosearch.run.results import Results


def candidates_table(results: Results) -> pd.DataFrame:
    """Every record of a run as a row, with its fitness."""
    yardstick = results.yardstick
    return records_table(results.records, None if yardstick is None else yardstick.score)


def write_statistics(results: Results) -> tuple[pd.DataFrame, tuple[Path, ...]]:
    """Correlate architecture features with robustness and accuracy; write tables and figures into the run.

    Returns the statistics and the paths written. Raises `RunError` where no candidate has been measured.
    """
    if not results.measured("candidate"):
        raise RunError(f"{results.run.path}: no candidate has been measured yet: there is nothing to correlate")
    candidates = candidates_table(results)
    statistics = feature_statistics(candidates, max_class_share=results.experiment.fitness.max_class_share)
    folder, name = results.run.tables, results.run.path.name
    tables = write_tables(folder, candidates, statistics)
    front = draw_front(candidates, folder / "front.png", title=name)
    correlations = draw_correlations(statistics, folder / "correlations.png", title=name)
    return statistics, (*tables, front, correlations)


def write_comparisons(results: Results) -> tuple[pd.DataFrame, tuple[Path, ...]]:
    """Write `compare_students` into the run. Returns the comparisons and the paths written."""
    table = compare_students(results)
    csv = replace_file(results.run.tables / "comparisons.csv", partial(table.to_csv, index=False))
    parquet = replace_file(results.run.tables / "comparisons.parquet", partial(table.to_parquet, index=False))
    return table, (csv, parquet)
