"""Figures as PNG files: quality over latency, and the correlations of architecture features.

matplotlib is imported where it draws, through its Agg canvas: no display, no global state.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rosearch.errors import MissingResource
from rosearch.report.pareto import non_dominated
from rosearch.report.statistics import outcome_title
from rosearch.report.tables import replace_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DOTS_PER_INCH = 150
_PLAIN, _CONTROLLED = "#9db8d2", "#1f4e79"


def draw_latency(
    table: pd.DataFrame,
    path: Path,
    budgets_ms: Sequence[float] = (),
    named: Sequence[str] = (),
    teacher_ms: float | None = None,
) -> Path:
    """Quality over latency: a dot a candidate of `tables.records_table`, the front as a line, budgets as dashes.

    `named` are ids that get their name beside them. Latency is that of the first batch size that was timed. Raises
    `MissingResource` without matplotlib and `ValueError` where nothing was timed.
    """
    column = next((name for name in table.columns if str(name).startswith("latency_ms_")), None)
    shown = table if column is None else table[table[column].notna() & table["quality"].notna()]
    if column is None or shown.empty:
        raise ValueError("no candidate was timed: there is nothing to draw")
    figure = _figure(7.0, 4.8)
    from matplotlib.ticker import LogLocator

    axes = figure.subplots()
    best = shown[non_dominated(np.stack([shown["quality"], -shown[column]], axis=1))].sort_values(column)
    dots = axes.scatter(shown[column], shown["quality"], c=shown["parameters"] / 1e6, cmap="viridis", s=46, zorder=2)
    axes.step(best[column], best["quality"], where="post", color="#c0392b", label="front (quality, latency)", zorder=1)
    for budget in budgets_ms:
        axes.axvline(budget, color="#888888", linestyle="--", linewidth=0.9)
    if teacher_ms is not None:
        axes.axvline(teacher_ms, color="black", linewidth=0.9, label="teacher")
    for _, row in shown[shown["id"].isin(list(named))].iterrows():
        place = (row[column], row["quality"])
        axes.annotate(str(row["id"])[:8], place, (6, 5), textcoords="offset points", fontsize=8)
    figure.colorbar(dots, ax=axes, label="parameters, M")
    size = str(column).removeprefix("latency_ms_")
    metric = str(shown["metric"].iloc[0]).replace("_", " ")
    axes.set(xlabel=f"ms a batch of {size}, median", ylabel=f"quality ({metric})", xscale="log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.legend(loc="best", fontsize=8, framealpha=0.9)
    return replace_file(path, partial(figure.savefig, format="png"))


def draw_correlations(statistics: pd.DataFrame, path: Path, *, title: str = "") -> Path:
    """One panel per outcome of `statistics.feature_statistics`: rho per feature, plain and controlled.

    A star marks p below 0.05 after Holm's adjustment; a feature without a correlation says why in a word.
    Statistics without a row become a picture that says so. Raises `MissingResource` without matplotlib.
    """
    outcomes = list(dict.fromkeys(statistics["outcome"]))
    if not outcomes:
        empty = _figure(5.0, 1.5)
        empty.text(0.5, 0.5, "no candidate can be used for statistics", ha="center", va="center")
        return replace_file(path, partial(empty.savefig, format="png"))
    features = list(dict.fromkeys(statistics["feature"]))
    figure = _figure(2.2 + 2.8 * len(outcomes), 1.6 + 0.34 * len(features))
    panels = figure.subplots(1, len(outcomes), sharey=True, squeeze=False)[0]
    for axes, outcome in zip(panels, outcomes):
        rows = statistics[statistics["outcome"] == outcome].set_index("feature").reindex(features)
        _bars(axes, rows)
        axes.set(xlim=(-1.1, 1.1), xlabel="Spearman's rho", title=f"{outcome_title(outcome)}\n(n = {rows['n'].max()})")
    panels[0].set_yticks(np.arange(len(features)), [name.replace("_", " ") for name in features])
    panels[0].invert_yaxis()
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9, frameon=False
    )
    if title:
        figure.suptitle(title, parse_math=False)
    return replace_file(path, partial(figure.savefig, format="png"))


def _bars(axes: Axes, rows: pd.DataFrame) -> None:
    places = np.arange(len(rows))
    for offset, column, colour, label in (
        (-0.19, "rho", _PLAIN, "plain"),
        (0.19, "partial_rho", _CONTROLLED, "controlled for parameters"),
    ):
        values = rows[column].to_numpy(dtype=np.float64)
        axes.barh(places + offset, np.nan_to_num(values), height=0.36, color=colour, label=label)
        adjusted = rows["p_holm" if column == "rho" else "partial_p_holm"].to_numpy(dtype=np.float64)
        for place, value in zip(places[adjusted < 0.05] + offset, values[adjusted < 0.05]):
            axes.text(value, place, "*", ha="right" if value < 0 else "left", va="center", fontsize=9)
    for place, note, rho in zip(places, rows["note"], rows["rho"]):
        if np.isnan(rho):
            reason = "constant" if "is constant" in note else "too few"
            axes.text(0.03, float(place), reason, va="center", fontsize=8, color="#888888")
    axes.scatter([], [], marker="$*$", color="black", label="p < 0.05 (Holm)")
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.grid(axis="x", alpha=0.3)


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingResource("figures need matplotlib, which is not installed: pip install matplotlib") from None
    return Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout="constrained")
