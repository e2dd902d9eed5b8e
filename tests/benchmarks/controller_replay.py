"""Is the controller of KD-NAS ahead of random search at equal budget? Replayed on a table of what was measured.

    python -m tests.benchmarks.controller_replay TABLE [--predictors lstm boosting ...] [--seeds 20] [--json]

TABLE tells the outcome of every encoder of a whole (sub-)space, each distilled once, as JSON:

    {"about": "how it was made", "teacher_latency_ms": 40.1,
     "encoders": [{"layers": 3, "heads": 2, "hidden": 384, "ffn": 512, "activation": "gelu",
                   "held_out_loss": 0.41, "latency_ms": 5.2}, ...]}

The strategies themselves run, on rewards of the table in place of training. Random search with the same seed begins
with the same episode, so that seeds are pairs. Of each predictor one test counts: Wilcoxon's signed-rank test of the
mean over all budgets of the best reward so far, two-sided, with Holm's correction for the number of predictors. Tests
at single budgets are shown beside it, uncorrected.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, get_args

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import wilcoxon

from rosearch.config.evolution import EvolutionConfig, KdNasConfig
from rosearch.config.fitness import FitnessConfig, RewardConfig
from rosearch.evaluation.comparison import holm
from rosearch.evaluation.intervals import mean_interval
from rosearch.evolution.fitness import Yardstick, reward
from rosearch.evolution.kd_nas import agreements
from rosearch.evolution.registry import make_strategy
from rosearch.measurements import Efficiency, Latency, Measurements, Quality, Training
from rosearch.records.record import Proposal, Record
from rosearch.space.cost import count_parameters
from rosearch.space.encoder_space import EncoderChoice, EncoderSpace

PREDICTORS = get_args(KdNasConfig.model_fields["predictor"].annotation)
RANDOM = "random"


@dataclass(frozen=True)
class Outcomes:
    """The table: loss and latency (ms) of every encoder of a space, and the teacher's latency (ms)."""

    space: EncoderSpace
    teacher_ms: float
    measured: dict[EncoderChoice, tuple[float, float]]


@dataclass(frozen=True)
class Replay:
    """One strategy under one seed: best reward at the end of each episode, rank of the last, mean Kendall's tau-b."""

    budgets: list[int]
    best: list[float]
    rank: int  # of the best found among all of the space, 1 the best there is
    tau: float | None  # of predictions for encoders drawn at random, mean over the episodes that have one


def read_outcomes(path: Path) -> Outcomes:
    """The table in a file. Raises `ValueError` where an encoder of its space has no outcome, or has two."""
    data = json.loads(path.read_text(encoding="utf-8"))
    rows = data["encoders"]
    lists = [tuple(dict.fromkeys(row[name] for row in rows)) for name in EncoderChoice._fields]
    space = EncoderSpace(path.stem, *lists)
    measured = {
        EncoderChoice(*(row[name] for name in EncoderChoice._fields)): (row["held_out_loss"], row["latency_ms"])
        for row in rows
    }
    if len(measured) != len(rows) or set(measured) != set(space.choices()):
        raise ValueError(
            f"{path}: expected each of {len(space.choices())} encoders once, got {len(rows)} rows of {len(measured)}"
        )
    return Outcomes(space, data["teacher_latency_ms"], measured)


def _record(number: int, generation: int, proposal: Proposal, outcomes: Outcomes) -> Record:
    """As a search would have recorded it; what the table does not tell is not read by the reward."""
    loss, latency = outcomes.measured[outcomes.space.choice(proposal.genotype)]
    size = count_parameters(proposal.genotype)
    timed = (Latency(1, latency, latency, latency),)
    efficiency = Efficiency(size.total, size.encoder, 1.0, 1.0, 1, 1.0, 1, 1.0, timed)
    measured = Measurements(Quality("accuracy", 1.0, 1), efficiency, Training(1, 1, loss, ""), held_out_loss=loss)
    return Record(
        number, "candidate", generation, 0, proposal.genotype, proposal.origin, proposal.parents, 0, "done", measured
    )


def replay(name: str, seed: int, outcomes: Outcomes, options: argparse.Namespace) -> Replay:
    """One search on the table: of `random`, or of kd_nas with the predictor of this name."""
    controller: dict[str, Any] = {"exploration_step": options.exploration_step}
    settings: dict[str, Any] = {"strategy": RANDOM, "candidates": options.candidates, "population": options.population}
    if name != RANDOM:
        settings |= {"strategy": "kd_nas", "kd_nas": controller | {"predictor": name, "passes": options.passes}}
    rewarded = RewardConfig(alpha=options.alpha, beta=options.beta)
    fitness = FitnessConfig(reward=rewarded, min_quality=0, max_class_share=1)
    config = EvolutionConfig.model_validate(settings | {"elite": 1})
    strategy = make_strategy(config, outcomes.space, seed, Yardstick(fitness, 1.0, outcomes.teacher_ms))
    budgets, best, told = [], [], []
    while not strategy.finished:
        proposals = enumerate(strategy.ask(), start=len(told) + 1)
        records = [_record(number, strategy.generation, proposal, outcomes) for number, proposal in proposals]
        told += records
        strategy.tell(records)
        budgets.append(len(told))
        best.append(strategy.fitnesses[strategy.best()[0].id].scalar)
    episodes = agreements([(record, strategy.fitnesses[record.id]) for record in told])
    taus = [one.drawn.kendall for one in episodes if one.drawn.kendall is not None]
    rank = 1 + sum(value > best[-1] for value in rewards(outcomes, rewarded))
    return Replay(budgets, best, rank, fmean(taus) if taus else None)


