"""The tables and figures that `rosearch stats` writes into the folder of a run."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pandas as pd

from rosearch.errors import RunError
from rosearch.report.comparisons import compare_students
from rosearch.report.figures import draw_correlations
from rosearch.report.gallery import Gallery
from rosearch.report.statistics import feature_statistics
from rosearch.report.tables import records_table, replace_file, write_tables
from rosearch.run.results import Results


def candidates_table(results: Results) -> pd.DataFrame:
    """Every record of a run as a row, with its fitness."""
    yardstick = results.yardstick
    return records_table(results.records, None if yardstick is None else yardstick.score)


def write_statistics(results: Results) -> tuple[pd.DataFrame, tuple[Path, ...]]:
    """Correlate architecture features with robustness and accuracy; write tables and figures into the run.

    Returns the statistics and the paths written; none where the run may not be written. Raises `RunError` where no
    candidate has been measured.
    """
    if not results.measured("candidate"):
        raise RunError(f"{results.run.path}: no candidate has been measured yet: there is nothing to correlate")
    candidates = candidates_table(results)
    statistics = feature_statistics(candidates, max_class_share=results.experiment.fitness.max_class_share)
    folder, name = results.run.tables, results.run.path.name

    def write() -> Iterator[Path]:
        yield from write_tables(folder, candidates, statistics)
        yield replace_file(folder / "front.png", partial(Gallery(results).front().savefig, format="png"))
        yield draw_correlations(statistics, folder / "correlations.png", title=name)

    return statistics, where_allowed(write)


def write_comparisons(results: Results) -> tuple[pd.DataFrame, tuple[Path, ...]]:
    """Write `compare_students` into the run. Returns the comparisons and the paths written, as `write_statistics`."""
    table, folder = compare_students(results), results.run.tables

    def write() -> Iterator[Path]:
        yield replace_file(folder / "comparisons.csv", partial(table.to_csv, index=False))
        yield replace_file(folder / "comparisons.parquet", partial(table.to_parquet, index=False))

    return table, where_allowed(write)


def where_allowed(write: Callable[[], Iterable[Path]]) -> tuple[Path, ...]:
    """The paths that `write` gives; none where it may not write, as on a read-only disk. Other errors are raised."""
    try:
        return tuple(write())
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        return ()
