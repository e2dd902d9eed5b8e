"""From the records of a run to what people take away: tables and figures of its statistics, an exported student.

Nothing here loads torch until a student is exported.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd

from rosearch.errors import RunError
from rosearch.evaluation.comparison import ALPHA, Comparison, PairedDifference, compare
from rosearch.measurements import Robustness
from rosearch.records.record import Record
from rosearch.report.figures import draw_correlations, draw_front
from rosearch.report.statistics import feature_statistics, holm
from rosearch.report.tables import records_table, replace_file, write_tables
from rosearch.run.results import Results

# Of the comparisons' table. Differences are the student's less the other's, in 0..1, with 95 % intervals.
COMPARISONS: dict[str, str] = {
    "role": "string",
    "student": "string",
    "against": "string",
    "attack": "string",
    "n": "Int64",
    "only_student": "Int64",  # rows that survive in it alone
    "only_other": "Int64",
    **{
        f"{name}{column}": "float64"
        for name in ("survival", "words_to_break")
        for column in ("", "_low", "_high", "_p", "_p_holm")
    },
    "separated": "boolean",  # by accuracy under attack, after Holm's adjustment
    "rows_needed": "Int64",  # about how many would separate them, if the difference is the one seen
    "warning": "string",
}


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
    """Compare the front with the best candidate, and the finalists with its retraining, row by row.

    Returns the table (`COMPARISONS`, p adjusted by Holm within each role) and the paths written. Students are only
    compared where they were attacked on the same rows with the same frozen plan, to the end: none that was
    stopped early, none of an older version's records.
    """
    rows = [_comparison_row(*found) for found in (*_front_pairs(results), *_finalist_pairs(results))]
    table = pd.DataFrame(rows).reindex(columns=list(COMPARISONS)).astype(COMPARISONS)
    for name in ("survival", "words_to_break"):
        for _, group in table.groupby("role"):
            table.loc[group.index, f"{name}_p_holm"] = holm(group[f"{name}_p"].to_numpy())
    table["separated"] = (table["survival_p_holm"] < ALPHA).astype("boolean")
    csv = replace_file(results.run.tables / "comparisons.csv", partial(table.to_csv, index=False))
    parquet = replace_file(results.run.tables / "comparisons.parquet", partial(table.to_parquet, index=False))
    return table, (csv, parquet)


def _front_pairs(results: Results) -> Iterator[tuple[str, str, Comparison]]:
    for record in results.front[1:]:
        yield from _compared(record, results.front[0])


def _finalist_pairs(results: Results) -> Iterator[tuple[str, str, Comparison]]:
    """Each with the best candidate's retraining, replicate by replicate: the search chose it, not the test rows."""
    finalists = results.measured("finalist")
    best = {r.replicate: r for r in finalists if results.ranking and r.id == results.ranking[0].id}
    for record in finalists:
        reference = best.get(record.replicate)
        if reference is not None and reference.id != record.id:
            yield from _compared(record, reference)


def _compared(record: Record, reference: Record) -> Iterator[tuple[str, str, Comparison]]:
    found, other = (r.measurements.robustness if r.measurements else None for r in (record, reference))
    if found is None or other is None or _frozen(found) != _frozen(other) or not found.outcomes:
        return
    if found.stopped or other.stopped:
        return
    survived, shares = zip(*((robustness.survived, robustness.shares) for robustness in (found, other)))
    yield (
        record.role,
        found.attack,
        compare(record.label, survived[0], shares[0], reference.label, survived[1], shares[1]),
    )


def _frozen(robustness: Robustness) -> tuple[str, int, str, int]:
    """What two models must share for their rows to be pairs."""
    return robustness.attack, robustness.seed, robustness.plan, len(robustness.outcomes)


def _comparison_row(role: str, attack: str, found: Comparison) -> dict[str, object]:
    return {
        "role": role,
        "student": found.first,
        "against": found.second,
        "attack": attack,
        "n": found.n,
        "only_student": found.only_first,
        "only_other": found.only_second,
        **_difference("survival", found.survival),
        **_difference("words_to_break", found.words_to_break),
        "rows_needed": None if found.separated else found.survival.needed,
        "warning": found.warning,
    }


def _difference(name: str, found: PairedDifference) -> dict[str, float]:
    difference = found.difference
    return {
        name: difference.value,
        f"{name}_low": difference.low,
        f"{name}_high": difference.high,
        f"{name}_p": found.p,
    }
