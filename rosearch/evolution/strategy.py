"""The contract of all strategies: ask for a generation, tell its outcomes, rank the winners."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from deap import base

from rosearch.config.evolution import EvolutionConfig
from rosearch.evolution.fitness import Fitness, Yardstick
from rosearch.evolution.front import Scored, front_of
from rosearch.evolution.patience import Standstill
from rosearch.evolution.toolbox import Individual
from rosearch.evolution.variation import Novelty, warm_starts
from rosearch.randomness import generator
from rosearch.records.record import Proposal, Record
from rosearch.space.genotype import Genotype
from rosearch.space.size_limit import SizeLimit
from rosearch.space.space import Space


class Strategy(ABC):
    """A search by generations, or a steady one. One test suite holds every strategy to these rules:

    - `ask` returns the proposals of the current generation, the same ones until `tell` closes it. No architecture is
      proposed twice, and none above `limit`. All generations together propose at most `config.candidates`: fewer if the
      space holds no more or the search stands still (`config.patience`), none when it is finished.
    - `tell` takes all records of the current generation, done or failed, in any order. The next proposals depend on
      the told records and the seed alone: a search resumes by constructing the strategy and telling every complete
      generation again. The global `random` is left alone.
    - In a steady search (`config.mode`) `ask_one` gives one proposal at a time, None where there is none now. `begin`
      takes its record, `tell_one` the outcome. A proposal follows from the seed, the outcomes in the order in which
      they were told, and what was begun: a search resumes by beginning all records and telling those that are over.
    - A failed or non-finite candidate neither wins nor breeds. A candidate behind a gate never wins. It breeds only if
      fewer than half a population (or than two) may, and then the smallest violation comes first.
    """

    _by_front = False  # True: the front counts, where others look at the best alone
    _population: tuple[Individual, ...] = ()  # from which parents are drawn; empty where nobody breeds

    def __init__(
        self,
        config: EvolutionConfig,
        space: Space,
        seed: int,
        yardstick: Yardstick,
        limit: SizeLimit | None = None,
        taken: Mapping[str, Sequence[Proposal]] = MappingProxyType({}),
    ) -> None:
        """Raises `BadInput` where a warm start is unknown or cannot be fitted to the space."""
        self.generation = 0  # `ask` proposes it and `tell` takes it
        self._config = config
        self._space = space
        self._seed = seed
        self._yardstick = yardstick
        founders = warm_starts(config, space, taken)
        self.too_large = tuple(one for one in founders if limit is not None and not limit.admits(one.genotype))
        self._limit = limit
        fitting = [one for one in founders if one not in self.too_large]
        room = min(config.population, config.candidates)
        self._founders, self.without_room = fitting[:room], tuple(fitting[room:])
        self._told: dict[str, Record] = {}
        self._scores: dict[str, Fitness] = {}
        self._gated: list[Individual] = []
        self._asked: list[Proposal] | None = None
        self._under_way: dict[str, Genotype] = {}
        self._begun: set[str] = set()
        self._toolbox = self._tools()
        self._standstill = Standstill(config.patience, fronts=self._by_front)

    @property
    def finished(self) -> bool:
        """True once the budget is spent, the space used up, or the search stands still."""
        if self._config.mode == "steady":
            return not self._under_way and self.ask_one() is None
        return not self.ask()

    @property
    def stands_still(self) -> bool:
        """True once `config.patience` candidates in a row have improved nothing, although the budget is not spent."""
        return self._standstill.reached and len(self._told) < self._config.candidates

    @property
    def fitnesses(self) -> Mapping[str, Fitness]:
        """The fitness of every told candidate that has measurements, by genotype id."""
        return dict(self._scores)

    @property
    def breeding(self) -> frozenset[str]:
        """The ids of the candidates that may become parents of what is not proposed yet, now or later.

        A child's first parent is among them as they were just before it was proposed: its weights are kept until then.
        """
        return frozenset(one.record.id for one in (*self._population, *self._gated))

    def ask(self) -> list[Proposal]:
        """The proposals of the current generation."""
        if self._asked is None:
            self._asked = self._propose(generator(self._seed, "variation", str(self.generation)))
        return list(self._asked)

    def tell(self, records: Sequence[Record]) -> None:
        """Closes the current generation with all its records.

        Raises `ValueError` where one is of another generation, unfinished, or of an architecture told before.
        """
        ordered = sorted(records, key=lambda record: record.number)
        self._check(ordered)
        newcomers = [newcomer for newcomer in map(self._learn, ordered) if newcomer is not None]
        self._keep_gated(newcomers)
        self._survive([newcomer for newcomer in newcomers if newcomer.score.eligible])
        self.generation += 1
        self._asked = None

    def ask_one(self) -> Proposal | None:
        """The next proposal of a steady search, which none that was begun equals; None where there is none now.

        The first `config.population` are founders and samples, as in a first generation; so are those after them until
        half as many are told. None may be followed by a proposal again, once an outcome has ended a standstill.
        """
        begun, config = len(self._begun), self._config
        if begun >= config.candidates or self.stands_still:
            return None
        novelty, rng = Novelty(self._space, self._begun, self._limit), generator(self._seed, "steady", str(begun))
        if begun < len(self._founders) and novelty.admit(self._founders[begun]):
            return self._founders[begun]
        if begun >= config.population and len(self._told) >= config.population // 2:
            for child in self._descendants(1, novelty, rng):
                return child
        return next(iter(self._samples(1, novelty, rng)), None)

    def begin(self, record: Record) -> None:
        """Takes the record of a proposal of a steady search: its architecture is proposed no more.

        Raises `ValueError` where it has been begun before.
        """
        if record.role != "candidate" or record.id in self._begun:
            raise ValueError(f"record {record.number}: {record.role} of {record.id}, which was begun before")
        self._begun.add(record.id)
        self._under_way[record.id] = record.genotype

    def tell_one(self, record: Record) -> None:
        """Takes the outcome of a candidate that was begun. Raises `ValueError` where it is none."""
        if record.id not in self._under_way or record.status not in ("done", "failed"):
            raise ValueError(f"record {record.number}: expected the outcome of one under way, got {record.status}")
        del self._under_way[record.id]
        newcomer = self._learn(record)
        if newcomer is not None:
            self._keep_gated([newcomer])
            if newcomer.score.eligible:
                self._join(newcomer)

    def _learn(self, record: Record) -> Individual | None:
        """Takes an outcome; the individual, where it has a fitness to breed by."""
        self._told[record.id] = record
        found = self._yardstick.judge(record)
        if found is not None:
            self._scores[record.id] = found
        self._standstill.add(found)
        return None if found is None or not found.finite else self._toolbox.individual(record, found)

    def _keep_gated(self, newcomers: list[Individual]) -> None:
        self._gated += [newcomer for newcomer in newcomers if not newcomer.score.eligible]
        self._gated.sort(key=lambda member: (member.score.violation, member.record.number))
        del self._gated[self._least :]  # no others will ever breed

    @abstractmethod
    def best(self) -> list[Record]:
        """The records that may win, best first."""

    def front(self) -> list[Record]:
        """The winners that no other dominates in robustness, accuracy and efficiency, best scalar first."""
        return front_of(self._scored())

    @abstractmethod
    def _tools(self) -> base.Toolbox:
        """The DEAP toolbox of this strategy."""

    @abstractmethod
    def _size(self) -> int:
        """The number of proposals of the current generation, before the budget cuts it."""

    @abstractmethod
    def _survive(self, newcomers: list[Individual]) -> None:
        """Takes the eligible members of a generation, ordered by number, into the population."""

    def _join(self, newcomer: Individual) -> None:
        """Takes an eligible member of a steady search into the population."""
        self._survive([newcomer])

    @abstractmethod
    def _parents(self, count: int, rng: random.Random) -> list[Individual]:
        """`2 * count` parents, one pair after the other; empty if nobody breeds."""

    def _propose(self, rng: random.Random) -> list[Proposal]:
        count = min(self._size(), self._config.candidates - len(self._told))
        if count <= 0 or self.stands_still:
            return []
        novelty = Novelty(self._space, self._told, self._limit)
        proposals = [founder for founder in self._founders[:count] if self.generation == 0 and novelty.admit(founder)]
        proposals += self._descendants(count, novelty, rng)
        return proposals + self._samples(count - len(proposals), novelty, rng, proposals)

    def _descendants(self, count: int, novelty: Novelty, rng: random.Random) -> list[Proposal]:
        """At most `count` new proposals that follow from the generations before: here the offspring of parents."""
        parents = self._parents(count, rng)
        children = (
            novelty.offspring(pair, self._toolbox, self._config, rng) for pair in zip(parents[::2], parents[1::2])
        )
        return [child for child in children if child is not None]

    def _samples(
        self, count: int, novelty: Novelty, rng: random.Random, beside: Sequence[Proposal] = ()
    ) -> list[Proposal]:
        """At most `count` draws from the space, new `beside` the other proposals of the generation."""
        samples: list[Proposal] = []
        while len(samples) < count and (fresh := novelty.sample(rng)) is not None:
            samples.append(fresh)
        return samples

    @property
    def _least(self) -> int:
        """The individuals that breed at least, where there are so many."""
        return max(2, self._config.population // 2)

    def _pool(self, eligible: list[Individual]) -> list[Individual]:
        """The individuals that may breed: the eligible and, if they are too few, the gated of least violation."""
        return eligible + self._gated[: max(0, self._least - len(eligible))]

    def _scored(self) -> list[Scored]:
        return [(self._told[identity], found) for identity, found in self._scores.items()]

    def _check(self, records: list[Record]) -> None:
        if not records:
            raise ValueError(f"generation {self.generation}: told without records")
        known: set[str] = set()
        for record in records:
            place = f"generation {self.generation}, record {record.number}"
            if record.role != "candidate" or record.generation != self.generation:
                raise ValueError(f"{place}: is {record.role} of generation {record.generation}")
            if record.status not in ("done", "failed"):
                raise ValueError(f"{place}: is still {record.status}")
            if record.id in known or record.id in self._told:
                raise ValueError(f"{place}: its architecture {record.id} was told before")
            known.add(record.id)
