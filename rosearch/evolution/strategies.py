"""The strategies by their names in `evolution.strategy`."""

from __future__ import annotations

from rosearch.config import EvolutionConfig, FitnessConfig
from rosearch.evolution.nsga2 import Nsga2
from rosearch.evolution.random_search import RandomSearch
from rosearch.evolution.rosearch import RoSearch
from rosearch.evolution.strategy import Strategy
from rosearch.space.search_space import SearchSpace

STRATEGIES: dict[str, type[Strategy]] = {
    "rosearch": RoSearch,
    "nsga2": Nsga2,
    "random": RandomSearch,
}


def make_strategy(
    config: EvolutionConfig,
    fitness: FitnessConfig,
    space: SearchSpace,
    seed: int,
    teacher_quality: float,
    teacher_latency_ms: float | None = None,
) -> Strategy:
    """The strategy that the experiment names. Raises `BadInput` where a warm start cannot be fitted."""
    return STRATEGIES[config.strategy](config, fitness, space, seed, teacher_quality, teacher_latency_ms)
