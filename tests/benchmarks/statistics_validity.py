"""How often each statistic of architectures errs, on made-up searches with a known answer.

Usage: `python -m tests.benchmarks.statistics_validity [--searches 400] [--json]`. `tests/report/descent.py` makes the
searches. All figures are shares of searches; each has a standard error of at most 0.5 / sqrt(searches).

- `false_independent`, `false_lineage`, `false_siblings`: a feature without effect has p below 5 %: of Spearman's test
  that takes candidates as independent; of a test on ranks that is robust to clusters, the clusters being lineages; of
  the test among siblings, which `rosearch stats` has;
- `false_partial`: the same with parameters held fixed; `false_any`: any of three features after Holm;
- `covered`: the 95 % interval holds the mean over searches, without an effect and with one;
- `false_motif`: a pair of operations without effect has p below 5 %;
- `false_pooled`: three searches pooled with random effects;
- `power`: a random search finds the relation that `detectable` says it finds in 80 %;
- `r2`: mean held-out R2, by lineage and by row, of a feature without effect that is inherited.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from rosearch.report.kinship import Kinship
from rosearch.report.motifs import motif_statistics
from rosearch.report.pooling import pooled_statistics
from rosearch.report.regression import regression_statistics
from rosearch.report.sibling_tests import detectable
from rosearch.report.statistics import feature_statistics
from tests.report.descent import evolve

ALPHA = 0.05
FEATURES = ("depth", "width", "parameters")
SIZES = {"random 24": (24, 1), "evolved 6 x 4": (6, 4), "evolved 10 x 6": (10, 6), "evolved 20 x 10": (20, 10)}
EFFECT = 1.5


def clustered(x: np.ndarray, y: np.ndarray, lineages: np.ndarray) -> float:
    """p of a regression of ranks whose variance is robust to clusters (CR1, Student's t of the clusters less 1)."""
    count = len(np.unique(lineages))
    if count < 3:
        return math.nan
    x, y = (stats.rankdata(one) - (len(x) + 1) / 2 for one in (x, y))
    slope = x @ y / (x @ x)
    scores = np.bincount(lineages, x * (y - slope * x))
    error = math.sqrt(scores @ scores * count / (count - 1)) / (x @ x)
    return float(2 * stats.t.sf(abs(slope / error), count - 1))


def one_search(seed: int, population: int, generations: int) -> dict[str, float]:
    """The figures of one search of a size."""
    table = evolve(seed, population, generations)
    found = feature_statistics(table, features=FEATURES).set_index("feature")
    x, y = (table[name].to_numpy() for name in ("depth", "quality"))
    told = {
        "false_independent": float(stats.spearmanr(x, y).pvalue < ALPHA),
        "false_lineage": float(clustered(x, y, Kinship.of(table).lineages) < ALPHA),
        "false_siblings": _below(found.loc["depth", "p"]),
        "false_partial": _below(found.loc["depth", "partial_p"]),
        "false_any": float((found["p_holm"] < ALPHA).any()),
        "rho": float(found.loc["depth", "sibling_rho"]),
        "low": float(found.loc["depth", "sibling_rho_low"]),
        "high": float(found.loc["depth", "sibling_rho_high"]),
        "comparisons": float(found.loc["depth", "comparisons"]),
    }
    motifs = motif_statistics(table).set_index("motif")
    told["false_motif"] = _below(motifs["p"].get("conv>ffn", math.nan))
    strong = feature_statistics(evolve(seed, population, generations, EFFECT), features=FEATURES).set_index("feature")
    ends = {"rho": "sibling_rho", "low": "sibling_rho_low", "high": "sibling_rho_high"}
    told |= {f"{name}_effect": float(strong.loc["depth", column]) for name, column in ends.items()}
    return told


def _below(p: float) -> float:
    return math.nan if math.isnan(p) else float(p < ALPHA)


def _covered(told: Mapping[str, np.ndarray], end: str) -> float:
    low, high, rho = (told[f"{name}{end}"] for name in ("low", "high", "rho"))
    there = ~np.isnan(low)
    return float(((low <= np.nanmean(rho)) & (np.nanmean(rho) <= high))[there].mean())


def power(searches: int, count: int = 24) -> float:
    """The share of random searches that find a relation of the size that `detectable` gives."""
    rho = 2 * math.sin(math.pi / 6 * detectable(count - 1))  # Pearson's of a normal pair with this Spearman's
    found = []
    for seed in range(searches):
        rng = np.random.default_rng([seed, count])
        x, noise = rng.normal(size=(2, count))
        table = evolve(seed, count, 1).assign(depth=x, quality=rho * x + math.sqrt(1 - rho**2) * noise)
        found.append(float(feature_statistics(table, features=("depth",))["p"].iloc[0]) < ALPHA)
    return float(np.mean(found))


def pooled(searches: int, population: int = 10, generations: int = 6, runs: int = 3) -> float:
    """The share of pooled results in which a feature without effect has p below 5 %."""
    found = []
    for first in range(searches):
        tables = [evolve(10_000 + first * runs + one, population, generations) for one in range(runs)]
        frames = [feature_statistics(table, features=("depth",)) for table in tables]
        found.append(_below(float(pooled_statistics(frames)["p"].iloc[0])))
    return float(np.nanmean(found))


def predicted(searches: int) -> dict[str, float]:
    """Mean held-out R2 of what has no effect, where lineages are held out and where rows are."""
    by: dict[str, list[float]] = {"lineage": [], "row": []}
    for seed in range(searches):
        table = evolve(seed).drop(columns=["width", "parameters"])
        table = table.assign(width=np.nan, parameters=table["depth"])
        for name, one in (("lineage", table), ("row", table.assign(parents="", origin="sample"))):
            found = regression_statistics(one).set_index("predictors")
            by[name].append(float(found.loc["architecture", "r2"]))
    return {name: float(np.nanmean(values)) for name, values in by.items()}


def measure(searches: int) -> dict[str, Any]:
    """All figures."""
    sizes: dict[str, dict[str, float]] = {}
    for name, (population, generations) in SIZES.items():
        told: defaultdict[str, list[float]] = defaultdict(list)
        for seed in range(searches):
            for key, value in one_search(seed, population, generations).items():
                told[key].append(value)
        whole = {key: np.array(values) for key, values in told.items()}
        kept = [key for key in whole if key.startswith("false_") or key == "comparisons"]
        with np.errstate(all="ignore"):
            sizes[name] = {key: float(np.nanmean(whole[key])) for key in kept}
        sizes[name] |= {"covered": _covered(whole, ""), "covered_effect": _covered(whole, "_effect")}
    few = max(2, searches // 4)
    return {
        "searches": searches,
        "sizes": sizes,
        "power": power(searches),
        "false_pooled": pooled(few),
        "r2": predicted(few),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=400)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    found = measure(given.searches)
    if given.json:
        print(json.dumps(found))
        return
    print(pd.DataFrame(found["sizes"]).round(3).to_string())
    print({name: found[name] for name in ("searches", "power", "false_pooled", "r2")})


if __name__ == "__main__":
    main()
