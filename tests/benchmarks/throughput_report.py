"""From the seconds of the throughput benchmark to its ratios, its object and its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from rosearch.evaluation.attacks.result import AttackedRow
from tests.benchmarks.attack_rivals import Timing

_RATIOS = {"stock": ("engine_on_stock_rows", "stock"), "tuned": ("engine", "tuned")}  # faster, slower
_RATIOS["device"] = ("engine_device", "tuned_device")
_STATES = ("", "_cold")


def of_results(rows: Sequence[AttackedRow]) -> dict[str, Any]:
    """What the attack did."""
    return {
        "clean_accuracy": float(np.mean([row.outcome != "misclassified" for row in rows])),
        "accuracy_under_attack": float(np.mean([row.outcome == "survived" for row in rows])),
        "queries": sum(row.queries for row in rows),
        "distinct_texts": sum(row.distinct for row in rows),
    }


def of_timings(seconds: dict[str, list[Timing]], queries: int, texts: int) -> dict[str, Any]:
    """Ratios within repeats, and the seconds behind them. `cpu_ratios` are of processor time, for a busy machine."""
    found: dict[str, Any] = {"ratios": {}, "cpu_ratios": {}}
    for name, (fast, slow) in _RATIOS.items():
        for state in _STATES if slow in seconds else ():
            pairs = list(zip(seconds[fast + state], seconds[slow], strict=True))
            found["ratios"][name + state] = _quartiles([slower.wall / faster.wall for faster, slower in pairs])
            of_processor = [slower.cpu / max(faster.cpu, 1e-9) for faster, slower in pairs]
            found["cpu_ratios"][name + state] = _quartiles(of_processor)
    median = {name: float(np.median([timing.wall for timing in timings])) for name, timings in seconds.items()}
    for state in _STATES:
        slowest = 1e6 * max(median[f"python_32{state}"], median[f"python_1024{state}"])
        found[f"python_us_per_query{state}"] = slowest / queries
        found[f"python_us_per_text{state}"] = slowest / texts
    found["tuned_python_us_per_query"] = 1e6 * median["tuned_python"] / queries
    found["seconds"] = {name: _quartiles([timing.wall for timing in timings]) for name, timings in seconds.items()}
    return found


def _quartiles(values: Sequence[float]) -> dict[str, float]:
    low, median, high = np.percentile(values, [25, 50, 75])
    return {"median": float(median), "low": float(low), "high": float(high)}


def summary(details: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The figures that the bars are about, of the first student and of each."""
    students = {}
    for name in dict.fromkeys(detail["student"] for detail in details):
        own = [detail for detail in details if detail["student"] == name]
        students[name] = {
            "parameters": own[0]["parameters"],
            **{f"stock_min{state}": _least(own, f"stock{state}") for state in _STATES},
            **{f"tuned_min{state}": _least(own, f"tuned{state}") for state in _STATES},
            **{f"device_2ms_min{state}": _least(own, f"device{state}") for state in _STATES},
            "python_us_per_query": max(one["python_us_per_query"] for one in own),
            "python_us_per_query_cold": max(one["python_us_per_query_cold"] for one in own),
            "equal_rows": min(one["equal_rows"] for one in own),
            "rows": min(one["rows"] for one in own),
        }
    headline = next(iter(students))
    return {
        **{key: value for key, value in students[headline].items() if key != "parameters"},
        "equal_rows": min(one["equal_rows"] for one in students.values()),
        "rows": min(one["rows"] for one in students.values()),
        "headline": headline,
        "students": students,
    }


def _least(details: Sequence[dict[str, Any]], ratio: str) -> float | None:
    found = [detail["ratios"][ratio]["median"] for detail in details if ratio in detail["ratios"]]
    return min(found, default=None)


def _shown(ratio: Mapping[str, float]) -> str:
    """The median with the quartiles."""
    return "{:.3g} [{:.3g}, {:.3g}]".format(*(ratio[name] for name in ("median", "low", "high")))


def line(detail: dict[str, Any]) -> str:
    """One student under one attack, for those who wait."""
    ratios = ", ".join(f"{name} {_shown(ratio)}x" for name, ratio in detail["ratios"].items())
    python = f"{detail['python_us_per_query']:.1f} us a query (cold {detail['python_us_per_query_cold']:.1f})"
    equality = f"{detail['equal_rows']}/{detail['rows']} equal"
    return f"{detail['student']}, {detail['attack']}: {ratios}; {python}; {equality}"


def show(result: dict[str, Any], console: Console) -> None:
    """The result as a table; ratios with their quartiles."""
    table = Table(title=f"Times the engine's speed, {result['repeats']} repeats, one thread, {result['device']}")
    headings = [
        "student",
        "attack",
        "clean",
        "attacked",
        "queries",
        "stock",
        "tuned",
        f"{result['wait_ms']:g} ms a batch",
    ]
    headings += ["us a query", "cold", "TextAttack", "equal rows"]
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number < 2 else "right")
    for one in result["attacks"]:
        ratios = [one["ratios"].get(name) for name in ("stock", "tuned", "device")]
        table.add_row(
            f"{one['student']} ({one['parameters'] / 1e6:.1f}M)",
            one["attack"],
            f"{one['clean_accuracy']:.1%}",
            f"{one['accuracy_under_attack']:.1%}",
            str(one["queries"]),
            *(_shown(ratio) if ratio else "-" for ratio in ratios),
            f"{one['python_us_per_query']:.1f}",
            f"{one['python_us_per_query_cold']:.1f}",
            f"{one['tuned_python_us_per_query']:.0f}",
            f"{one['equal_rows']}/{one['rows']}",
        )
    console.print(table)
