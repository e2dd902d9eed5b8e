"""The sections of KD-NAS (arXiv 2303.09639): `fitness.reward` and `evolution.kd_nas`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from rosearch.config.section import Section, Share, broken_rule


class RewardConfig(Section):
    """KD-NAS's reward (arXiv 2303.09639): (1 - loss) (latency / (beta x the teacher's))^alpha, in place of weights."""

    alpha: float = Field(-0.06, le=0)  # how much latency counts; 0: not at all
    beta: float = Field(0.6, gt=0)  # the share of the teacher's latency at which the loss alone counts


class KdNasConfig(Section):
    """The controller of kd_nas: an episode is a generation of `population` candidates (the paper's: 15 times 20)."""

    predictor: Literal["lstm", "boosting", "gaussian_process"] = "lstm"  # of rewards; lstm is the paper's
    exploration: Share = 1.0  # share of random encoders in the first episode; the others are the best predicted
    exploration_step: Share = 0.05  # it falls by, each episode ...
    exploration_least: Share = 0.05  # ... to this share
    passes: int = Field(100, ge=1)  # lstm: over all that was told, after each episode

    @model_validator(mode="after")
    def _falling(self) -> Self:
        if self.exploration_least > self.exploration:
            raise broken_rule("exploration_least", f"at most exploration ({self.exploration})", self.exploration_least)
        return self
