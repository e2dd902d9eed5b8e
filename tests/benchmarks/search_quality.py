"""The cost at which a strategy finds what random search finds, replayed on a landscape (`tests.benchmarks.landscape`).

    python -m tests.benchmarks.search_quality [--seeds 30] [--candidates 100] [--json]

The strategies themselves run; outcomes are looked up in place of training. Quality is the hypervolume of (robustness,
accuracy, efficiency) of what may win, as a share of that of the whole landscape; the reference point stands in the
landscape's file. Cost is rows that went through a student: 3 for a row of a training step (forward and backward), 1 for
a query of an attack. The target is the median of random search's last hypervolumes; `budget_share` is the cost at which
a strategy reaches it, over random search's whole cost, infinite where it never does.

Beside ours: random search (never repeats), `random_rungs` (it trains the better half on, twice), parameters alone
(largest or smallest first), and Optuna's samplers with its default settings, told of gates as constraints. Optuna asks
for what it had before: `+repeats` pays for it again; the others are told the known values for nothing, and after ten
such trials in a row get one architecture that is new. Optuna is no dependency of the project: `pip install optuna`.
"""

from __future__ import annotations

import argparse
import json
import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from scipy.stats import wilcoxon

from rosearch.config.evolution import EvolutionConfig
from rosearch.evaluation.comparison import holm
from rosearch.evolution.fitness import Fitness
from rosearch.evolution.registry import make_strategy
from rosearch.records.record import Proposal, Record
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from tests.benchmarks.landscape import LANDSCAPES, Landscape, read_landscape

GENERATED = LANDSCAPES / "generated.json.xz"
DEFAULT = "rosearch"
OURS: dict[str, dict[str, Any]] = {  # settings beside those of a default experiment
    DEFAULT: {},
    "rosearch_without_surrogate": {"surrogate": "none"},
    "nsga2": {"strategy": "nsga2"},
    "random": {"strategy": "random"},
}
SAMPLERS = ("optuna_nsga2", "optuna_tpe", "optuna_tpe_multivariate", "optuna_random")
REPEATS = "+repeats"
RUNGS = (80, 160)  # steps at which `random_rungs` keeps the better half
POPULATION = EvolutionConfig().population  # of Optuna's NSGA-II, too
MOST_KNOWN = 10  # trials of Optuna in a row that ask for what is known
ALL = (
    *OURS,
    "random_rungs",
    "largest_first",
    "smallest_first",
    *SAMPLERS,
    *(name + REPEATS for name in SAMPLERS),
)

Evaluate = Callable[[Genotype], Fitness]


@dataclass
class Course:
    """What one search has cost and found so far: `costs` and `volumes` grow by one with each student that it ends."""

    landscape: Landscape
    candidates: int

    def __post_init__(self) -> None:
        self.spent = 0.0
        self.costs: list[float] = []
        self.volumes: list[float] = []
        self.best = 0.0  # scalar fitness
        self._front: list[tuple[float, float, float]] = []

    @property
    def over(self) -> bool:
        """True once as much is spent as random search spends on all its candidates, in the mean."""
        return self.spent >= self.candidates * self.landscape.mean_cost

    def add(self, genotype: Genotype, cost: float | None = None) -> Fitness:
        """Pays for a student and counts what it is worth; `cost` where it is not the whole of it."""
        self.spent += self.landscape.cost(genotype.id) if cost is None else cost
        found = self.landscape.fitness(genotype.id)
        if found.eligible:
            self._front.append(found.objectives)
            self.best = max(self.best, found.scalar)
        self.costs.append(self.spent)
        self.volumes.append(self.landscape.share(self._front))
        return found

    def reaches(self, volume: float) -> float:
        """The cost at which the hypervolume was reached; infinite where it never was."""
        return next((cost for cost, found in zip(self.costs, self.volumes, strict=True) if found >= volume), np.inf)

    def volume_at(self, cost: float) -> float:
        """The hypervolume that was reached for a cost."""
        return max((v for c, v in zip(self.costs, self.volumes, strict=True) if c <= cost), default=0.0)


def ours(name: str, seed: int, course: Course) -> None:
    """One of our strategies, to its end."""
    landscape = course.landscape
    config = EvolutionConfig.model_validate(OURS[name] | {"candidates": len(landscape.genotypes)})
    strategy = make_strategy(config, landscape.space, seed, landscape.yardstick)
    number = 0
    while not strategy.finished and not course.over:
        records = []
        for proposal in strategy.ask():
            number += 1
            records.append(_record(number, strategy.generation, proposal, landscape))
            if not course.over:
                course.add(proposal.genotype)
        strategy.tell(records)


