"""Rank correlations of architecture features with robustness and with quality.

Spearman's rho, and the partial rank correlation given the number of parameters,
rho_xy.z = (rho_xy - rho_xz rho_yz) / sqrt((1 - rho_xz^2)(1 - rho_yz^2)) (Kendall 1942, on ranks).
They describe the candidates of one run and prove no cause. Their p-values take candidates as independent
draws, which those of a `random` search are and those of an evolved population are not: related by descent,
they make the p-values too small.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from rosearch.evaluation.comparison import ALPHA, holm
from rosearch.report.columns import STATISTICS, dtypes
from rosearch.report.data import THOUSANDTHS, Column, Row, Table, Value
from rosearch.report.features import FEATURES

# Columns of the candidates' table that the features are set against.
OUTCOMES: dict[str, str] = {
    "under_attack": "accuracy under attack",
    "words_to_break": "words to break",
    "quality": "clean quality",
}
CONTROL = "parameters"
MINIMUM_ROWS = 5  # fewer say nothing: of four, even a perfect order has p = 1/12

COLUMNS = dtypes(STATISTICS)

_T_FROM = 10  # rows from which Student's t is close to the permutation distribution
_PERMUTATIONS = 9999
_COLLINEAR = 1e-9

Ranks = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    """The rows that statistics use, and how many were left out for each reason."""

    rows: pd.DataFrame
    failed: int
    unfinished: int
    stopped: int  # at a rung: their figures are of no finished training
    constant: int  # predictors of one class for nearly every text: what survives an attack there is no robustness
    baselines: int
    finalists: int

    def __str__(self) -> str:
        """E.g. `24 candidates (left out: 2 failed, 3 baseline)`."""
        reasons = {
            "failed": self.failed,
            "unfinished": self.unfinished,
            "stopped at a rung": self.stopped,
            "constant": self.constant,
            "baseline": self.baselines,
            "finalist": self.finalists,
        }
        left_out = ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)
        return f"{len(self.rows)} candidates" + (f" (left out: {left_out})" if left_out else "")


@dataclass(frozen=True)
class _Correlation:
    rho: float = math.nan
    p: float = math.nan
    note: str = ""


def usable_rows(table: pd.DataFrame, *, include_baselines: bool = False, max_class_share: float = 0.9) -> Sample:
    """The rows of `tables.records_table` that say how a feature goes with an outcome.

    Finalists are repetitions on other data and never among them; baselines were chosen, not sampled, and are
    left out unless asked for. Above `max_class_share` of one class, a predictor counts as constant.
    """
    role, status = table["role"], table["status"]
    wanted = role.isin(["candidate", "baseline"]) if include_baselines else role == "candidate"
    stopped = wanted & table.get("rung", pd.Series(pd.NA, table.index)).notna()  # a table of an older version has none
    done = wanted & (status == "done") & ~stopped
    constant = done & (table["largest_class_share"] > max_class_share)
    return Sample(
        rows=table[done & ~constant],
        failed=int((wanted & (status == "failed")).sum()),
        unfinished=int((wanted & status.isin(["pending", "running"])).sum()),
        stopped=int(stopped.sum()),
        constant=int(constant.sum()),
        baselines=0 if include_baselines else int((role == "baseline").sum()),
        finalists=int((role == "finalist").sum()),
    )


def feature_statistics(
    table: pd.DataFrame,
    *,
    features: Sequence[str] = tuple(FEATURES),
    include_baselines: bool = False,
    max_class_share: float = 0.9,
) -> pd.DataFrame:
    """One row per outcome and feature with `COLUMNS`, from the usable rows of `tables.records_table`.

    `n` counts the rows that have feature and outcome. p is two-sided: from 10 rows on by Student's t (n - 2
    degrees of freedom, n - 3 where one variable is controlled for), below by permutation. `p_holm` is Holm's
    adjustment over all rows of the result that have a p. Where a correlation does not exist (a feature or an
    outcome that is constant, too few rows, a feature that moves only with the parameters), it is missing and
    `note` says why. Outcomes that nobody has (robustness in a regression task) have no rows.
    """
    sample = usable_rows(table, include_baselines=include_baselines, max_class_share=max_class_share)
    rows = [
        _compare(sample, outcome, feature)
        for outcome in OUTCOMES
        if sample.rows[outcome].notna().any()
        for feature in features
    ]
    result = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    result["p_holm"] = holm(result["p"].to_numpy())
    result["partial_p_holm"] = holm(result["partial_p"].to_numpy())
    return result


def statistics_tables(statistics: pd.DataFrame) -> list[Table]:
    """A table for each outcome of `feature_statistics`, strongest correlation first, with a verdict.

    Features without a correlation are named in a line for each reason.
    """
    tables = []
    for outcome, rows in statistics.groupby("outcome", sort=False):
        ordered = rows[rows["rho"].notna()].sort_values("rho", key=abs, ascending=False)
        shown = tuple(Row(_cells(row)) for row in ordered.to_dict(orient="records"))
        notes = (_verdict(str(outcome), ordered), *_unrelated(str(outcome), rows))
        tables.append(Table(f"What goes with {OUTCOMES[str(outcome)]} (Spearman)", _SHOWN, shown, notes))
    return tables


def statistics_verdicts(statistics: pd.DataFrame) -> list[str]:
    """The verdict of each table."""
    return [table.notes[0] for table in statistics_tables(statistics)]


_SHOWN = (
    Column("feature", align="left", whole=True),
    Column("rho", THOUSANDTHS),
    Column("p", THOUSANDTHS, spare=1),
    Column("p (Holm)", THOUSANDTHS),
    Column("rho given parameters", THOUSANDTHS, missing=""),
    Column("its p", THOUSANDTHS, missing="", spare=1),
    Column("candidates", spare=2),
)


def _cells(row: Mapping[Hashable, Any]) -> tuple[Value, ...]:
    numbers = (float(row[name]) for name in ("rho", "p", "p_holm", "partial_rho", "partial_p"))
    return (str(row["feature"]), *(None if math.isnan(value) else value for value in numbers), int(row["n"]))


def _verdict(outcome: str, ordered: pd.DataFrame) -> str:
    """The sentence that a reader may quote: which features go with the outcome after Holm's adjustment."""
    what = OUTCOMES[outcome]
    if ordered.empty:
        return f"No feature can be correlated with {what}."
    sure = ordered[ordered["p_holm"] < ALPHA]
    if sure.empty:
        smallest = float(ordered["p_holm"].min())
        return f"No feature surely goes with {what}: the smallest p after Holm's adjustment is {smallest:.3f}."
    named = ", ".join(f"{row.feature} ({row.rho:+.2f})" for row in sure.itertuples())
    return f"These go with {what}, at p below {ALPHA:g} after Holm's adjustment: {named}."


