"""The section `fitness` of an experiment: terms and their weights, gates, a reward in their place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from rosearch.config.section import Section, broken_rule, unit


class WeightsConfig(Section):
    """Weights of the scalar fitness; they are divided by their sum."""

    robustness: float = Field(0.5, ge=0, description="Weight of what fitness.robustness measures.")
    accuracy: float = Field(0.3, ge=0, description="Weight of the task's metric on clean rows.")
    efficiency: float = Field(0.2, ge=0, description="Weight of what fitness.efficiency measures.")

    def _rules(self) -> Iterator[PydanticCustomError]:
        if self.robustness + self.accuracy + self.efficiency == 0:
            yield broken_rule("", "at least one weight above 0", "all 0")


class RewardConfig(Section):
    """KD-NAS's reward (arXiv 2303.09639): (1 - loss) (latency / (beta x the teacher's))^alpha, in place of weights."""

    alpha: float = Field(-0.06, le=0, description="How much latency counts; 0: not at all.")
    beta: float = Field(
        0.6,
        gt=0,
        description="Part of the teacher's latency at which the loss alone counts.",
        json_schema_extra=unit("share"),
    )


class FitnessConfig(Section):
    """From measurements to fitness. A candidate behind a gate never wins, whatever its other values."""

    reward: RewardConfig | None = None
    weights: WeightsConfig = WeightsConfig.model_construct()
    robustness: Literal["accuracy_under_attack", "words_to_break", "single_swap_worst", "single_swap_margin"] = Field(
        "words_to_break", description="What robustness is, in the worst of the attacks."
    )
    efficiency: Literal["parameters", "flops", "latency"] = Field(
        "parameters", description="What makes a student cheap. Parameters and FLOPs are counted, latency is measured."
    )
    full_compression: float = Field(
        20.0,
        gt=1,
        description="This much cheaper than the teacher counts as efficiency 1.",
        json_schema_extra=unit("times"),
    )
    min_quality: float = Field(
        0.8,
        ge=0,
        description="Gate: least part of the teacher's quality on the same rows.",
        json_schema_extra=unit("share"),
    )
    max_class_share: float = Field(
        0.9,
        gt=0,
        le=1,
        description="Gate: no class may take a larger part of the predictions.",
        json_schema_extra=unit("share"),
    )
    min_purity: float = Field(
        0.8,
        ge=0,
        le=1,
        description="Gate: least purity of the encoding that a student reads.",
        json_schema_extra=unit("share"),
    )
    min_invariance: float = Field(
        0.8,
        ge=0,
        le=1,
        description="Gate: least part of exchanged names, of religions and of nationalities that keeps the answer.",
        json_schema_extra=unit("share"),
    )
    min_contrast: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Gate: least part of the teacher's contrasts that a student sees; 0: off.",
        json_schema_extra=unit("share"),
    )
    min_under_attack: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Gate: least accuracy under attack, in the worst case of the suite; 0: off.",
        json_schema_extra=unit("share"),
    )
    max_parameters: int | None = Field(
        None,
        ge=1,
        description="Gate: most parameters, embeddings included; a larger candidate is not tried at all. None: off.",
        json_schema_extra=unit("parameters"),
    )
    max_latency_ms: float | None = Field(
        None,
        gt=0,
        description="Gate: highest median latency of a batch of the first size that is timed; none: off.",
        json_schema_extra=unit("milliseconds"),
    )

    @property
    def wants_latency(self) -> str:
        """The setting that needs measured latency, in words; empty if none does."""
        if self.reward is not None:
            return "reward"
        return "efficiency latency" if self.efficiency == "latency" else "max_latency_ms" if self.max_latency_ms else ""