def _record(number: int, generation: int, proposal: Proposal, landscape: Landscape) -> Record:
    measured = landscape.measurements(proposal.genotype.id)
    return Record(
        number, "candidate", generation, 0, proposal.genotype, proposal.origin, proposal.parents, 0, "done", measured
    )


def in_order(genotypes: Sequence[Genotype], course: Course) -> None:
    """Students one after the other."""
    for genotype in genotypes:
        if course.over:
            return
        course.add(genotype)


def random_rungs(seed: int, course: Course) -> None:
    """Random search that trains 8 at a time, goes on with the better half after each rung, and ends with 2 of them."""
    landscape, order = (
        course.landscape,
        random.Random(seed).sample(course.landscape.genotypes, k=len(course.landscape.genotypes)),
    )
    for place in range(0, len(order), 8):
        alive = list(order[place : place + 8])
        trained = 0
        for rung in RUNGS:
            course.spent += sum(landscape.rung_cost(one.id, trained, rung) for one in alive)
            trained = rung
            alive = sorted(alive, key=lambda one: landscape.early(one.id, trained), reverse=True)[: len(alive) // 2]
        for one in alive:
            if course.over:
                return
            course.add(one, landscape.cost(one.id) - landscape.steps_cost(trained))


def optuna(name: str, seed: int, course: Course) -> None:
    """One of Optuna's samplers."""
    import optuna as library
    from optuna.samplers import NSGAIISampler, RandomSampler, TPESampler

    library.logging.set_verbosity(library.logging.ERROR)
    landscape, repeats = course.landscape, name.endswith(REPEATS)

    def constraints(trial: Any) -> tuple[float, ...]:
        return (trial.user_attrs["violation"],)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # multivariate and constraints are marked experimental
        sampler = {
            "optuna_nsga2": lambda: NSGAIISampler(seed=seed, population_size=POPULATION, constraints_func=constraints),
            "optuna_tpe": lambda: TPESampler(seed=seed, constraints_func=constraints),
            "optuna_tpe_multivariate": lambda: TPESampler(seed=seed, multivariate=True, constraints_func=constraints),
            "optuna_random": lambda: RandomSampler(seed=seed),
        }[name.removesuffix(REPEATS)]()  # type: ignore[no-untyped-call]
        study = library.create_study(directions=["maximize"] * 3, sampler=sampler)
    seen: set[str] = set()
    fresh, known = random.Random(seed), 0
    while not course.over and len(seen) < len(landscape.genotypes):
        if known == MOST_KNOWN and not repeats:
            unseen = [one for one in landscape.genotypes if one.id not in seen]
            study.enqueue_trial(parameters(fresh.choice(unseen)))
        trial = study.ask()
        genotype = asked(trial, landscape)
        found = landscape.fitness(genotype.id)
        known = known + 1 if genotype.id in seen else 0
        if genotype.id not in seen or repeats:
            course.add(genotype)
        seen.add(genotype.id)
        trial.set_user_attr("violation", found.violation)
        study.tell(trial, found.objectives)


def asked(trial: Any, landscape: Landscape) -> Genotype:
    """The architecture that a trial of Optuna asks for: each choice of the space is a parameter."""
    space = landscape.space
    count = trial.suggest_int("nodes", space.min_nodes, space.max_nodes)
    width = trial.suggest_categorical("width", list(space.widths))
    source = [(name, trial.suggest_categorical(name, list(values))) for name, values in space.source.items()]
    nodes = []
    for position in range(1, count + 1):
        op = trial.suggest_categorical(f"op {position}", list(space.operations))
        read = trial.suggest_int(f"reads {position}", 0, position - 1)
        settings = tuple((name, values[0]) for name, values in space.operations[op].items())
        nodes.append(Node(op, settings, (read,), "add"))
    return Genotype(width, space.ranks[0], space.poolings[0], tuple(nodes), tuple(source))


def parameters(genotype: Genotype) -> dict[str, Any]:
    """The parameters of a trial that `asked` makes this architecture of."""
    nodes = enumerate(genotype.nodes, start=1)
    chosen = {"nodes": len(genotype.nodes), "width": genotype.width} | genotype.source_setting
    for position, node in nodes:
        chosen |= {f"op {position}": node.op, f"reads {position}": node.inputs[0]}
    return chosen


def run_one(name: str, seed: int, landscape: Landscape, candidates: int) -> Course:
    """One search by name and seed."""
    course = Course(landscape, candidates)
    by_size = sorted(landscape.genotypes, key=lambda one: (landscape.parameters(one.id), one.id))
    if name in OURS:
        ours(name, seed, course)
    elif name == "random_rungs":
        random_rungs(seed, course)
    elif name == "largest_first":
        in_order(by_size[::-1], course)
    elif name == "smallest_first":
        in_order(by_size, course)
    else:
        optuna(name, seed, course)
    return course


Courses = dict[str, list[Course]]


def races(seeds: int, landscape: Landscape, candidates: int, names: Sequence[str]) -> Courses:
    """The courses of each strategy, one a seed; what draws nothing runs once."""
    counts = {name: 1 if name.endswith("_first") else seeds for name in names}
    return {
        name: [run_one(name, seed, landscape, candidates) for seed in range(1, count + 1)]
        for name, count in counts.items()
    }


def report(courses: Courses, landscape: Landscape, candidates: int) -> dict[str, Any]:
    """The figures of all strategies; of the default its shares of others' budgets, and its test against Optuna."""
    budget = candidates * landscape.mean_cost
    last = {name: [one.volume_at(budget) for one in found] for name, found in courses.items()}
    targets = {name: median(found) for name, found in last.items()}
    reached = {name: [one.reaches(targets["random"]) for one in found] for name, found in courses.items()}
    strategies: dict[str, dict[str, Any]] = {
        name: {
            "budget_share_to_random": quartiles([cost / budget for cost in reached[name]]),
            "hypervolume": quartiles(last[name]),
            "best_fitness": quartiles([one.best for one in found]),
            "students_ended": median(len(one.costs) for one in found),
        }
        for name, found in courses.items()
    }
    best = max((name for name in courses if name.startswith("optuna")), key=lambda name: targets[name])
    share = median(one.reaches(targets[best]) for one in courses[DEFAULT]) / budget
    rivals = [name for name in courses if name != DEFAULT and len(courses[name]) > 1]
    p_values = [ahead(last[DEFAULT], last[name]) for name in rivals]
    for name, p, corrected in zip(rivals, p_values, holm(p_values).tolist(), strict=True):
        strategies[name] |= {"p": p, "p_holm": corrected}
    return {
        "budget_share_to_random": strategies[DEFAULT]["budget_share_to_random"][1],
        "budget_share_to_optuna": share,
        "p_value": strategies[best]["p_holm"],
        "best_of_optuna": best,
        "landscape": landscape.about,
        "candidates": candidates,
        "seeds": len(courses[DEFAULT]),
        "strategies": strategies,
    }


def quartiles(values: Sequence[float]) -> list[float]:
    """Lower quartile, median, upper quartile; infinite values are values too."""
    ordered = sorted(values)
    return [ordered[round(part * (len(ordered) - 1))] for part in (0.25, 0.5, 0.75)]


def ahead(ours_: Sequence[float], theirs: Sequence[float]) -> float:
    """p of Wilcoxon's signed-rank test, two-sided: seeds are pairs."""
    moved = [one - other for one, other in zip(ours_, theirs, strict=True) if one != other]
    return float(wilcoxon(moved).pvalue) if moved else 1.0


def print_report(found: dict[str, Any]) -> None:
    """A table in Markdown, and the three figures."""
    print(f"{found['landscape']}; {found['seeds']} seeds, budget of {found['candidates']} students\n")
    print("| strategy | cost to random's last hypervolume, of its budget | last hypervolume | p (Holm) against it |")
    print("|---|---|---|---|")
    for name, one in sorted(found["strategies"].items(), key=lambda item: -item[1]["hypervolume"][1]):
        cells = ["{1:.2f} [{0:.2f}, {2:.2f}]".format(*one["budget_share_to_random"])]
        cells += ["{1:.4f} [{0:.4f}, {2:.4f}]".format(*one["hypervolume"])]
        print(
            f"| {name} | {' | '.join(cells)} | {one['p_holm']:.2g} |"
            if "p" in one
            else f"| {name} | {' | '.join(cells)} | |"
        )
    print()
    for key in ("budget_share_to_random", "budget_share_to_optuna", "best_of_optuna", "p_value"):
        print(f"{key}: {found[key]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--candidates", type=int, default=100, help="random search's budget")
    parser.add_argument("--landscape", type=Path, default=GENERATED)
    parser.add_argument("--strategies", default=",".join(ALL), help="names with commas")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    landscape = read_landscape(given.landscape)
    courses = races(given.seeds, landscape, given.candidates, given.strategies.split(","))
    found = report(courses, landscape, given.candidates)
    if given.json:
        print(json.dumps(found, indent=2))
    else:
        print_report(found)


if __name__ == "__main__":
    main()
