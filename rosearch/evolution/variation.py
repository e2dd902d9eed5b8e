"""New proposals: founders, offspring, samples. No architecture is proposed twice."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType

from deap import base

from rosearch.config.evolution import FROM_RUN, EvolutionConfig
from rosearch.errors import BadInput, Problem
from rosearch.evolution.toolbox import Individual
from rosearch.records.record import Proposal
from rosearch.space.known import KNOWN, known_architecture
from rosearch.space.size_limit import SizeLimit
from rosearch.space.space import Space

BREEDING_TRIES = 12  # further mutations of a child whose architecture is known
SAMPLING_TRIES = 100  # known samples in a row: the space is then nearly used up and is gone through in order
LIMITED_TRIES = 1000  # in place of it where a limit leaves little of the space
_IN_ORDER = 10_000  # genotypes of a space that are gone through under a limit, which may leave none of them


def warm_starts(
    config: EvolutionConfig, space: Space, taken: Mapping[str, Sequence[Proposal]] = MappingProxyType({})
) -> list[Proposal]:
    """The named architectures, fitted to the space, and those `taken` from runs; of two that are equal the first stays.

    Raises `BadInput` with every name that is unknown or cannot be fitted, and for more names than a generation has.
    """
    problems: list[Problem] = []
    room = min(config.population, config.candidates)
    if len(config.warm_start) > room:
        expected = f"at most {room} names, the size of the first generation"
        problems.append(Problem("experiment", "evolution.warm_start", expected, str(len(config.warm_start))))
    founders: dict[str, Proposal] = {}
    for index, name in enumerate(config.warm_start):
        key = f"evolution.warm_start.{index}"
        if name.startswith(FROM_RUN):
            for proposal in taken.get(name, ()):
                founders.setdefault(proposal.genotype.id, proposal)
            continue
        if name not in KNOWN:
            expected = f"{FROM_RUN}PATH, or one of {', '.join(sorted(KNOWN))}"
            problems.append(Problem("experiment", key, expected, repr(name)))
            continue
        try:
            genotype = space.fit(known_architecture(name).genotype).canonical()
        except ValueError as error:
            got = f"{name}, which {error}"
            problems.append(Problem("experiment", key, "an architecture that fits the search space", got))
            continue
        founders.setdefault(genotype.id, Proposal(genotype, f"warm_start:{name}"))
    if problems:
        raise BadInput(problems)
    return list(founders.values())


class Novelty:
    """A source of proposals that gives each architecture once, and none above a limit of size.

    `seen` are the ids proposed before.
    """

    def __init__(self, space: Space, seen: Iterable[str], limit: SizeLimit | None = None) -> None:
        self._space = space
        self._seen = set(seen)
        self._limit = limit
        self._in_order: Iterator[Proposal] | None = None

    def admit(self, proposal: Proposal) -> bool:
        """True if the architecture is new and within the limit. From now on it is known."""
        new = proposal.genotype.id not in self._seen and (self._limit is None or self._limit.admits(proposal.genotype))
        self._seen.add(proposal.genotype.id)
        return new

    def apart(self) -> Novelty:
        """Another that knows the same; what it gives stays unknown to this one."""
        return Novelty(self._space, self._seen, self._limit)

    def offspring(
        self,
        parents: tuple[Individual, Individual],
        toolbox: base.Toolbox,
        config: EvolutionConfig,
        rng: random.Random,
    ) -> Proposal | None:
        """A child by crossover or mutation. A known child is mutated on; None if it stays known after some tries."""
        first, second = parents
        ids: tuple[str, ...] = (first.record.id,)
        if first.record.id != second.record.id and rng.random() < config.crossover_probability:
            genotype = toolbox.mate(first.genotype, second.genotype, rng=rng)
            steps, ids = ["crossover"], (first.record.id, second.record.id)
        else:
            genotype, names = toolbox.mutate(first.genotype, rng=rng, count=rng.randint(1, config.mutations))
            steps = [f"mutation:{names}"]
        for _ in range(BREEDING_TRIES):
            proposal = Proposal(genotype.canonical(), "+".join(steps), ids)
            if self.admit(proposal):
                return proposal
            genotype, names = toolbox.mutate(genotype, rng=rng)
            steps.append(f"mutation:{names}")
        return None

    def sample(self, rng: random.Random) -> Proposal | None:
        """A fresh sample; None only if all of the space was proposed, or nothing within the limit is found."""
        for _ in range(SAMPLING_TRIES if self._limit is None else LIMITED_TRIES):
            proposal = Proposal(self._space.sample(rng).canonical(), "sample")
            if self.admit(proposal):
                return proposal
        if self._in_order is None:
            every = islice(self._space.genotypes(), None if self._limit is None else _IN_ORDER)
            self._in_order = (Proposal(g.canonical(), "sample") for g in every)
        return next((proposal for proposal in self._in_order if self.admit(proposal)), None)
