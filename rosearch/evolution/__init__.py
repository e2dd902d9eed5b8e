"""Who is tried next: fitness, variation, and the search strategies. No torch here."""

from rosearch.evolution.fitness import Fitness, score
from rosearch.evolution.strategies import STRATEGIES, make_strategy
from rosearch.evolution.strategy import Strategy

__all__ = ["STRATEGIES", "Fitness", "Strategy", "make_strategy", "score"]
