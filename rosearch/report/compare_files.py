"""A comparison of runs as JSON, as figures and as a page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rosearch.files import write_whole
from rosearch.measurements import Estimate
from rosearch.report.beside import differences_table
from rosearch.report.compare import COSTS, GAIN_WORDS, Compared, Pair
from rosearch.report.gallery import Format, write_figure
from rosearch.report.page import render_comparison
from rosearch.report.plotting import draw_charts


def describe(found: Compared) -> dict[str, Any]:
    """The comparison as JSON: each run with its whole course, pairs, keys that differ, notes."""
    runs = []
    for results, group, one in zip(found.runs, found.groups, found.curves, strict=True):
        course: defaultdict[str, list[float | None]] = defaultdict(list)
        for cost in COSTS:
            course[cost] = [float(value) for value in one.spent(cost)]
        course["best"], course["hypervolume"] = list(one.best), list(one.volume)
        settings = results.experiment
        named = {"run": str(results.run.path), "group": group, "strategy": settings.evolution.strategy}
        runs.append({**named, "seed": settings.seed, "finished": results.finished, "course": dict(course)})
    keys = differences_table(found.runs, found.names)
    differing = [{"key": row.cells[0], "values": list(row.cells[1:])} for row in keys.rows]
    pairs = [_described(pair) for pair in found.pairs]
    ends = found.ends if found.scored_alike else None
    return {"runs": runs, "equal_cost": ends, "pairs": pairs, "differences": differing, "notes": found.notes}


def _described(pair: Pair) -> dict[str, Any]:
    difference = pair.found.difference
    return {
        "first": pair.first,
        "second": pair.second,
        "gain": GAIN_WORDS[pair.gain],
        "cost": pair.cost,
        "seeds": list(pair.seeds),
        "difference": difference.value,
        "low": difference.low if isinstance(pair.interval, Estimate) else None,
        "high": difference.high if isinstance(pair.interval, Estimate) else None,
        "p": pair.found.p,
        "p_holm": pair.p_holm,
    }


def write_compared(found: Compared, folder: Path, formats: Sequence[Format], version: str) -> list[Path]:
    """Write figures and `compare.html` into a folder; the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name in ("fronts", "volume", "best"):
        charts = [chart for chart in found.charts if chart.name.startswith(name)]
        written += write_figure(draw_charts(charts), folder, name, formats) if charts else []
    page, title = folder / "compare.html", " · ".join(dict.fromkeys(found.groups))
    headline = f"{len(found.runs)} runs: {', '.join(found.names)}"
    write_whole(page, render_comparison(title, headline, found.sections, version))
    return [*written, page]