def rewards(outcomes: Outcomes, config: RewardConfig) -> list[float]:
    """The reward of every encoder of the table."""
    return [reward(loss, latency, outcomes.teacher_ms, config) for loss, latency in outcomes.measured.values()]


def paired(gains: Sequence[float]) -> dict[str, float]:
    """Mean of paired differences with its 95 % t interval, seeds ahead and behind, two-sided signed-rank p."""
    found = mean_interval(gains)
    moved = [gain for gain in gains if gain]
    p = float(wilcoxon(moved).pvalue) if moved else 1.0
    ahead = sum(gain > 0 for gain in moved)
    return {
        "gain": found.value,
        "low": found.low,
        "high": found.high,
        "ahead": ahead,
        "behind": len(moved) - ahead,
        "p": p,
    }


def compare(replays: dict[str, list[Replay]], optimum: float) -> dict[str, Any]:
    """Each predictor against random search, seed by seed; of all strategies the best reward at each budget."""
    curves = {name: np.array([one.best for one in found]) for name, found in replays.items()}  # (seeds, budgets)
    against = {
        name: {
            "over_all_budgets": paired((curve - curves[RANDOM]).mean(axis=1).tolist()),
            "by_budget": [paired(gains.tolist()) for gains in (curve - curves[RANDOM]).T],
        }
        for name, curve in curves.items()
        if name != RANDOM
    }
    tests = [found["over_all_budgets"] for found in against.values()]
    for test, corrected in zip(tests, holm([test["p"] for test in tests]).tolist(), strict=True):
        test["p_holm"] = corrected
    return {
        "optimum": optimum,
        "budgets": replays[RANDOM][0].budgets,
        "best": {name: [asdict(mean_interval(at.tolist())) for at in curve.T] for name, curve in curves.items()},
        "rank": {name: fmean(one.rank for one in found) for name, found in replays.items()},
        "tau": {name: _mean_tau(found) for name, found in replays.items()},
        "against_random": against,
    }


def _mean_tau(found: Sequence[Replay]) -> float | None:
    taus = [one.tau for one in found if one.tau is not None]
    return fmean(taus) if taus else None


def print_report(report: dict[str, Any], console: Console) -> None:
    """Two tables: best reward by budget, and the paired tests."""
    title = f"Best reward so far (optimum {report['optimum']:.4f}), mean [95 %] over {report['seeds']} seeds"
    table = Table(title=title, title_justify="left")
    table.add_column("encoders distilled", justify="right")
    for name in report["best"]:
        table.add_column(name)
    for place, budget in enumerate(report["budgets"]):
        cells = [found[place] for found in report["best"].values()]
        table.add_row(str(budget), *(f"{c['value']:.4f} [{c['low']:.4f}, {c['high']:.4f}]" for c in cells))
    console.print(table)
    tests = Table(title="Against random search, seed by seed, mean over all budgets", title_justify="left")
    for column in ("predictor", "gain", "ahead/behind", "p", "p (Holm)", "tau-b", "rank of the best", "(random)"):
        tests.add_column(column)
    for name, found in report["against_random"].items():
        one, tau = found["over_all_budgets"], report["tau"][name]
        gain = f"{one['gain']:+.4f} [{one['low']:+.4f}, {one['high']:+.4f}]"
        cells = [gain, f"{one['ahead']}/{one['behind']}", f"{one['p']:.2g}", f"{one['p_holm']:.2g}"]
        ranks = [f"{report['rank'][who]:.1f}" for who in (name, RANDOM)]
        tests.add_row(name, *cells, "-" if tau is None else f"{tau:.2f}", *ranks)
    console.print(tests)


def main(arguments: Sequence[str] | None = None) -> None:
    """Replay, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--predictors", nargs="+", choices=PREDICTORS, default=list(PREDICTORS))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--population", type=int, default=4, help="encoders an episode")
    parser.add_argument("--candidates", type=int, default=60, help="the budget")
    defaults, published = KdNasConfig(), RewardConfig()
    parser.add_argument("--exploration-step", type=float, default=defaults.exploration_step)
    parser.add_argument("--passes", type=int, default=defaults.passes)
    parser.add_argument("--alpha", type=float, default=published.alpha)
    parser.add_argument("--beta", type=float, default=published.beta)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    outcomes = read_outcomes(options.table)
    replays = {
        name: [replay(name, seed, outcomes, options) for seed in range(1, options.seeds + 1)]
        for name in (RANDOM, *options.predictors)
    }
    optimum = max(rewards(outcomes, RewardConfig(alpha=options.alpha, beta=options.beta)))
    settings = {name: value for name, value in vars(options).items() if name not in ("json", "table")}
    report = {"table": options.table.name, "encoders": len(outcomes.measured), **settings}
    report |= compare(replays, optimum)
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        print_report(report, Console(width=160))


if __name__ == "__main__":
    main()
