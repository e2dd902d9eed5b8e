"""`nsga2`: three separate objectives, by non-dominated sorting (Deb et al. 2002, doi 10.1109/4235.996017)."""

from __future__ import annotations

import random

from deap import base, tools

from rosearch.evolution.front import by_front
from rosearch.evolution.strategy import Strategy
from rosearch.evolution.toolbox import Individual, build_toolbox, objectives_individual, on_private_generator
from rosearch.records.record import Record


class Nsga2(Strategy):
    """Survivors are chosen among old and new by rank and crowding distance, parents by tournaments of both.

    Offspring come from `Strategy`: crossover or mutation of each pair of parents.
    """

    _by_front = True

    def best(self) -> list[Record]:
        """Eligible candidates front by front, inside a front by their scalar."""
        return [record for front in by_front(self._scored()) for record in front]

    def _tools(self) -> base.Toolbox:
        toolbox = build_toolbox(self._space, objectives_individual)
        toolbox.register("survive", tools.selNSGA2)
        toolbox.register("select", on_private_generator(tools.selTournamentDCD))
        return toolbox

    def _size(self) -> int:
        return self._config.population

    def _survive(self, newcomers: list[Individual]) -> None:
        self._population = self._ranked([*self._population, *newcomers], self._config.population)

    def _parents(self, count: int, rng: random.Random) -> list[Individual]:
        pool = self._pool(list(self._population))
        if not pool:
            return []
        ranked = self._ranked(pool, len(pool))
        # DEAP's tournament takes a multiple of 4, at most as many as enter: the best-ranked enter once more.
        places = -(-max(2 * count, len(ranked)) // 4) * 4
        entrants = [ranked[place % len(ranked)] for place in range(places)]
        selected: list[Individual] = self._toolbox.select(entrants, places, rng=rng)
        return selected[: 2 * count]

    def _ranked(self, individuals: list[Individual], count: int) -> tuple[Individual, ...]:
        """The best `count`, with the crowding distances that tournaments read; DEAP fails on an empty list."""
        return tuple(self._toolbox.survive(individuals, count)) if individuals else ()
