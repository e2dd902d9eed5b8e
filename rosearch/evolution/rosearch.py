"""`rosearch`: evolution of one scalar fitness with an elite, as in the paper (arXiv 2106.03613).

The paper publishes neither operators nor population. Ours: the elite of all generations and the newest generation
breed, and tournaments draw the parents. In a steady search as many of the newest breed as a generation would have.
"""

from __future__ import annotations

import random

from deap import base, tools

from rosearch.evolution.front import by_scalar
from rosearch.evolution.strategy import Strategy
from rosearch.evolution.toolbox import Individual, build_toolbox, on_private_generator, scalar_individual
from rosearch.records.record import Record


class RoSearch(Strategy):
    """Scalar, elitist.

    The elite is kept with its measurements: it is not distilled again.
    """

    _elite: tuple[Individual, ...] = ()
    _newest: tuple[Individual, ...] = ()  # of a steady search

    def best(self) -> list[Record]:
        """Eligible candidates by their scalar."""
        return by_scalar(self._scored())

    def _tools(self) -> base.Toolbox:
        toolbox = build_toolbox(self._space, scalar_individual)
        toolbox.register("survive", tools.selBest, k=self._config.elite)
        toolbox.register("select", on_private_generator(tools.selTournament), tournsize=self._config.tournament)
        return toolbox

    def _size(self) -> int:
        """The population, in later generations less the elite, which needs no second distillation."""
        return self._config.population - (self._config.elite if self.generation else 0)

    def _survive(self, newcomers: list[Individual]) -> None:
        """The population is the last elite with the newcomers; the best of it are the next elite."""
        self._population = (*self._elite, *newcomers)
        self._elite = tuple(self._toolbox.survive(list(self._population)))

    def _join(self, newcomer: Individual) -> None:
        """The best stay; of the others the newest, in the place of a generation."""
        self._elite = tuple(self._toolbox.survive([*self._elite, newcomer]))
        self._newest = (*self._newest, newcomer)[self._config.elite - self._config.population :]
        self._population = (*self._elite, *(one for one in self._newest if one not in self._elite))

    def _parents(self, count: int, rng: random.Random) -> list[Individual]:
        pool = self._pool(list(self._population))
        selected: list[Individual] = self._toolbox.select(pool, 2 * count, rng=rng) if pool else []
        return selected
