"""Do methods of distillation beat plain distillation? The same student, task by task, seed by seed, on the test split.

    python -m tests.benchmarks.method_comparison experiments/{sst2,mrpc,rte,cola}.yaml --data-root FOLDER --json

Each cell is a `rosearch distil` of its own (all methods of a task share teacher, rows, epochs, learning rate and
batch size) and stays in `--runs`, so that an interrupted comparison goes on where it was. `beats` says of each
method on how many tasks its mean over the seeds is above that of `kd`; the paired difference over seeds is printed
with its standard deviation, as three seeds prove little.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from rosearch.errors import CandidateFailed
from tests.benchmarks.cells import distilled


def main(arguments: list[str] | None = None) -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", type=Path, nargs="+")
    parser.add_argument("--methods", nargs="+", default=["kd", "mate_kd", "ad2"])
    parser.add_argument("--student", default="nas_bert_10m")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs/method_comparison"))
    parser.add_argument(
        "-o", "--override", action="append", default=[], metavar="[TASK:]KEY=VALUE", help="of all tasks, or of one"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    cells = [
        run_cell(options, experiment, method, seed)
        for experiment in options.experiments
        for seed in options.seeds
        for method in options.methods
    ]
    report = {"student": options.student, "overrides": options.override, "cells": cells, **compared(cells)}
    print(json.dumps(report, indent=1) if options.json else table(report))


def run_cell(options: argparse.Namespace, path: Path, method: str, seed: int) -> dict[str, Any]:
    """One student: quality on the test split, seconds. A training that diverges is a cell without quality."""
    cell = {"task": path.stem, "method": method, "seed": seed}
    try:
        return cell | distilled(options, path, method, seed, options.student, f"distillation.method={method}")
    except CandidateFailed as failure:
        return cell | {"quality": None, "failure": str(failure)}


def compared(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """Means by task and method, and on how many tasks a method's mean is above that of `kd`."""
    quality = {(cell["task"], cell["method"], cell["seed"]): cell["quality"] for cell in cells}
    tasks, methods = (list(dict.fromkeys(cell[name] for cell in cells)) for name in ("task", "method"))
    means: dict[str, dict[str, Any]] = {}
    for task in tasks:
        means[task] = {}
        for method in methods:
            seeds = [seed for at, kind, seed in quality if (at, kind) == (task, method)]
            values = [quality[task, method, seed] for seed in seeds]
            if None in values:
                means[task][method] = {"mean": None, "failed": values.count(None)}
                continue
            entry: dict[str, Any] = {"mean": statistics.fmean(values), "seeds": len(values)}
            plain = [quality.get((task, "kd", seed)) for seed in seeds]
            if method != "kd" and None not in plain:
                gains = [value - other for value, other in zip(values, plain, strict=True)]
                entry["gain"] = statistics.fmean(gains)
                entry["gain_deviation"] = statistics.stdev(gains) if len(gains) > 1 else None
            means[task][method] = entry
    beats = {
        method: sum((means[task][method].get("gain") or 0.0) > 0 for task in tasks)
        for method in methods
        if method != "kd"
    }
    return {"means": means, "beats": beats, "tasks": len(tasks)}


def table(report: dict[str, Any]) -> str:
    """The means as a Markdown table."""
    methods = list(next(iter(report["means"].values())))
    lines = [f"| task | {' | '.join(methods)} |", "|---" * (len(methods) + 1) + "|"]
    for task, found in report["means"].items():
        lines.append(f"| {task} | {' | '.join(_cell(found[method]) for method in methods)} |")
    lines += [f"{name} beats kd on {count} of {report['tasks']} tasks" for name, count in report["beats"].items()]
    return "\n".join(lines)


def _cell(entry: dict[str, Any]) -> str:
    if entry["mean"] is None:
        return f"{entry['failed']} failed"
    gain = f" ({100 * entry['gain']:+.1f} ± {100 * (entry['gain_deviation'] or 0):.1f})" if "gain" in entry else ""
    return f"{100 * entry['mean']:.1f}{gain}"


if __name__ == "__main__":
    main()
