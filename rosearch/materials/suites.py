"""The attacks on each split of a task: the search's on validation rows, the report's on test rows.

>>> suite_of(experiment, "test").attacks
['deepwordbug', 'pruthi']
"""

from __future__ import annotations

from dataclasses import dataclass

from rosearch.config.evaluation import SuiteConfig
from rosearch.config.experiment import Experiment
from rosearch.evaluation.attacks.result import Limits
from rosearch.evaluation.robustness import Suite
from rosearch.evaluation.sequential import Hopeless
from rosearch.measurements import Robustness, SingleSwaps
from rosearch.randomness import derive_seed


@dataclass(frozen=True)
class UnderAttack:
    """The results of a suite: the worst case of each row, each attack alone, single swaps. A regression has none."""

    robustness: Robustness | None = None
    attacks: tuple[Robustness, ...] = ()
    single_swaps: tuple[SingleSwaps, ...] = ()


def attack_seed(experiment: Experiment, split: str = "validation") -> int:
    """The seed of a split's attacked rows and letters. All share it: they are attacked on the same text."""
    return derive_seed(experiment.seed, "attack" if split == "validation" else "attack:finalists")


def suite_of(experiment: Experiment, split: str) -> SuiteConfig:
    """The attacks on a split: those of the search on `validation`, those of the report on `test`."""
    suites = experiment.evaluation.robustness
    if split == "validation":
        return suites.search
    # A fitness of single swaps needs them of finalists too.
    return suites.report.model_copy(update={"single_swaps": suites.report.single_swaps or suites.search.single_swaps})


def as_suite(config: SuiteConfig) -> Suite:
    """The suite that a section of the experiment describes."""
    stop = config.hopeless
    return Suite(
        attacks=tuple(config.attacks),
        rows=config.rows,
        limits=Limits(queries=config.queries),
        single_swaps=tuple(config.single_swaps),
        hopeless=None if stop is None else Hopeless(stop.below, stop.error_rate, stop.looks),
        similarity=config.similarity,
    )
