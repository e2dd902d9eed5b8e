"""The tables and figures that `rosearch stats` writes into the folder of a run, or of several into one of their own."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from rosearch.errors import RunError
from rosearch.report.comparable import refuse_others
from rosearch.report.comparisons import compare_students
from rosearch.report.figures import draw_correlations
from rosearch.report.front_charts import front_charts
from rosearch.report.motifs import motif_statistics
from rosearch.report.plotting import draw_charts
from rosearch.report.points import Shown
from rosearch.report.pooling import pooled_statistics
from rosearch.report.regression import regression_statistics
from rosearch.report.statistics import feature_statistics
from rosearch.report.tables import Cell, records_table, replace_file, table_of, whole_row, write_tables
from rosearch.run.results import Results


def candidates_table(results: Results) -> pd.DataFrame:
    """Every record of a run as a row, with its fitness."""
    yardstick = results.yardstick
    return records_table(results.records, None if yardstick is None else yardstick.score)


@dataclass(frozen=True)
class Statistics:
    """All statistics of the architectures of one run, or of several: then `features` are pooled."""

    features: pd.DataFrame
    motifs: pd.DataFrame
    regressions: pd.DataFrame


def statistics_of(candidates: pd.DataFrame, max_class_share: float) -> Statistics:
    """Those of the table of one run."""
    return Statistics(
        feature_statistics(candidates, max_class_share=max_class_share),
        motif_statistics(candidates, max_class_share=max_class_share),
        regression_statistics(candidates, max_class_share=max_class_share),
    )


def write_statistics(results: Results) -> tuple[Statistics, tuple[Path, ...]]:
    """Correlate architecture features with robustness and accuracy; write tables and figures into the run.

    Returns the statistics and the paths written; none where the run may not be written. Raises `RunError` where no
    candidate has been measured.
    """
    shown, candidates = _measured(results)
    found = statistics_of(candidates, results.experiment.fitness.max_class_share)
    folder, name = results.run.tables, results.run.path.name

    def write() -> Iterator[Path]:
        yield from write_tables(folder, candidates, found.features)
        yield from _write_more(folder, found)
        yield replace_file(folder / "front.png", partial(draw_charts(front_charts(shown)).savefig, format="png"))
        yield draw_correlations(found.features, folder / "correlations.png", title=name)

    return found, where_allowed(write)


def pool_statistics(runs: Sequence[Results], folder: Path | None) -> tuple[Statistics, tuple[Path, ...]]:
    """The statistics of several runs as one; written into a folder, if one is given.

    Raises `RunError` where the runs have not the same task, teacher and attacks, or one has measured nobody.
    """
    refuse_others(runs)
    tables, frames = [], []
    for place, results in enumerate(runs):
        (_, candidates), share = _measured(results), results.experiment.fitness.max_class_share
        frames.append(feature_statistics(candidates, max_class_share=share))
        tables.append(candidates.assign(run=str(place)))
    whole, share = pd.concat(tables, ignore_index=True), runs[0].experiment.fitness.max_class_share
    motifs = motif_statistics(whole, max_class_share=share)
    found = Statistics(pooled_statistics(frames), motifs, regression_statistics(whole, max_class_share=share))
    if folder is None:
        return found, ()
    pooled = (replace_file(folder / f"pooled.{kind}", write) for kind, write in _writers(found.features))
    return found, (*pooled, *_write_more(folder, found))


def _measured(results: Results) -> tuple[Shown, pd.DataFrame]:
    """The points of a run and the table of its records, for which each is read once."""
    if not results.measured("candidate"):
        raise RunError(f"{results.run.path}: no candidate has been measured yet: there is nothing to correlate")
    score = None if results.yardstick is None else results.yardstick.score
    rows: list[dict[str, Cell]] = []
    shown = Shown.of(results, each=lambda read: rows.extend(whole_row(record, score) for record in read))
    return shown, table_of(rows)


def _write_more(folder: Path, found: Statistics) -> Iterator[Path]:
    for name, table in (("motifs", found.motifs), ("regressions", found.regressions)):
        for kind, write in _writers(table):
            yield replace_file(folder / f"{name}.{kind}", write)


def _writers(table: pd.DataFrame) -> tuple[tuple[str, Callable[[Path], object]], ...]:
    return ("csv", partial(table.to_csv, index=False)), ("parquet", partial(table.to_parquet, index=False))


def write_comparisons(results: Results) -> tuple[pd.DataFrame, tuple[Path, ...]]:
    """Write `compare_students` into the run. Returns the comparisons and the paths written, as `write_statistics`."""
    table, folder = compare_students(results), results.run.tables

    def write() -> Iterator[Path]:
        for kind, writer in _writers(table):
            yield replace_file(folder / f"comparisons.{kind}", writer)

    return table, where_allowed(write)


def where_allowed(write: Callable[[], Iterable[Path]]) -> tuple[Path, ...]:
    """The paths that `write` gives; none where it may not write, as on a read-only disk. Other errors are raised."""
    try:
        return tuple(write())
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        return ()
