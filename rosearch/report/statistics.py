"""Rank correlations of architecture features with robustness and with quality.

Spearman's rho over all candidates describes them. What is tested is the same among siblings (`sibling_tests`): plain,
with the ranks of the number of parameters held fixed, and with those of clean quality too. docs/concepts/statistics.md
says why, and how often each test errs.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rosearch.evaluation.comparison import ALPHA, holm
from rosearch.report.columns import STATISTICS, dtypes
from rosearch.report.features import FEATURES
from rosearch.report.kinship import Kinship
from rosearch.report.sibling_tests import Correlations, Draws, correlate, detectable

# Columns of the candidates' table that the features are set against; those of each attack alone follow.
OUTCOMES: dict[str, str] = {
    "under_attack": "accuracy under attack",
    "words_to_break": "words to break",
    "quality": "clean quality",
}
CONTROL, CLEAN = "parameters", "quality"
MINIMUM_ROWS = 5  # fewer say nothing: of four, even a perfect order has p = 1/12
P_VALUES = ("p", "partial_p", "beyond_p")  # each a family of Holm's, over all outcomes and features

COLUMNS = dtypes(STATISTICS)

_ALONE = "under_attack_"


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


def outcomes_of(table: pd.DataFrame) -> list[str]:
    """The outcomes that somebody has: those of `OUTCOMES`, and accuracy under each attack where there are several.

    Of one attack alone it is `under_attack` again. Finalists may have met others: a column that is empty is no attack.
    """
    attacks = [str(name) for name in table.columns if is_attack(str(name)) and table[name].notna().any()]
    return [name for name in OUTCOMES if table[name].notna().any()] + (attacks if len(attacks) > 1 else [])


def is_attack(column: str) -> bool:
    """True for the accuracy under one attack alone, such as `under_attack_pruthi`."""
    return column.startswith(_ALONE) and column.removeprefix(_ALONE) not in ("low", "high", "n")


def outcome_title(outcome: str) -> str:
    """An outcome in words."""
    return OUTCOMES.get(outcome) or f"accuracy under {outcome.removeprefix(_ALONE)}"


def feature_statistics(
    table: pd.DataFrame,
    *,
    features: Sequence[str] = tuple(FEATURES),
    include_baselines: bool = False,
    max_class_share: float = 0.9,
) -> pd.DataFrame:
    """One row per outcome and feature with `COLUMNS`, from the usable rows of `tables.records_table`.

    `n` counts the rows that have feature and outcome, `comparisons` the independent comparisons of siblings among them.
    p is two-sided, from 9 comparisons on by Student's t, below by permutation within families. `p_holm` is Holm's
    adjustment over all rows of the result that have a p. Where a correlation does not exist (a feature or an outcome
    that is constant, too few rows, siblings that do not differ, a feature that moves only with the parameters), it is
    missing and `note` says why. Outcomes that nobody has (robustness in a regression task) have no rows.
    """
    sample = usable_rows(table, include_baselines=include_baselines, max_class_share=max_class_share)
    kin, draws = Kinship.of(table)[table.index.get_indexer(sample.rows.index)], Draws()
    rows: list[dict[str, Any]] = []
    for outcome in outcomes_of(sample.rows):
        found = _of_outcome(sample.rows, kin, outcome, features, draws)
        rows += [{"outcome": outcome, "feature": one, "failed": sample.failed, **found[one]} for one in features]
    result = pd.DataFrame(rows).reindex(columns=list(COLUMNS))
    result = result.assign(control=CONTROL, note=result["note"].fillna("")).astype(COLUMNS)
    for name in P_VALUES:
        result[f"{name}_holm"] = holm(result[name].to_numpy())
    tests = max(1, int(result["p"].notna().sum()))
    found_alone = [[detectable(m, alpha=alpha) for m in result["comparisons"]] for alpha in (ALPHA, ALPHA / tests)]
    result["detectable"], result["detectable_holm"] = found_alone
    return result


def _of_outcome(
    rows: pd.DataFrame, kin: Kinship, outcome: str, features: Sequence[str], draws: Draws
) -> dict[str, dict[str, Any]]:
    """The cells of each feature. Features that the same rows have are correlated together."""
    found: dict[str, dict[str, Any]] = {}
    alike: defaultdict[bytes, list[str]] = defaultdict(list)
    masks: dict[bytes, npt.NDArray[np.bool_]] = {}
    columns = {name: rows[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in {*features, outcome, CONTROL}}
    able = ~np.isnan(columns[outcome]) & ~np.isnan(columns[CONTROL])
    for feature in features:
        mask = able & ~np.isnan(columns[feature])
        values = np.stack([columns[feature][mask], columns[outcome][mask]], axis=1)
        if reason := _obstacle(values, outcome, feature):
            found[feature] = {"n": len(values), "comparisons": kin[mask].comparisons, "note": reason}
        else:
            alike[mask.tobytes()].append(feature)
            masks[mask.tobytes()] = mask
    for key, names in alike.items():
        found |= _correlated(rows[masks[key]], kin[masks[key]], outcome, names, draws)
    return found


def _correlated(
    rows: pd.DataFrame, kin: Kinship, outcome: str, names: Sequence[str], draws: Draws
) -> dict[str, dict[str, Any]]:
    """The cells of features that all rows have."""

    def values(*columns: str) -> npt.NDArray[np.float64]:
        return rows[list(columns)].to_numpy(dtype=np.float64).reshape(len(rows), len(columns))

    def given(*controls: str) -> Correlations:
        return correlate(values(*names), values(outcome)[:, 0], values(*controls), kin.families, draws)

    plain, fixed = given(), np.ptp(values(CONTROL)) == 0
    partial = plain if fixed else given(CONTROL)
    beyond = None
    if outcome != CLEAN and rows[CLEAN].notna().all():
        beyond = given(*([] if fixed else [CONTROL]), *([] if np.ptp(values(CLEAN)) == 0 else [CLEAN]))
    cells = {}
    for place, name in enumerate(names):
        own = name == CONTROL
        cells[name] = {
            "n": len(rows),
            "comparisons": plain.comparisons[place],
            "lineages": len(np.unique(kin.lineages)),
            "effective_lineages": kin.effective_lineages,
            **_cells("", plain, place),
            **({} if own else _cells("partial_", partial, place)),
            **({} if own or beyond is None else _cells("beyond_", beyond, place)),
            "note": _note(name, plain, partial, place, fixed),
        }
    return cells


def _cells(prefix: str, found: Correlations, place: int) -> dict[str, float]:
    names = ("rho", "sibling_rho", "sibling_rho_low", "sibling_rho_high", "p")
    values = (found.rho, found.sibling_rho, found.low, found.high, found.p)
    return {f"{prefix}{name}": float(value[place]) for name, value in zip(names, values, strict=True)}


def _note(feature: str, plain: Correlations, partial: Correlations, place: int, fixed: bool) -> str:
    if math.isnan(plain.p[place]):
        count = int(plain.comparisons[place])
        return f"siblings differ in it only {count} times" if count else "siblings never differ in it"
    if feature == CONTROL:
        return "is what the others are controlled for"
    if fixed:
        return f"{CONTROL} are constant: nothing to control for"
    if partial.collinear[place] or partial.outcome_collinear:
        return f"{'feature' if partial.collinear[place] else 'outcome'} is ordered exactly as {CONTROL}"
    return ""


def _obstacle(values: npt.NDArray[np.float64], outcome: str, feature: str) -> str:
    if not len(values):
        return "no candidate has this feature"
    for name, column in ((feature, values[:, 0]), (outcome, values[:, 1])):
        if np.ptp(column) == 0:
            return f"{name} is constant ({column[0]:.4g})"
    return f"only {len(values)} candidates" if len(values) < MINIMUM_ROWS else ""


def sample_size(statistics: pd.DataFrame) -> Mapping[str, float]:
    """Candidates, comparisons, lineages and what they could have seen, of the feature that most candidates have."""
    tested = statistics[statistics["p"].notna()]
    if tested.empty:
        return {}
    row = tested.iloc[int(tested["comparisons"].to_numpy(dtype=np.float64).argmax())]
    names = ("n", "comparisons", "lineages", "effective_lineages", "detectable", "detectable_holm")
    return {**{name: float(row[name]) for name in names}, "tests": float(len(tested))}
