"""What a search of few candidates finds with and without its surrogate, on three landscapes that need no training.

    python -m tests.benchmarks.few_candidates [--candidates 24,40] [--seeds 30] [--first 1] [--json]

`generated` is the enumerated landscape of `search_quality`; `robust_dag` (formulas of `utilisation`) and `hilly` (those
of the tests) are on the space `robust_dag`. Strategies run with the settings of a default experiment. Quality is the
hypervolume of (robustness, accuracy, efficiency) of what may win, once all candidates are told; accuracy counts from
0.5; on `generated` it is a share of that of all architectures. `p_holm` is that of Wilcoxon's signed-rank test of the
default against `rosearch_without_surrogate`, seeds as pairs, with Holm's correction over landscapes and budgets.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rosearch.config.evolution import EvolutionConfig
from rosearch.config.fitness import FitnessConfig
from rosearch.evaluation.comparison import holm
from rosearch.evolution.fitness import Yardstick
from rosearch.evolution.registry import make_strategy
from rosearch.measurements import Measurements
from rosearch.space.genotype import Genotype
from rosearch.space.space import Space
from tests.benchmarks.landscape import hypervolume, read_landscape
from tests.benchmarks.search_quality import DEFAULT, GENERATED, OURS, ahead, quartiles
from tests.benchmarks.utilisation import TEACHER, landscape
from tests.evolution.landscapes import DAG, Outcome, hilly, run

WITHOUT = "rosearch_without_surrogate"
STRATEGIES = (DEFAULT, WITHOUT, "random")
REFERENCE = (0.0, 0.5, 0.0)


@dataclass(frozen=True)
class Ground:
    """A landscape to search on: every genotype of a space has an outcome."""

    space: Space
    yardstick: Yardstick
    outcome: Callable[[Genotype], Outcome]
    volume: Callable[[Sequence[tuple[float, float, float]]], float]

    def found(self, strategy: str, candidates: int, seed: int) -> float:
        """The hypervolume that a search of so many candidates ends with."""
        config = EvolutionConfig.model_validate(OURS[strategy] | {"candidates": candidates})
        search = make_strategy(config, self.space, seed, self.yardstick)
        run(search, self.outcome)
        return self.volume([search.fitnesses[record.id].objectives for record in search.front()])


def grounds() -> dict[str, Ground]:
    """The landscapes by name."""
    generated = read_landscape(GENERATED)

    def looked_up(genotype: Genotype) -> Measurements:
        return generated.measurements(genotype.id)

    def formula(outcome: Callable[[Genotype], Outcome], teacher: float) -> Ground:
        return Ground(DAG, Yardstick(FitnessConfig(), teacher), outcome, lambda front: hypervolume(front, REFERENCE))

    return {
        "generated": Ground(generated.space, generated.yardstick, looked_up, generated.share),
        "robust_dag": formula(landscape, TEACHER.quality.value),
        "hilly": formula(hilly, 0.9),
    }


def compared(budgets: Sequence[int], seeds: Sequence[int], over: dict[str, Ground]) -> dict[str, Any]:
    """By landscape and budget: quartiles of each strategy's hypervolume, and what the surrogate's gain is worth."""
    table: dict[str, Any] = {name: {} for name in over}
    gains: dict[tuple[str, str], float] = {}
    for name, ground in over.items():
        for budget in budgets:
            found = {strategy: [ground.found(strategy, budget, seed) for seed in seeds] for strategy in STRATEGIES}
            table[name][str(budget)] = {strategy: quartiles(volumes) for strategy, volumes in found.items()}
            gains[name, str(budget)] = ahead(found[DEFAULT], found[WITHOUT])
    for (name, budget), p in zip(gains, holm(list(gains.values())).tolist(), strict=True):
        table[name][budget]["p_holm"] = p
    return table


def print_table(table: dict[str, Any]) -> None:
    """The table in Markdown."""
    print(f"| landscape | candidates | {' | '.join(STRATEGIES)} | p (Holm) of the first two |")
    print("|---|---|" + "---|" * (len(STRATEGIES) + 1))
    for name, by_budget in table.items():
        for budget, row in by_budget.items():
            cells = ["{1:.3f} [{0:.3f}, {2:.3f}]".format(*row[strategy]) for strategy in STRATEGIES]
            print(f"| {name} | {budget} | {' | '.join(cells)} | {row['p_holm']:.2g} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", default="24,40", help="budgets, with commas")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    budgets = [int(count) for count in given.candidates.split(",")]
    table = compared(budgets, range(given.first, given.first + given.seeds), grounds())
    if given.json:
        print(json.dumps(table, indent=2))
    else:
        print_table(table)


if __name__ == "__main__":
    main()
