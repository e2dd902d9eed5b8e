"""The registry of search strategies, by their names in `evolution.strategy`. It lies apart for DEAP to load late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from rosearch.config.evolution import EvolutionConfig
from rosearch.evolution.fitness import Yardstick
from rosearch.evolution.kd_nas import KdNas
from rosearch.evolution.nsga2 import Nsga2
from rosearch.evolution.random_search import RandomSearch
from rosearch.evolution.rosearch import RoSearch
from rosearch.evolution.strategy import Strategy
from rosearch.records.record import Proposal
from rosearch.space.size_limit import SizeLimit
from rosearch.space.space import Space

STRATEGIES: dict[str, type[Strategy]] = {
    "rosearch": RoSearch,
    "nsga2": Nsga2,
    "random": RandomSearch,
    "kd_nas": KdNas,
}


def make_strategy(
    config: EvolutionConfig,
    space: Space,
    seed: int,
    yardstick: Yardstick,
    limit: SizeLimit | None = None,
    taken: Mapping[str, Sequence[Proposal]] = MappingProxyType({}),
) -> Strategy:
    """The strategy that an experiment names, on a space, with its founders fitted.

    >>> strategy = make_strategy(experiment.evolution, space, experiment.seed, yardstick)
    >>> while not strategy.finished:
    ...     strategy.tell(run(strategy.ask()))

    `run` stands for the distillation and measurement of the proposals, and gives their records. Equal seeds and equal
    records give equal proposals. Nothing above the `limit` of size is proposed. `taken` are
    the architectures of each entry of `warm_start` that names a run.

    Raises `BadInput` where a warm start cannot be fitted, or where the strategy does not search this kind of space.
    """
    return STRATEGIES[config.strategy](config, space, seed, yardstick, limit, taken)
