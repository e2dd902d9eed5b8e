"""The choice among children before they are trained: whose outcome is expected to add most to the front's hypervolume?

>>> foresight = Foresight.of(told, config, seed)
>>> foresight.choose(children, 6, front)

Gaussian processes learn robustness, accuracy, efficiency and whether the gates were passed from what was told. The gain
of a child is the mean over draws of what they expect of it, times the chance that it passes (expected hypervolume
improvement, Emmerich et al. 2006, doi 10.1109/TEVC.2005.851275, by draws). The children of one generation are chosen
one after the other: in each draw those before count as drawn. Where the experiment sets a `reward`, it alone counts.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.stats import norm

from rosearch.config.fitness import FitnessConfig
from rosearch.evolution.fitness import Fitness
from rosearch.evolution.front import Objectives, Scored, undominated
from rosearch.evolution.hypervolume import Free
from rosearch.evolution.surrogates.architecture import features, table, tables_apart
from rosearch.evolution.surrogates.gaussian import GaussianProcesses
from rosearch.space.genotype import Genotype

DRAWS = 16  # quantiles of each objective, in an order drawn for each
LEAST, MOST = 6, 200  # outcomes to learn from; of more, the newest half and as many of all before it
_DIGITS = 4  # of a front's figures: finer ones are noise, and make thousands of points of hundreds
_CUT_SHORT = {"rung", "hopeless"}  # gates of students whose figures are not those of a whole training or attack

_Array = np.ndarray[Any, np.dtype[np.float64]]


class Worlds:
    """The fronts as they would be, one for each draw, as architectures are taken into them.

    They begin with the architectures whose draws are (draws, architectures, 3): one after the other, as `take` takes
    them, they would cost as many times as much.
    """

    def __init__(self, front: Sequence[Objectives], drawn: _Array) -> None:
        taken = [[(one, two, three) for one, two, three in points] for points in drawn.tolist()]
        self._free = [Free([*front, *points]) for points in taken] if drawn.size else [Free(front)] * len(drawn)

    def gains(self, draws: _Array, passes: _Array) -> _Array:
        """The expected gain of each architecture, of (draws, architectures, 3) and their chances to pass the gates.

        Rounded: the last bits depend on the threads of a machine.
        """
        gains = np.mean([free.gains(drawn) for free, drawn in zip(self._free, draws, strict=True)], axis=0)
        rounded: _Array = (gains * passes).round(12)
        return rounded

    def take(self, draws: _Array) -> None:
        """Takes one architecture, of which each world has another draw, (draws, 3)."""
        points = [(first, second, third) for first, second, third in draws.tolist()]
        self._free = [free.without(point) for free, point in zip(self._free, points, strict=True)]


class Foresight:
    """The outcomes that a search expects of architectures, from those of others."""

    def __init__(self, told: Sequence[Scored], config: FitnessConfig, seed: int) -> None:
        rows = [features(record.genotype) for record, _ in told]
        self._names = sorted(set().union(*rows))
        self._earned = config.reward is not None
        self._least = min(found.scalar for _, found in told)
        values = [(*self.objectives(found), float(found.eligible)) for _, found in told]
        self._processes = GaussianProcesses(table(rows, self._names), np.array(values))
        by_parameters = config.efficiency == "parameters" and not self._earned
        self._sizes = Sizes.of(told, config.full_compression) if by_parameters else None
        order = np.random.default_rng(seed)
        steps = norm.ppf((np.arange(DRAWS) + 0.5) / DRAWS)
        self._steps = np.stack([order.permutation(steps) for _ in range(3)], axis=-1)[:, None]  # (draws, 1, 3)
        self._weighed: tuple[list[Fitness], list[Objectives]] = [], []  # the last front, and its points

    @classmethod
    def of(cls, told: Sequence[Scored], config: FitnessConfig, seed: int) -> Self | None:
        """Learns from outcomes in the order in which they came; None while they are too few, or none may win."""
        known = [one for one in told if one[1].finite and not _CUT_SHORT.intersection(one[1].gates)]
        if len(known) < LEAST or not any(found.eligible for _, found in known):
            return None
        if len(known) > MOST:
            older, newest = known[: -MOST // 2], known[-MOST // 2 :]
            known = older[:: -(-len(older) // (MOST // 2))] + newest
        return cls(known, config, seed)

    def objectives(self, found: Fitness) -> Objectives:
        """The point that a hypervolume is counted by: three objectives, or the reward above the least learnt."""
        if self._earned:
            return 1.0, 1.0, found.scalar - self._least
        return 1.0 if found.robustness is None else found.robustness, found.accuracy, found.efficiency

    def expect(self, genotypes: Sequence[Genotype]) -> tuple[_Array, _Array]:
        """Draws of the objectives of architectures, (draws, architectures, 3), and their chances to pass the gates."""
        mean, deviation = self._processes.predict(table([features(one) for one in genotypes], self._names))
        draws = mean[:, :3] + self._steps * deviation[:, :3]
        if self._sizes is not None:
            known = np.array([self._sizes.efficiency(one) for one in genotypes])
            draws[..., 2] = np.where(np.isnan(known), draws[..., 2], known)
        return np.clip(draws, 0.0, math.inf if self._earned else 1.0), np.clip(mean[:, 3], 0.0, 1.0)

    def choose(
        self, genotypes: Sequence[Genotype], count: int, front: Sequence[Fitness], under_way: Sequence[Genotype] = ()
    ) -> list[int]:
        """The places of at most `count` architectures, the most promising first; equals in their order.

        A gain only falls as others are chosen, so few are counted again after each choice.
        """
        if not genotypes:
            return []
        draws, passes = self.expect([*genotypes, *under_way])
        draws, under_way_draws = np.split(draws, [len(genotypes)], axis=1)
        worlds = Worlds(self._known(front), under_way_draws)
        gains = worlds.gains(draws, passes[: len(genotypes)])
        waiting = [(-gain, place) for place, gain in enumerate(gains.tolist())]
        heapq.heapify(waiting)
        chosen: list[int] = []
        while waiting and len(chosen) < count:
            place = waiting[0][1]
            gain = worlds.gains(draws[:, place : place + 1], passes[place : place + 1])[0]
            now = (-float(gain), place)
            if now <= min(waiting[1:3], default=now):  # the next ones of a heap
                heapq.heappop(waiting)
                chosen.append(place)
                if len(chosen) < count:
                    worlds.take(draws[:, place])
            else:
                heapq.heapreplace(waiting, now)
        return chosen

    def _known(self, front: Sequence[Fitness]) -> list[Objectives]:
        """The points of a front, kept until there is another: thousands of points take longer than a choice."""
        if self._weighed[0] != front:
            points = [self.objectives(found) for found in front]
            if not self._earned:  # a reward is in units of its own
                points = [(one, two, three) for one, two, three in np.round(points, _DIGITS).tolist()]
            self._weighed = list(front), undominated(points)
        return self._weighed[1]


@dataclass(frozen=True)
class Sizes:
    """The efficiency of any architecture where it follows from parameters, from that of a few.

    Parameters are those of the graph, which are counted, and rank times words, which a robust encoding may cut. In
    units of the teacher's both are linear in two unknowns, the teacher's size and those words: least squares find them
    to a part in a thousand (a classifier of many labels is counted as one of two).
    """

    full_compression: float
    shares: dict[str, float]  # of the teacher's parameters: of one of the graph (""), of a rank of each table

    @classmethod
    def of(cls, told: Sequence[Scored], full_compression: float) -> Self:
        """Learns from told efficiencies; those at a bound of 0 or 1 say nothing."""
        seen = [(record.genotype, found.efficiency) for record, found in told if 0 < found.efficiency < 1]
        names = ["", *sorted({_table_of(genotype) for genotype, _ in seen})]
        if len(seen) < len(names):
            return cls(full_compression, {})
        parts = table([_parts(genotype) for genotype, _ in seen], names)
        largest = parts.max(axis=0)
        costs = np.array([full_compression**-efficiency for _, efficiency in seen])
        shares = np.linalg.lstsq(parts / largest, costs, rcond=None)[0] / largest
        return cls(full_compression, dict(zip(names, shares.tolist(), strict=True)))

    def efficiency(self, genotype: Genotype) -> float:
        """Its efficiency, 0 to 1; NaN where nothing with such a table of words was told."""
        cost = sum(part * self.shares.get(name, math.nan) for name, part in _parts(genotype).items())
        return min(max(-math.log(cost) / math.log(self.full_compression), 0.0), 1.0) if cost > 0 else math.nan


def _parts(genotype: Genotype) -> dict[str, float]:
    return {"": float(tables_apart(genotype)), _table_of(genotype): float(genotype.rank)}


def _table_of(genotype: Genotype) -> str:
    settings = genotype.source_setting
    return f"{settings['encoding']} {settings['characters']}"
