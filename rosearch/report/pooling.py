"""Correlations of several runs as one: a meta-analysis in which each run has an effect of its own.

Runs of other seeds are independent whatever happened within each. Their correlations are pooled on the scale of atanh
with random effects (DerSimonian and Laird 1986); interval and p are those of Hartung and Knapp (2001) with Student's t
of the runs less one, never narrower than with a fixed effect (Roever et al. 2015). So the claim is about further seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtr, stdtrit

from rosearch.evaluation.comparison import ALPHA, holm
from rosearch.report.columns import POOLED, dtypes
from rosearch.report.data import HUNDREDTHS, THOUSANDTHS, Column, Interval, Row, Table, Unit, Value
from rosearch.report.sibling_tests import FIELLER
from rosearch.report.statistics import outcome_title
from rosearch.report.statistics_tables import verdict

_KINDS = {"": 0, "partial_": 1, "beyond_": 2}  # and how many controls each holds fixed
_RHO = Unit(decimals=2, ends=2, style="+")
_NEARLY_1 = 1 - 1e-6


@dataclass(frozen=True)
class Pooled:
    """The mean effect of several runs; NaN without two of them."""

    mean: float
    low: float
    high: float
    p: float
    tau: float  # standard deviation between runs


def random_effects(effects: npt.ArrayLike, variances: npt.ArrayLike) -> Pooled:
    """Pool effects (runs,) of known variances (runs,). NaN throughout for fewer than two."""
    z, v = (np.asarray(part, dtype=np.float64) for part in (effects, variances))
    count = len(z)
    if count < 2:
        return Pooled(*[math.nan] * 5)
    w = 1 / v
    spread = float((w * (z - (w @ z) / w.sum()) ** 2).sum())
    between = max(0.0, (spread - (count - 1)) / float(w.sum() - (w**2).sum() / w.sum()))
    w = 1 / (v + between)
    mean = float((w @ z) / w.sum())
    inflation = max(1.0, float((w * (z - mean) ** 2).sum()) / (count - 1))
    error = math.sqrt(inflation / float(w.sum()))
    reach = float(stdtrit(count - 1, 1 - ALPHA / 2)) * error
    p = float(2 * stdtr(count - 1, -abs(mean) / error))
    return Pooled(mean, mean - reach, mean + reach, p, math.sqrt(between))


def pooled_statistics(runs: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One row per outcome and feature with the columns `POOLED`, from `statistics.feature_statistics` of each run."""
    whole = pd.concat(list(runs), ignore_index=True)
    rows = [
        {"outcome": outcome, "feature": feature, **_pooled(found)}
        for (outcome, feature), found in whole.groupby(["outcome", "feature"], sort=False)
    ]
    result = pd.DataFrame(rows).reindex(columns=list(POOLED)).astype(dtypes(POOLED))
    for prefix in _KINDS:
        result[f"{prefix}p_holm"] = holm(result[f"{prefix}p"].to_numpy())
    return result


def _pooled(found: pd.DataFrame) -> dict[str, Any]:
    cells: dict[str, Any] = {"note": ""}
    for prefix, controls in _KINDS.items():
        rho = found[f"{prefix}sibling_rho"].to_numpy(dtype=np.float64)
        freedom = found["comparisons"].to_numpy(dtype=np.float64, na_value=0.0) - 2 - controls
        able = ~np.isnan(rho) & (freedom > 0)
        z = np.arctanh(np.clip(rho[able], -_NEARLY_1, _NEARLY_1))
        one = random_effects(z, FIELLER / freedom[able])
        if not prefix:
            cells |= {"runs": int(able.sum()), "comparisons": int((freedom[able] + 2).sum()), "tau": one.tau}
            cells["same_sign"] = int(max((z > 0).sum(), (z < 0).sum()))
            if len(z) < 2:
                cells["note"] = f"{len(z)} runs in which siblings differ in it: nothing to pool"
        ends = zip(("sibling_rho", "sibling_rho_low", "sibling_rho_high"), (one.mean, one.low, one.high), strict=True)
        cells |= {f"{prefix}{name}": math.tanh(value) for name, value in ends} | {f"{prefix}p": one.p}
    return cells


def pooled_tables(pooled: pd.DataFrame, runs: int) -> list[Table]:
    """A table for each outcome, strongest first, with a verdict."""
    tables = []
    for outcome, rows in pooled.groupby("outcome", sort=False):
        ordered = rows[rows["p"].notna()].sort_values("sibling_rho", key=abs, ascending=False)
        shown = tuple(Row(_cells(row)) for row in ordered.to_dict(orient="records"))
        notes = (verdict(str(outcome), ordered), _of_runs(runs), *_left_out(rows))
        tables.append(Table(f"What goes with {outcome_title(str(outcome))}, over {runs} runs", _SHOWN, shown, notes))
    return tables


_SHOWN = (
    Column("feature", align="left", whole=True),
    Column("rho among siblings", _RHO),
    Column("p", THOUSANDTHS, spare=2),
    Column("p (Holm)", THOUSANDTHS),
    Column("between runs", HUNDREDTHS, spare=3),
    Column("runs of its sign", spare=1),
    Column("given parameters", _RHO, missing=""),
    Column("p (Holm) given parameters", THOUSANDTHS, missing="", spare=1, heading="its p\n(Holm)"),
    Column("given quality too", _RHO, missing="", spare=4),
    Column("p (Holm) given quality too", THOUSANDTHS, missing="", spare=4, heading="its p\n(Holm)"),
)


def _cells(row: Any) -> tuple[Value, ...]:
    def number(name: str) -> float | None:
        return None if math.isnan(row[name]) else float(row[name])

    def interval(prefix: str) -> Value:
        value, low, high = (number(f"{prefix}sibling_rho{end}") for end in ("", "_low", "_high"))
        return None if value is None or low is None or high is None else Interval(value, low, high)

    parts = ((interval(prefix), number(f"{prefix}p_holm")) for prefix in ("partial_", "beyond_"))
    signs = f"{int(row['same_sign'])} of {int(row['runs'])}"
    told = (str(row["feature"]), interval(""), number("p"), number("p_holm"), number("tau"), signs)
    return (*told, *(cell for part in parts for cell in part))


def _of_runs(runs: int) -> str:
    few = f" With {runs} runs only what all agree on can be found." if runs < 6 else ""
    return f"Each run is one observation, with an effect of its own: the claim is about further seeds.{few}"


def _left_out(rows: pd.DataFrame) -> list[str]:
    names = [str(name) for name in rows.loc[rows["note"] != "", "feature"]]
    return [f"fewer than two runs have siblings that differ in: {', '.join(names)}"] if names else []
