"""Groups of models under the same attacks: means over the models of a group, and differences between groups.

    rosearch attack A1 A2 A3 B1 B2 B3 --task ... --attack ... --json > ATTACKED.json
    python -m tests.benchmarks.attack_groups ATTACKED.json --group kd=A1,A2,A3 --group robust_kd=B1,B2,B3

A group is the seeds of one recipe; each row counts by the share of its models that survive. Each later group is
compared with the first on the same rows by a bootstrap of 10,000 samples.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from rosearch.evaluation.comparison import bootstrap_difference
from rosearch.measurements import SURVIVED
from tests.benchmarks.cells import share_surviving, spread

Attacked = dict[str, dict[str, str]]  # by model and attack: the letters of the outcomes, row by row


def main(arguments: list[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("attacked", type=Path)
    parser.add_argument("--group", action="append", required=True, metavar="NAME=MODEL,MODEL,...")
    options = parser.parse_args(arguments)
    report = json.loads(options.attacked.read_text(encoding="utf-8"))
    groups = {name: models.split(",") for name, _, models in (group.partition("=") for group in options.group)}
    print(table(attacked(report), groups))


def attacked(report: dict[str, Any]) -> Attacked:
    """Outcomes of each model under each attack; the worst case last."""
    return {
        model["model"]: {one["attack"]: one["outcomes"] for one in model["attacks"]}
        | ({"worst case": model["worst"]["outcomes"]} if model.get("worst") else {})
        for model in report["models"]
    }


def table(outcomes: Attacked, groups: dict[str, list[str]]) -> str:
    """Means with the smallest and the largest of a group, then gains over the first group, as Markdown."""
    (reference, first), *others = groups.items()
    names = list(outcomes[first[0]])
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [
        f"| `{group}` | {' | '.join(_means(outcomes, models, name) for name in names)} |"
        for group, models in groups.items()
    ]
    for group, models in others:
        gains = [
            bootstrap_difference(
                share_surviving(_survived(outcomes, models, name)) - share_surviving(_survived(outcomes, first, name))
            )
            for name in names
        ]
        lines.append(f"| `{group}` over `{reference}` | {' | '.join(map(str, gains))} |")
    return "\n".join(lines)


def _survived(outcomes: Attacked, models: list[str], attack: str) -> list[list[bool]]:
    """By model and row; out of queries counts as right, as everywhere."""
    return [[letter in SURVIVED for letter in outcomes[model][attack]] for model in models]


def _means(outcomes: Attacked, models: list[str], attack: str) -> str:
    return spread([statistics.fmean(rows) for rows in _survived(outcomes, models, attack)])


if __name__ == "__main__":
    main()
