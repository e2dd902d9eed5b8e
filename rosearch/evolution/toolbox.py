"""The DEAP toolbox: individuals with DEAP fitnesses, our operators, DEAP's selection on a private generator.

DEAP's `creator` writes classes into a module's globals, so plain subclasses of `base.Fitness` stand in for it. Its
selection draws from the global `random`, so each selection that draws is wrapped by `on_private_generator`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from deap import base

from rosearch.evolution.fitness import Fitness
from rosearch.evolution.operators import mutate, operators_of
from rosearch.records.record import Record
from rosearch.space.genotype import Genotype
from rosearch.space.space import Space


class ScalarFitness(base.Fitness):  # type: ignore[misc]
    """One value, larger is better."""

    weights = (1.0,)


class ObjectivesFitness(base.Fitness):  # type: ignore[misc]
    """Robustness, accuracy, efficiency, larger is better."""

    weights = (1.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Individual:
    """A record with the fitness that DEAP reads and selects by."""

    fitness: base.Fitness
    record: Record
    score: Fitness

    @cached_property
    def genotype(self) -> Genotype:
        """The genotype in canonical form. Few individuals become parents, which are asked for it."""
        return self.record.genotype.canonical()


def scalar_individual(record: Record, score: Fitness) -> Individual:
    """An individual of one objective."""
    return Individual(ScalarFitness(_constrained((score.scalar,), score)), record, score)


def objectives_individual(record: Record, score: Fitness) -> Individual:
    """An individual of three objectives."""
    values = _constrained(score.objectives, score)
    return Individual(ObjectivesFitness(values), record, score)


def build_toolbox(space: Space, individual: Callable[[Record, Fitness], Individual]) -> base.Toolbox:
    """A toolbox with `individual`, and the space's `mate` and `mutate`; a strategy adds `select` and `survive`."""
    operators = operators_of(space)
    toolbox = base.Toolbox()
    toolbox.register("individual", individual)
    toolbox.register("mate", operators.cross)
    toolbox.register("mutate", mutate, operators=operators)
    return toolbox


def on_private_generator(select: Callable[..., list[Individual]]) -> Callable[..., list[Individual]]:
    """The DEAP operator with a private generator `rng`; the global `random` is left as it was."""

    def selected(individuals: list[Individual], k: int, *, rng: random.Random, **settings: Any) -> list[Individual]:
        with _lent(rng):
            return select(individuals, k, **settings)

    return selected


@contextmanager
def _lent(rng: random.Random) -> Iterator[None]:
    state = random.getstate()
    random.seed(rng.getrandbits(64))
    try:
        yield
    finally:
        random.setstate(state)


def _constrained(values: tuple[float, ...], score: Fitness) -> tuple[float, ...]:
    """Values by Deb's rule: the gated come below all others, by violation. DEAP's ConstrainedFitness has no order."""
    return values if score.eligible else (-1.0 - score.violation,) * len(values)
