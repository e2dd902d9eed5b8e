"""`random`: fresh samples only. The baseline of the other strategies, at equal budget and with the same warm starts."""

from __future__ import annotations

import random

from deap import base

from rosearch.evolution.front import by_scalar
from rosearch.evolution.strategy import Strategy
from rosearch.evolution.toolbox import Individual, build_toolbox, scalar_individual
from rosearch.records.record import Record


class RandomSearch(Strategy):
    """Generations only group the samples: none depends on the outcome of another."""

    def best(self) -> list[Record]:
        """Eligible candidates by their scalar."""
        return by_scalar(self._scored())

    def _tools(self) -> base.Toolbox:
        return build_toolbox(self._space, scalar_individual)

    def _size(self) -> int:
        return self._config.population

    def _survive(self, newcomers: list[Individual]) -> None:
        """Nobody breeds, so there is no population to keep."""

    def _parents(self, count: int, rng: random.Random) -> list[Individual]:
        return []
