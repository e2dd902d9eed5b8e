"""Groups of models under the same attacks: means over the models of a group, and what one group has more than another.

    rosearch attack A1 A2 A3 B1 B2 B3 --task ... --attack ... --json > ATTACKED.json
    python -m tests.benchmarks.attack_groups ATTACKED.json --group kd=A1,A2,A3 --group robust_kd=B1,B2,B3

A group is the seeds of one recipe: of each row the share of its models that survive. Each later group is compared
with the first on the same rows, rows drawn again 10,000 times.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rosearch.evaluation.comparison import bootstrap_difference

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
        f"| `{group}` | {' | '.join(_spread(outcomes, models, name) for name in names)} |"
        for group, models in groups.items()
    ]
    for group, models in others:
        gains = [
            bootstrap_difference(_shares(outcomes, models, name) - _shares(outcomes, first, name)) for name in names
        ]
        lines.append(f"| `{group}` over `{reference}` | {' | '.join(map(str, gains))} |")
    return "\n".join(lines)


def _survived(outcomes: str) -> list[bool]:
    """Out of queries counts as right, as everywhere."""
    return [letter in "sq" for letter in outcomes]


def _shares(outcomes: Attacked, models: list[str], attack: str) -> npt.NDArray[np.float64]:
    """Of each row the share of models that survived, (rows,)."""
    survived = np.array([_survived(outcomes[model][attack]) for model in models], np.float64)
    shares: npt.NDArray[np.float64] = survived.mean(axis=0)
    return shares


def _spread(outcomes: Attacked, models: list[str], attack: str) -> str:
    values = [100 * statistics.fmean(_survived(outcomes[model][attack])) for model in models]
    return f"{statistics.fmean(values):.1f} [{min(values):.1f}, {max(values):.1f}]"


if __name__ == "__main__":
    main()