def _unrelated(outcome: str, rows: pd.DataFrame) -> list[str]:
    """A line for each reason why features have no correlation, or none beyond the parameters, with their names."""
    reasons: dict[str, list[str]] = {}
    for row in rows.to_dict(orient="records"):
        if note := str(row["note"]):
            reason = _CONSTANT.sub("the same in all candidates", note.removeprefix(f"{row['feature']} "))
            reasons.setdefault(reason, []).append(str(row["feature"]))
    told = {reason.replace(f"{outcome} ", f"{OUTCOMES[outcome]} is ", 1): names for reason, names in reasons.items()}
    return [f"{reason}: {', '.join(names)}" for reason, names in told.items()]


_CONSTANT = re.compile(r"is constant \(.*\)$")


def _compare(sample: Sample, outcome: str, feature: str) -> dict[str, object]:
    values = sample.rows[[feature, outcome, CONTROL]].astype("float64").dropna().to_numpy()
    reason = _obstacle(values, outcome, feature)
    plain = _Correlation(note=reason) if reason else _spearman(values)
    partial = _Correlation() if reason else _partial(values, plain, feature)
    return {
        "outcome": outcome,
        "feature": feature,
        "control": CONTROL,
        "n": len(values),
        "failed": sample.failed,
        "rho": plain.rho,
        "p": plain.p,
        "partial_rho": partial.rho,
        "partial_p": partial.p,
        "note": plain.note or partial.note,
    }


def _obstacle(values: npt.NDArray[np.float64], outcome: str, feature: str) -> str:
    if not len(values):
        return "no candidate has this feature"
    for name, column in ((feature, values[:, 0]), (outcome, values[:, 1])):
        if np.ptp(column) == 0:
            return f"{name} is constant ({column[0]:.4g})"
    return f"only {len(values)} candidates" if len(values) < MINIMUM_ROWS else ""


def _spearman(values: npt.NDArray[np.float64]) -> _Correlation:
    x, y = _standard_ranks(values[:, 0]), _standard_ranks(values[:, 1])
    rho = _product(x, y)
    return _Correlation(rho, _p_value(x, y, rho, controlled=0))


def _partial(values: npt.NDArray[np.float64], plain: _Correlation, feature: str) -> _Correlation:
    if feature == CONTROL:
        return _Correlation(note="is what the others are controlled for")
    if np.ptp(values[:, 2]) == 0:
        return _Correlation(plain.rho, plain.p, f"{CONTROL} are constant: nothing to control for")
    x, y, z = (_standard_ranks(column) for column in values.T)
    x, y = (
        x - z * _product(x, z),
        y - z * _product(y, z),
    )  # what the control's ranks leave; the formula above, in steps
    left = float(x @ x), float(y @ y)
    if min(left) < _COLLINEAR:
        return _Correlation(note=f"{'feature' if left[0] < _COLLINEAR else 'outcome'} is ordered exactly as {CONTROL}")
    x, y = x / math.sqrt(left[0]), y / math.sqrt(left[1])
    rho = _product(x, y)
    return _Correlation(rho, _p_value(x, y, rho, controlled=1))


def _standard_ranks(column: npt.NDArray[np.float64]) -> Ranks:
    """Ranks (n,), ties averaged, of mean 0 and length 1, so that a correlation is a product."""
    ranks = np.asarray(stats.rankdata(column), dtype=np.float64)
    centred = ranks - ranks.mean()
    return np.asarray(centred / np.linalg.norm(centred))


def _product(x: Ranks, y: Ranks) -> float:
    return float(np.clip(x @ y, -1.0, 1.0))


def _p_value(x: Ranks, y: Ranks, rho: float, controlled: int) -> float:
    n = len(x)
    if n < _T_FROM:
        shuffled = np.random.default_rng(0).permuted(np.tile(x, (_PERMUTATIONS, 1)), axis=1)
        as_far = np.abs(shuffled @ y) >= abs(rho) - 1e-12
        return float((1 + as_far.sum()) / (1 + _PERMUTATIONS))
    freedom = n - 2 - controlled
    if abs(rho) == 1.0:
        return math.exp(math.log(2.0) - math.lgamma(n + 1))  # 2/n!, the share of orders as perfect: t is infinite here
    t = abs(rho) * math.sqrt(freedom / ((1.0 - rho) * (1.0 + rho)))
    return float(2.0 * stats.t.sf(t, freedom))
