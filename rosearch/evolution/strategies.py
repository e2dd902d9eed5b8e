"""The strategies by their names in `evolution.strategy`."""

from __future__ import annotations

from rosearch.config.experiment import EvolutionConfig, FitnessConfig
from rosearch.evolution.kd_nas import KdNas
from rosearch.evolution.nsga2 import Nsga2
from rosearch.evolution.random_search import RandomSearch
from rosearch.evolution.rosearch import RoSearch
from rosearch.evolution.strategy import Strategy
from rosearch.space.space import Space

STRATEGIES: dict[str, type[Strategy]] = {
    "rosearch": RoSearch,
    "nsga2": Nsga2,
    "random": RandomSearch,
    "kd_nas": KdNas,
}


def make_strategy(
    config: EvolutionConfig,
    fitness: FitnessConfig,
    space: Space,
    seed: int,
    teacher_quality: float,
    teacher_latency_ms: float | None = None,
) -> Strategy:
    """The strategy that the experiment names.

    Raises `BadInput` where a warm start cannot be fitted, or where the strategy does not search this kind of space.
    """
    return STRATEGIES[config.strategy](config, fitness, space, seed, teacher_quality, teacher_latency_ms)
