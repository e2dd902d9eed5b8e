"""The students of a run against its best, row by row: paired tests as a pandas table, and as tables to read."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import pandas as pd

from rosearch.evaluation.comparison import ALPHA, Comparison, PairedDifference, compare, holm
from rosearch.measurements import Robustness
from rosearch.records.record import Record
from rosearch.report.columns import COMPARISONS, dtypes
from rosearch.report.data import POINTS, THOUSANDTHS, Column, Interval, Row, Table, Value
from rosearch.run.results import Results


def compare_students(results: Results) -> pd.DataFrame:
    """Compare the front with the best candidate, and the finalists with its retraining, row by row.

    Returns a table with the columns `COMPARISONS`, p adjusted by Holm within each role. Students are compared only
    where they were attacked on the same rows with the same frozen plan, to the end: none that was stopped early, none
    of an older version's records.
    """
    rows = [_comparison_row(*found) for found in (*_front_pairs(results), *_finalist_pairs(results))]
    table = pd.DataFrame(rows).reindex(columns=list(COMPARISONS)).astype(dtypes(COMPARISONS))
    for name in ("survival", "words_to_break"):
        for _, group in table.groupby("role"):
            table.loc[group.index, f"{name}_p_holm"] = holm(group[f"{name}_p"].to_numpy())
    table["separated"] = (table["survival_p_holm"] < ALPHA).astype("boolean")
    return table


def comparison_tables(comparisons: pd.DataFrame) -> list[Table]:
    """Each student against the best, a table for each role; none where no two were attacked on the same rows."""
    tables = []
    for role, rows in comparisons.groupby("role", sort=False):
        records = rows.to_dict(orient="records")
        notes = [*(_sentence(row) for row in records), _TESTS]
        if role == "candidate":
            notes.append("the best was chosen on these very rows: the finalists' comparison is the fair one")
        shown = tuple(Row(_cells(row)) for row in records)
        tables.append(Table(f"Against the best: {role}s, paired by row", _COLUMNS, shown, tuple(notes)))
    return tables


def comparison_verdicts(comparisons: pd.DataFrame) -> list[str]:
    """A sentence for each comparison."""
    return [_sentence(row) for row in comparisons.to_dict(orient="records")]


_TESTS = "differences in percentage points; McNemar's test and sign flips; 95 % intervals of one comparison each"
_COLUMNS = (
    Column("student", align="left", whole=True),
    Column("against", align="left", whole=True, spare=3),
    Column("rows"),
    Column("under attack", POINTS),
    Column("p (Holm)", THOUSANDTHS),
    Column("words to break", POINTS, spare=1),
    Column("its p (Holm)", THOUSANDTHS, spare=2),
)


def _cells(row: Mapping[Hashable, Any]) -> tuple[Value, ...]:
    figures: list[Value] = []
    for name in ("survival", "words_to_break"):
        figures.append(Interval(*(float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))))
        figures.append(float(row[f"{name}_p_holm"]))
    return (str(row["student"]), str(row["against"]), int(row["n"]), *figures)


def _sentence(row: Mapping[Hashable, Any]) -> str:
    """E.g. `3fa9c2d1 and 81ac90ff cannot be told apart on 50 rows; about 300 would tell them apart.`"""
    student, other, rows = row["student"], row["against"], f"{int(row['n']):,} rows"
    if row["separated"]:
        more = "more" if row["survival"] > 0 else "fewer"
        points = f"{abs(100 * row['survival']):.1f} points of the {rows} {more}"
        return f"{student} keeps {points} under attack than {other}: they are told apart (p {_p(row)})."
    needed = row["rows_needed"]
    more = "" if pd.isna(needed) else f"; about {int(needed):,} would tell them apart"
    return f"{student} and {other} cannot be told apart on {rows} (p {_p(row)}){more}."


def _p(row: Mapping[Hashable, Any]) -> str:
    p = float(row["survival_p_holm"])
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def _front_pairs(results: Results) -> Iterator[tuple[str, str, Comparison]]:
    for record in results.front[1:]:
        yield from _compared(record, results.front[0])


def _finalist_pairs(results: Results) -> Iterator[tuple[str, str, Comparison]]:
    """Each finalist with the best candidate's retraining, by replicate: the search chose it, not the test rows."""
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
    """Two models must share this for their rows to be pairs."""
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
