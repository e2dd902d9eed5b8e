"""What is a distilled encoder worth on tasks? The same architecture with its weights, and with embeddings alone.

    python -m tests.benchmarks.encoder_downstream experiments/{sst2,mrpc,rte}.yaml --encoder FOLDER --data-root DATA

FOLDER is an encoder that a search distilled (`students/finalist-...` of its run, or an export). For each task and seed
two students of its architecture learn by one `rosearch distil` each, at equal rows, epochs and learning rate: `encoder`
begins with FOLDER's weights, `embeddings` with what `distillation.inherit_embeddings` gives (the teacher's table) and
fresh weights else. Finished cells stay in `--runs`. Printed are means on the test split over the seeds, the gain of
`encoder` with its deviation over seeds, and the share of the teacher's quality that `encoder` keeps.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from rosearch.student.inherit import load_initial
from tests.benchmarks.cells import distilled

ARMS = ("encoder", "embeddings")


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", type=Path, nargs="+")
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs/encoder_downstream"))
    parser.add_argument(
        "-o", "--override", action="append", default=[], metavar="[TASK:]KEY=VALUE", help="of all tasks, or of one"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    options.runs.mkdir(parents=True, exist_ok=True)
    students = {"encoder": str(options.encoder), "embeddings": str(_genotype_file(options.encoder, options.runs))}
    cells = [
        {"task": experiment.stem, "arm": arm, "seed": seed} | distilled(options, experiment, arm, seed, students[arm])
        for experiment in options.experiments
        for seed in options.seeds
        for arm in ARMS
    ]
    report = {"encoder": str(options.encoder), "overrides": options.override, "cells": cells, "tasks": compared(cells)}
    print(json.dumps(report, indent=1) if options.json else table(report["tasks"]))


def _genotype_file(encoder: Path, folder: Path) -> Path:
    """The encoder's architecture alone."""
    path = folder / "genotype.json"
    path.write_text(json.dumps(load_initial(str(encoder)).config.genotype), encoding="utf-8")
    return path


def compared(cells: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By task: mean of both arms and of the teacher, gain of `encoder` over `embeddings`, share of the teacher's."""
    found: dict[str, dict[str, Any]] = {}
    for task in dict.fromkeys(cell["task"] for cell in cells):
        mine = [cell for cell in cells if cell["task"] == task]
        by_arm = {arm: {cell["seed"]: cell["quality"] for cell in mine if cell["arm"] == arm} for arm in ARMS}
        gains = [by_arm["encoder"][seed] - by_arm["embeddings"][seed] for seed in by_arm["encoder"]]
        means = {arm: statistics.fmean(values.values()) for arm, values in by_arm.items()}
        teacher = statistics.fmean(cell["teacher"] for cell in mine)
        found[task] = {
            "metric": mine[0]["metric"],
            "seeds": len(gains),
            "teacher": teacher,
            **means,
            "gain": statistics.fmean(gains),
            "gain_deviation": statistics.stdev(gains) if len(gains) > 1 else None,
            "share": means["encoder"] / teacher if teacher else None,
        }
    return found


def table(tasks: dict[str, dict[str, Any]]) -> str:
    """As Markdown."""
    lines = [
        "| task | metric | teacher | encoder | embeddings | gain, points | share of the teacher |",
        "|---" * 7 + "|",
    ]
    for task, found in tasks.items():
        values = " | ".join(f"{100 * found[name]:.1f}" for name in ("teacher", *ARMS))
        spread = "" if found["gain_deviation"] is None else f" ± {100 * found['gain_deviation']:.1f}"
        share = "-" if found["share"] is None else f"{100 * found['share']:.1f} %"
        lines.append(f"| {task} | {found['metric']} | {values} | {100 * found['gain']:+.1f}{spread} | {share} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
