"""The candidates that nobody beats: the first Pareto front over robustness, accuracy and efficiency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

# Columns of the candidates' table; the larger the better.
OBJECTIVES = ("fitness_robustness", "fitness_accuracy", "fitness_efficiency")
MEASURED = ("words_to_break", "quality", "compression")


def non_dominated(values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Mask (rows,) of the rows of `values` (rows, objectives; larger is better) that no other row dominates.

    A row dominates another that it equals or beats everywhere and beats somewhere; equal rows are on the
    front together. Rows with a value that is not finite are not on the front and dominate nothing.
    """
    points = np.asarray(values, dtype=np.float64)
    if points.ndim != 2:
        raise ValueError(f"values must have the shape (rows, objectives), got {points.shape}")
    left = np.flatnonzero(np.isfinite(points).all(axis=1))
    left, place = left[np.argsort(-points[left].sum(axis=1))], 0  # the first ones dominate nearly all others
    while place < len(left):
        rows, one = points[left], points[left[place]]
        stays = (rows > one).any(axis=1) | (rows == one).all(axis=1)
        left, place = left[stays], int(stays[: place + 1].sum())
    mask = np.zeros(len(points), bool)
    mask[left] = True
    return mask


def front(table: pd.DataFrame, objectives: Sequence[str] | None = None) -> pd.Series[bool]:
    """The front of a search as a mask over the rows of `tables.records_table`, with the table's index.

    Only candidates that are done and behind no gate take part: baselines and finalists were not the search's
    to find. `objectives` defaults to the three terms of fitness, in a table without fitness to words to
    break, quality and compression; one that no candidate has (robustness in a regression task) is left out.
    """
    eligible = (table["role"] == "candidate") & (table["status"] == "done") & (table["gates"].fillna("") == "")
    names = list(objectives) if objectives is not None else default_objectives(table)
    values = table.loc[eligible, names].astype("float64").dropna(axis="columns", how="all")
    mask = pd.Series(False, index=table.index, dtype=bool)
    mask[eligible] = non_dominated(values.to_numpy())
    return mask


def default_objectives(table: pd.DataFrame) -> list[str]:
    """The terms of fitness where the table has them, else what was measured."""
    scored = bool(table["fitness"].notna().any())
    return list(OBJECTIVES if scored else MEASURED)
