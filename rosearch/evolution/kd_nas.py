"""`kd_nas`: a controller predicts the reward of every encoder not distilled yet (KD-NAS, arXiv 2303.09639).

A generation is an episode: a share of it is random, the rest are the best predicted of the whole space. The share falls
by a step each episode. Ours: the ranking of the whole space in place of a pool drawn from it, and the predictors beside
the LSTM.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from math import log
from types import MappingProxyType

from rosearch.config.evolution import EvolutionConfig
from rosearch.errors import BadInput, Problem
from rosearch.evolution.agreement import CHOSEN, DRAWN, EpisodeAgreement, agreements
from rosearch.evolution.fitness import Yardstick
from rosearch.evolution.random_search import RandomSearch
from rosearch.evolution.surrogates import make_predictor
from rosearch.evolution.surrogates.predictor import Choices, Episode, context_of
from rosearch.evolution.variation import Novelty
from rosearch.randomness import derive_seed
from rosearch.records.record import Proposal
from rosearch.space.cost import count_parameters
from rosearch.space.encoder_space import EncoderChoice, EncoderSpace
from rosearch.space.size_limit import SizeLimit
from rosearch.space.space import Space

_LEAST = 2  # fewest rewards that a predictor learns from: one ranks nothing


class KdNas(RandomSearch):
    """Random search that proposes more and more of the architectures with the best predicted reward.

    The predictor learns the scalar of every candidate that has one, also behind a gate; it does not see failures. No
    architecture has parents.
    """

    def __init__(
        self,
        config: EvolutionConfig,
        space: Space,
        seed: int,
        yardstick: Yardstick,
        limit: SizeLimit | None = None,
        taken: Mapping[str, Sequence[Proposal]] = MappingProxyType({}),
    ) -> None:
        """Raises `BadInput` where the space is none of encoders, or a warm start cannot be fitted to it."""
        if not isinstance(space, EncoderSpace):
            expected = "a search space of encoders (such as kd_nas), which kd_nas needs"
            raise BadInput(Problem("experiment", "search_space", expected, f"{space.name}, a space of graphs"))
        super().__init__(config, space, seed, yardstick, limit, taken)
        self._encoders: EncoderSpace = space
        lists = [list(values) for values in space.values.values()]
        self._positions: dict[EncoderChoice, Choices] = {
            choice: tuple(values.index(value) for values, value in zip(lists, choice, strict=True))
            for choice in space.choices()
        }
        self._choices = {positions: choice for choice, positions in self._positions.items()}
        self._predictor = make_predictor(
            config.kd_nas.predictor,
            [len(values) for values in lists],
            lru_cache(maxsize=None)(self._features),
            derive_seed(seed, "controller"),
            config.kd_nas.passes,
        )

    @property
    def correlations(self) -> list[EpisodeAgreement]:
        """The agreement of every told episode that had predictions."""
        return agreements(self._scored())

    def _propose(self, rng: random.Random) -> list[Proposal]:
        """The proposals of random search, each with the reward that was predicted before it was seen."""
        self._predicted: dict[EncoderChoice, float] = {}
        return [self._noted(proposal) for proposal in super()._propose(rng)]

    def _descendants(self, count: int, novelty: Novelty, rng: random.Random) -> list[Proposal]:
        settings = self._config.kd_nas
        share = max(settings.exploration - settings.exploration_step * self.generation, settings.exploration_least)
        wanted = count - round(share * count)
        self._predicted = self._predictions()
        ranked = sorted(self._predicted, key=self._predicted.__getitem__, reverse=True)
        best = (Proposal(self._encoders.genotype(choice).canonical(), CHOSEN) for choice in ranked[:wanted])
        return [proposal for proposal in best if novelty.admit(proposal)]

    def _noted(self, proposal: Proposal) -> Proposal:
        if not self._predicted or proposal.origin not in (CHOSEN, DRAWN):
            return proposal
        predicted = self._predicted[self._encoders.choice(proposal.genotype)]
        return replace(proposal, origin=f"{proposal.origin}:{predicted:.6g}")

    def _predictions(self) -> dict[EncoderChoice, float]:
        """The predicted reward of every encoder that was not told; empty while there are too few rewards to learn."""
        history = self._history()
        if sum(len(episode.rewards) for episode in history) < _LEAST:
            return {}
        told = {self._encoders.choice(record.genotype) for record in self._told.values()}
        unseen = [choice for choice in self._encoders.choices() if choice not in told and self._admitted(choice)]
        if not unseen:
            return {}
        self._predictor.fit(history)
        rewards = self._predictor.predict([self._positions[choice] for choice in unseen], context_of(history))
        return dict(zip(unseen, rewards.tolist(), strict=True))

    def _admitted(self, choice: EncoderChoice) -> bool:
        return self._limit is None or self._limit.admits(self._encoders.genotype(choice))

    def _history(self) -> list[Episode]:
        episodes: list[list[tuple[Choices, float]]] = [[] for _ in range(self.generation)]
        for record, fitness in self._scored():
            if fitness.finite:
                positions = self._positions[self._encoders.choice(record.genotype)]
                episodes[record.generation].append((positions, fitness.scalar))
        return [Episode(tuple(c for c, _ in told), tuple(reward for _, reward in told)) for told in episodes]

    def _features(self, positions: Choices) -> tuple[float, ...]:
        """The logarithms of sizes and of parameters without embeddings; an indicator for each activation."""
        choice = self._choices[positions]
        parameters = count_parameters(self._encoders.genotype(choice)).encoder
        sizes = (choice.layers, choice.heads, choice.hidden, choice.ffn, parameters)
        return (*map(log, sizes), *(float(choice.activation == one) for one in self._encoders.activations))
