"""What does a strategy need to find what random search finds? Replayed on the landscape of `tests.benchmarks.landscape`.

    python -m tests.benchmarks.search_quality [--seeds 30] [--candidates 100] [--json]

The strategies themselves run; outcomes are looked up in place of training. Quality is the hypervolume of (robustness,
accuracy, efficiency) of what may win, as a share of that of the whole landscape; the reference point stands in the
landscape's file. Cost is rows that went through a student: 3 for a row of a training step (forward and backward), 1 for
a query of an attack. The target is the median of random search's last hypervolumes; `budget_share` is the cost at which
a strategy reaches it, over random search's whole cost, infinite where it never does.

Beside ours: random search (never repeats), `random_rungs` (it trains the better half on, twice), parameters alone
(largest or smallest first), and Optuna's samplers with its default settings, told of gates as constraints. Optuna asks
for what it had before: `+repeats` pays for it again, the others are told the known values for nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
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
OURS = ("rosearch", "nsga2", "random")
SAMPLERS = ("optuna_nsga2", "optuna_tpe", "optuna_tpe_multivariate", "optuna_random")
REPEATS = "+repeats"
RUNGS = (80, 160)  # steps at which `random_rungs` keeps the better half
POPULATION = 10

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
    settings = {"strategy": name, "candidates": len(landscape.genotypes), "population": POPULATION, "elite": 2}
    strategy = make_strategy(EvolutionConfig.model_validate(settings), landscape.space, seed, landscape.yardstick)
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
    landscape, order = course.landscape, random.Random(seed).sample(course.landscape.genotypes, k=len(course.landscape.genotypes))
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
        }[name.removesuffix(REPEATS)]()
        study = library.create_study(directions=["maximize"] * 3, sampler=sampler)
    seen: set[str] = set()
    for _ in range(20 * len(landscape.genotypes)):
        if course.over:
            return
        trial = study.ask()
        genotype = asked(trial, landscape)
        found = landscape.fitness(genotype.id)
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
