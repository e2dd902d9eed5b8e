"""Made-up evolutions with a known answer: a feature that is inherited and has no part in the outcome, or a known one.

Founders are drawn; the better ones breed, by mutation and crossover, as in a search. The outcome is a sum of twelve
inherited numbers and noise; the feature is the first of them, with a weight of its own, 0 or another.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rosearch.report.features import FEATURES

TRAITS, BEST, MATED, NOISE = 12, 2, 0.3, 1.0


def evolve(seed: int, population: int = 10, generations: int = 6, effect: float = 0.0, run: str = "") -> pd.DataFrame:
    """The candidates of a made-up search as a table: `depth` is the feature, `quality` the outcome, `width` is noise.

    With one generation it is a random search.
    """
    rng = np.random.default_rng([seed, population, generations])
    weights = np.r_[effect, np.linspace(-1.5, 1.5, TRAITS - 1)]
    traits = list(rng.normal(size=(population, TRAITS)))
    parents: list[tuple[int, ...]] = [()] * population
    quality = [float(one @ weights + NOISE * rng.normal()) for one in traits]
    alive = list(range(population))
    for _ in range(generations - 1):
        better = sorted(alive, key=lambda one: -quality[one])[: max(3, population // 2)]
        first = len(traits)
        for _ in range(population):
            one, other = (better[min(rng.integers(len(better), size=2))] for _ in range(2))
            child, of = traits[one].copy(), (one,)
            if one != other and rng.random() < MATED:
                taken = rng.random(TRAITS) < 0.5
                child[taken], of = traits[other][taken], (one, other)
            else:
                child[rng.integers(TRAITS, size=rng.integers(1, 3))] += rng.normal()
            traits.append(child)
            parents.append(of)
            quality.append(float(child @ weights + NOISE * rng.normal()))
        alive = [*better[:BEST], *range(first, len(traits))]
    count = len(traits)
    fixed = dict.fromkeys([*FEATURES, "under_attack", "words_to_break"], np.nan)
    carries = np.array(traits)[:, 0] > 0
    scored = {f"fitness_{name}": rng.random(count) for name in ("robustness", "efficiency")}
    return pd.DataFrame(
        {
            **fixed, **scored,
            "id": [f"{place:04d}" for place in range(count)],
            "parents": [" ".join(f"{one:04d}" for one in of) for of in parents],
            "origin": ["mutation:any" if of else "sample" for of in parents],
            "generation": [place // population for place in range(count)],
            "role": "candidate", "status": "done", "gates": "", "largest_class_share": 0.5,
            "depth": np.array(traits)[:, 0], "width": rng.normal(size=count), "parameters": rng.normal(size=count),
            "quality": quality, "fitness": quality, "fitness_accuracy": quality,
            "operation_pairs": np.where(carries, "conv>ffn glu>ffn", "glu>ffn"),
            **({"run": run} if run else {}),
        }
    )  # fmt: skip
