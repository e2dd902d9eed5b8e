"""`rosearch`: evolution of one scalar fitness with an elite, as in the paper (arXiv 2106.03613), and with foresight.

The paper publishes neither operators nor population. Ours: the elite of all generations and the newest generation
breed, and tournaments draw the parents. In a steady search as many of the newest breed as a generation would have.

Ours too: of many children a surrogate chooses whom to train (`foresight`), and the first generation is spread over the
space for it to learn from. With `evolution.surrogate: none` every child and every sample is trained, as in the paper.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import islice
from types import MappingProxyType

from deap import base, tools

from rosearch.evolution.fitness import Fitness
from rosearch.evolution.foresight import Foresight
from rosearch.evolution.front import Objectives, by_scalar, undominated
from rosearch.evolution.strategy import Strategy
from rosearch.evolution.surrogates.architecture import farthest
from rosearch.evolution.toolbox import Individual, build_toolbox, on_private_generator, scalar_individual
from rosearch.evolution.variation import Novelty
from rosearch.randomness import derive_seed
from rosearch.records.record import Proposal, Record

_MOST = 1024  # children or samples to choose a generation from, unless two for each place are more
_SAMPLES = 8  # of a first generation, drawn for each that is taken
_MOST_UNDER_WAY = 64  # of a steady search, the newest: what is expected of them counts as if it were told


class RoSearch(Strategy):
    """Scalar, elitist.

    The elite is kept with its measurements: it is not distilled again.
    """

    _elite: tuple[Individual, ...] = ()
    _newest: tuple[Individual, ...] = ()  # of a steady search
    _foresight: Foresight | None = None
    _learnt = 0  # outcomes that it knows
    _front: Mapping[Objectives, Fitness] = MappingProxyType({})

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

    def _descendants(self, count: int, novelty: Novelty, rng: random.Random) -> list[Proposal]:
        """The most promising of many children; without a surrogate, or while it knows too little, all children."""
        foresight = self._learn_ahead()
        if foresight is None:
            return super()._descendants(count, novelty, rng)
        children = super()._descendants(_times(count, self._config.offspring), novelty.apart(), rng)
        under_way = list(self._under_way.values())[-_MOST_UNDER_WAY:]
        places = foresight.choose([child.genotype for child in children], count, self._best_known(), under_way)
        return [children[place] for place in places if novelty.admit(children[place])]

    def _samples(
        self, count: int, novelty: Novelty, rng: random.Random, beside: Sequence[Proposal] = ()
    ) -> list[Proposal]:
        """In a first generation, the draws of many that are farthest from each other and from the others."""
        if count < 1 or self._config.surrogate == "none" or len(self._told) >= self._config.population:
            return super()._samples(count, novelty, rng, beside)
        drawn = super()._samples(_times(count, _SAMPLES), novelty.apart(), rng, beside)
        others = [record.genotype for record in self._told.values()]
        others += [*self._under_way.values(), *(proposal.genotype for proposal in beside)]
        places = farthest([proposal.genotype for proposal in drawn], others, count)
        return [drawn[place] for place in places if novelty.admit(drawn[place])]

    def _learn_ahead(self) -> Foresight | None:
        """Learns after each generation, in a steady search after each half of a population; None where it cannot."""
        if self._config.surrogate == "none":
            return None
        every = self._least if self._config.mode == "steady" else 1
        known = len(self._told) // every * every
        if known != self._learnt:
            names = islice(self._told, known)
            told = [(self._told[name], self._scores[name]) for name in names if name in self._scores]
            self._foresight = Foresight.of(
                told, self._yardstick.config, derive_seed(self._seed, "foresight", str(known))
            )
            self._learnt = known
        return self._foresight

    def _learn(self, record: Record) -> Individual | None:
        """Keeps the front at hand too: a choice asks for it, and not for all that was told."""
        newcomer = super()._learn(record)
        if newcomer is not None and newcomer.score.eligible:
            first, second, third = point = newcomer.score.objectives
            if not any(one[0] >= first and one[1] >= second and one[2] >= third for one in self._front):
                scores = {point: newcomer.score, **self._front}
                self._front = {one: scores[one] for one in undominated(scores)}
        return newcomer

    def _best_known(self) -> list[Fitness]:
        """The front, and the elite: of a reward the front says nothing."""
        return [*self._front.values(), *(one.score for one in self._elite)]


def _times(count: int, each: int) -> int:
    return count * min(each, max(2, _MOST // count))
