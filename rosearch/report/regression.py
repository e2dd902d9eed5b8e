"""How well architecture predicts an outcome: a ridge regression, scored on lineages that it has not seen.

Relatives of those it learned from are known to it by their features, so candidates held out one by one flatter it. A
fold holds lineages out whole; of several runs, it holds one run out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rosearch.evaluation.comparison import ALPHA
from rosearch.report.columns import REGRESSIONS, dtypes
from rosearch.report.data import Column, Interval, Row, Table, Unit
from rosearch.report.features import FEATURES
from rosearch.report.kinship import Kinship
from rosearch.report.ridge import Floats, Ridge, folds_of
from rosearch.report.sibling_tests import Draws
from rosearch.report.statistics import CLEAN, CONTROL, outcome_title, outcomes_of, usable_rows

_FOLDS, _LEAST_ROWS, _LEAST_GROUPS = 5, 10, 5
_NAMED = 3  # features that a row names
_R2 = Unit(decimals=2, ends=2)


def regression_statistics(table: pd.DataFrame, *, max_class_share: float = 0.9) -> pd.DataFrame:
    """One row per outcome and set of predictors with the columns `REGRESSIONS`, from `tables.records_table`.

    `r2` is 1 less the squared errors on what was held out, over those of the mean of the rest: below 0 is worse than
    the mean. Its interval draws whole lineages, or runs where a column `run` holds several, with the fits as they are.
    """
    sample = usable_rows(table, max_class_share=max_class_share).rows
    kin = Kinship.of(table)[table.index.get_indexer(sample.index)]
    by_run = "run" in table and table["run"].nunique() > 1
    groups = pd.factorize(sample["run"])[0] if by_run else kin.lineages
    draws = Draws()
    rows = [
        {"outcome": outcome, "predictors": named, "held_out": "run" if by_run else "lineage", **found}
        for outcome in outcomes_of(sample)
        for named, found in _of_outcome(sample, groups, outcome, draws)
    ]
    return pd.DataFrame(rows).reindex(columns=list(REGRESSIONS)).astype(dtypes(REGRESSIONS))


def _of_outcome(
    rows: pd.DataFrame, groups: npt.NDArray[np.int64], outcome: str, draws: Draws
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    has = rows[outcome].notna().to_numpy()
    rows, groups = rows[has], np.unique(groups[has], return_inverse=True)[1]
    features = [name for name in FEATURES if rows[name].notna().any() and rows[name].nunique() > 1]
    sets = {"parameters": [CONTROL], "architecture": features}
    if outcome != CLEAN and rows[CLEAN].notna().all():
        sets |= {"parameters, quality": [CONTROL, CLEAN], "architecture, quality": [*features, CLEAN]}
    y = rows[outcome].to_numpy(dtype=np.float64)
    for named, names in sets.items():
        size = {"n": len(rows), "groups": int(groups.max(initial=-1)) + 1}
        if reason := _obstacle(size["n"], size["groups"], y, names):
            yield named, {**size, "note": reason}
        else:
            x = rows[names].to_numpy(dtype=np.float64)
            yield named, {**size, **_scored(x, y, groups, names, draws), "note": ""}


def _obstacle(rows: int, groups: int, y: Floats, names: Sequence[str]) -> str:
    if rows < _LEAST_ROWS or groups < _LEAST_GROUPS:
        return f"only {rows} candidates in {groups} groups that could be held out"
    if not names:
        return "no feature differs"
    return "the outcome is constant" if np.ptp(y) == 0 else ""


def _scored(x: Floats, y: Floats, groups: npt.NDArray[np.int64], names: Sequence[str], draws: Draws) -> dict[str, Any]:
    count = int(groups.max()) + 1
    folds = min(_FOLDS, count)
    errors, spread = np.zeros(len(y)), np.zeros(len(y))
    fold_of = folds_of(groups, folds)
    for held, known in ((fold_of == fold, fold_of != fold) for fold in range(folds)):
        errors[held] = (y[held] - Ridge.fit(x[known], y[known]).predict(x[held])) ** 2
        spread[held] = (y[held] - y[known].mean()) ** 2
    sums = np.stack([np.bincount(groups, errors), np.bincount(groups, spread)], axis=1)
    drawn = draws(count) @ sums.astype(np.float32)
    low, high = np.quantile(1 - drawn[:, 0] / np.maximum(drawn[:, 1], 1e-300), [ALPHA / 2, 1 - ALPHA / 2])
    weights = Ridge.fit(x, y).weights / y.std()
    order = np.argsort(-np.abs(weights))[:_NAMED]
    strongest = ", ".join(f"{names[place]} {weights[place]:+.2f}" for place in order)
    return {
        "folds": folds,
        "r2": 1 - errors.sum() / max(spread.sum(), 1e-300),
        "r2_low": low,
        "r2_high": high,
        "strongest": strongest,
    }


def regression_tables(regressions: pd.DataFrame) -> list[Table]:
    """Held-out R2 of each outcome and set of predictors; none where nothing could be held out."""
    scored = regressions[regressions["r2"].notna()]
    rows = []
    for one in scored.to_dict(orient="records"):
        r2 = Interval(float(one["r2"]), float(one["r2_low"]), float(one["r2_high"]))
        rows.append(Row((outcome_title(str(one["outcome"])), str(one["predictors"]), r2, str(one["strongest"]))))
    columns = (
        Column("outcome", align="left", whole=True),
        Column("predicted from", align="left"),
        Column("held-out R2", _R2),
        Column("strongest, in standard deviations", align="left", spare=1),
    )
    notes = tuple(f"{note}: nothing is predicted" for note in dict.fromkeys(map(str, regressions["note"])) if note)
    if scored.empty:
        return [Table("Predicted from architecture (ridge)", columns, (), notes)] if notes else []
    return [Table("Predicted from architecture (ridge)", columns, tuple(rows), (regression_verdict(scored), *notes))]


def regression_verdict(scored: pd.DataFrame) -> str:
    """The sentence that a reader may quote: the outcomes of which architecture says something to a stranger."""
    said = [
        f"{outcome_title(str(one.outcome))} ({one.r2:.2f})"
        for one in scored[(scored["predictors"] == "architecture") & (scored["r2_low"] > 0)].itertuples()
    ]
    first = scored.iloc[0]
    what = f"{first['groups']:,} {first['held_out']}s, held out whole"
    if not said:
        return f"On {what}, architecture predicts no outcome surely better than its mean does."
    return f"On {what}, architecture predicts better than the mean: R2 of {', '.join(said)}."
