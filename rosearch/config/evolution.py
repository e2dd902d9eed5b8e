"""The section `evolution` of an experiment: who is tried next, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from rosearch.config.section import Section, Share, broken_rule, unit

FROM_RUN = "run:"  # before the folder of an earlier run, in `warm_start`


class KdNasConfig(Section):
    """The controller of kd_nas (arXiv 2303.09639). An episode is a generation of `population` candidates.

    The paper has 15 episodes of 20 candidates.
    """

    predictor: Literal["lstm", "boosting", "gaussian_process"] = Field(
        "lstm", description="Predictor of rewards; lstm is the paper's."
    )
    exploration: Share = Field(
        1.0,
        description="Part of the first episode that is drawn at random; the others are predicted to be the best.",
        json_schema_extra=unit("share"),
    )
    exploration_step: Share = Field(
        0.05, description="Decrease of that part from episode to episode.", json_schema_extra=unit("share")
    )
    exploration_least: Share = Field(
        0.05, description="The part falls no lower than this.", json_schema_extra=unit("share")
    )
    passes: int = Field(
        100,
        ge=1,
        description="lstm: training passes over all rewards so far, after each episode.",
        json_schema_extra=unit("passes"),
    )

    def _rules(self) -> Iterator[PydanticCustomError]:
        if self.exploration_least > self.exploration:
            expected = f"at most exploration ({self.exploration})"
            yield broken_rule("exploration_least", expected, self.exploration_least, "exploration")


class EvolutionConfig(Section):
    """The search itself: who is tried next, and how many in all."""

    strategy: Literal["rosearch", "nsga2", "random", "kd_nas"] = Field(
        "rosearch",
        description="Who is tried next. random is the baseline at the same budget; kd_nas searches encoders.",
    )
    candidates: int = Field(
        24,
        ge=1,
        description="The whole budget of distilled students, first generation included.",
        json_schema_extra=unit("candidates"),
    )
    hours: float | None = Field(
        None,
        gt=0,
        description="No candidate starts after so much work on the search, over all its starts; none: no limit.",
        json_schema_extra=unit("hours"),
    )
    patience: int | None = Field(
        None,
        ge=1,
        description="Ends the search once so many candidates have improved nothing: nsga2 the front, others the best.",
        json_schema_extra=unit("candidates"),
    )
    mode: Literal["generational", "steady"] = Field(
        "generational",
        description="generational: each generation waits for its slowest, and equal seeds give equal records for any "
        "number of workers; steady: a candidate is proposed whenever a worker is free, not by kd_nas.",
    )
    rungs: list[float] = Field(
        [],
        description="Rising shares of the training steps at which a generation is measured, on as large a share of the "
        "attacked rows, and a part goes on; empty: all are trained to the end. Not steady, nor by kd_nas.",
        json_schema_extra=unit("share"),
    )
    rung_keep: float = Field(
        0.25,
        gt=0,
        le=1,
        description="Part of the students measured at a rung that goes on at least.",
        json_schema_extra=unit("share"),
    )
    rung_slack: float | None = Field(
        0.02,
        ge=0,
        description="Those go on too whom none of the first beats by this in robustness and accuracy; none: no others.",
        json_schema_extra=unit("share"),
    )
    population: int = Field(
        8,
        ge=2,
        description="Size of a generation; a multiple of 4 for nsga2, an episode for kd_nas.",
        json_schema_extra=unit("candidates"),
    )
    elite: int = Field(
        2, ge=1, description="rosearch: the best, which pass on unchanged.", json_schema_extra=unit("candidates")
    )
    tournament: int = Field(
        3, ge=1, description="The best of so many drawn ones is a parent.", json_schema_extra=unit("candidates")
    )
    crossover_probability: float = Field(
        0.4, ge=0, le=1, description="Chance that a child has two parents.", json_schema_extra=unit("share")
    )
    mutations: int = Field(2, ge=1, description="Most mutations of a child.", json_schema_extra=unit("mutations"))
    surrogate: Literal["gaussian_process", "none"] = Field(
        "gaussian_process",
        description="rosearch: what chooses among many children before any is trained; none: all children are trained.",
    )
    offspring: int = Field(
        16,
        ge=1,
        description="rosearch: children bred for each that the surrogate chooses.",
        json_schema_extra=unit("children"),
    )
    warm_start: list[str] = Field(
        [],
        description="First generation: published architectures, fitted to the space; run:PATH, an earlier run's front.",
    )
    kd_nas: KdNasConfig = KdNasConfig.model_construct()

    def _rules(self) -> Iterator[PydanticCustomError]:
        if self.strategy == "nsga2" and self.population % 4:
            yield broken_rule("population", "a multiple of 4 for nsga2", self.population, "strategy")
        if self.mode == "steady" and self.strategy == "kd_nas":
            expected = "generational for kd_nas, whose episodes are generations"
            yield broken_rule("mode", expected, self.mode, "strategy")
        yield from self._rules_of_rungs()
        if self.elite >= self.population:
            yield broken_rule("elite", f"fewer than population ({self.population})", self.elite, "population")

    def _rules_of_rungs(self) -> Iterator[PydanticCustomError]:
        if any(low >= high for low, high in pairwise((0.0, *self.rungs, 1.0))):
            yield broken_rule("rungs", "shares between 0 and 1, each larger than the one before", self.rungs)
        if self.rungs and self.mode == "steady":
            yield broken_rule("mode", "generational for rungs, at which a generation is compared", self.mode, "rungs")
        if self.rungs and self.strategy == "kd_nas":
            expected = "none for kd_nas, whose predictor learns from students that are trained to the end"
            yield broken_rule("rungs", expected, self.rungs, "strategy")
