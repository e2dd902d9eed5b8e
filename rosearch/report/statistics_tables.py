"""The statistics of features as tables to read, with a verdict and what so many candidates could have seen."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from rosearch.evaluation.comparison import ALPHA, POWER
from rosearch.report.data import THOUSANDTHS, Column, Interval, Row, Table, Unit, Value
from rosearch.report.statistics import outcome_title, sample_size

_RHO = Unit(decimals=2, ends=2, style="+")
_FEW = 30  # comparisons below which the notes say so


def statistics_tables(statistics: pd.DataFrame) -> list[Table]:
    """A table for each outcome of `feature_statistics`, strongest correlation first, with a verdict.

    Features without a correlation are named in a line for each reason.
    """
    tables = []
    for outcome, rows in statistics.groupby("outcome", sort=False):
        ordered = rows[rows["p"].notna()].sort_values("sibling_rho", key=abs, ascending=False)
        shown = tuple(Row(_cells(row)) for row in ordered.to_dict(orient="records"))
        notes = (verdict(str(outcome), ordered), *power_lines(rows, statistics), *_unrelated(str(outcome), rows))
        tables.append(Table(f"What goes with {outcome_title(str(outcome))} (Spearman)", _SHOWN, shown, notes))
    return tables


def statistics_verdicts(statistics: pd.DataFrame) -> list[str]:
    """The verdict of each table."""
    return [table.notes[0] for table in statistics_tables(statistics)]


_SHOWN = (
    Column("feature", align="left", whole=True),
    Column("rho of all", _RHO, spare=3),
    Column("rho among siblings", _RHO),
    Column("p", THOUSANDTHS, spare=2),
    Column("p (Holm)", THOUSANDTHS),
    Column("given parameters", _RHO, missing=""),
    Column("p (Holm) given parameters", THOUSANDTHS, missing="", spare=1, heading="its p\n(Holm)"),
    Column("given quality too", _RHO, missing="", spare=4),
    Column("p (Holm) given quality too", THOUSANDTHS, missing="", spare=4, heading="its p\n(Holm)"),
    Column("comparisons", spare=5),
)


def _cells(row: Mapping[Hashable, Any]) -> tuple[Value, ...]:
    def number(name: str) -> float | None:
        return None if math.isnan(row[name]) else float(row[name])

    def interval(prefix: str) -> Value:
        value, low, high = (number(f"{prefix}sibling_rho{end}") for end in ("", "_low", "_high"))
        return value if value is None or low is None or high is None else Interval(value, low, high)

    parts = ((interval(prefix), number(f"{prefix}p_holm")) for prefix in ("partial_", "beyond_"))
    plain = (number("rho"), interval(""), number("p"), number("p_holm"))
    return (str(row["feature"]), *plain, *(cell for part in parts for cell in part), int(row["comparisons"]))


def verdict(outcome: str, ordered: pd.DataFrame) -> str:
    """The sentence that a reader may quote: the features that go with the outcome after Holm's adjustment."""
    what = outcome_title(outcome)
    if ordered.empty:
        return f"No feature can be correlated with {what}."
    sure = ordered[ordered["p_holm"] < ALPHA]
    if sure.empty:
        smallest = float(ordered["p_holm"].min())
        return f"No feature surely goes with {what}: the smallest p after Holm's adjustment is {smallest:.3f}."
    named = ", ".join(f"{row.feature} ({row.sibling_rho:+.2f})" for row in sure.itertuples())
    return f"These go with {what}, at p below {ALPHA:g} after Holm's adjustment: {named}."


def power_lines(rows: pd.DataFrame, whole: pd.DataFrame) -> list[str]:
    """How many candidates and comparisons there were, what they could have seen, and that they are few."""
    size = sample_size(rows)
    if not size:
        return []
    tests, m = int(whole["p"].notna().sum()), int(size["comparisons"])
    line = (
        f"{int(size['n']):,} candidates of {int(size['lineages']):,} lineages give {m:,} independent comparisons of "
        f"siblings. In {POWER:.0%} of samples these find rho from {_seen(size['detectable'])} on in one test, and from "
        f"{_seen(size['detectable_holm'])} on as the strongest of all {tests:,} tests (Holm)."
    )
    few = f"Few: with less than {_FEW} comparisons only strong relations are found; none found says little."
    return [line, *([few] if m < _FEW else [])]


def _seen(rho: float) -> str:
    return "1 (nothing)" if math.isnan(rho) or rho > 0.995 else f"{rho:.2f}"


def _unrelated(outcome: str, rows: pd.DataFrame) -> list[str]:
    """A line for each reason why features have no correlation, or none beyond the parameters, with their names."""
    reasons: dict[str, list[str]] = {}
    for row in rows.to_dict(orient="records"):
        if note := str(row["note"]):
            reason = _CONSTANT.sub("the same in all candidates", note.removeprefix(f"{row['feature']} "))
            reasons.setdefault(reason, []).append(str(row["feature"]))
    told = {
        reason.replace(f"{outcome} ", f"{outcome_title(outcome)} is ", 1): names for reason, names in reasons.items()
    }
    return [f"{reason}: {', '.join(names)}" for reason, names in told.items()]


_CONSTANT = re.compile(r"is constant \(.*\)$")
