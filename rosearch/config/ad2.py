"""The section `distillation.ad2` of an experiment, and the sizes of perturbations that are published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from rosearch.config.section import Section, broken_rule, unit

Norm = Literal["row", "token"]


@dataclass(frozen=True)
class PerturbationSizes:
    """Sizes of adversarial perturbations of input embeddings, in units of the word table.

    The norm `row` is the L2 norm of a whole row's perturbation (FreeLB), `token` the largest component of a token's
    (SMART). Step, start and bound are in that norm. AD^2 publishes no sizes; `PRESETS` are those of its peers.
    """

    steps: int  # K
    step_size: float  # eta
    start: float  # row: the expected norm of the first perturbation; token: the deviation of its components
    norm: Norm
    bound: float | None  # epsilon; none: no projection


def _freelb(steps: int, step_size: float, start: float, bound: float) -> PerturbationSizes:
    return PerturbationSizes(steps, step_size, start, "row", bound)


# FreeLB: Zhu et al. 2020, arXiv 1909.11764, the table of hyper-parameters for GLUE. SMART: Jiang et al. 2020, arXiv
# 1911.03437, section 4.1.
PRESETS: dict[str, PerturbationSizes] = {
    "smart": PerturbationSizes(1, 1e-3, 1e-5, "token", None),
    "freelb-sst2": _freelb(2, 0.1, 1.0, 0.6),
    "freelb-mnli": _freelb(2, 0.1, 0.1, 0.3),
    "freelb-mrpc": _freelb(3, 0.04, 0.64, 0.4),
    "freelb-cola": _freelb(3, 0.025, 0.4, 0.3),
    "freelb-qnli": _freelb(2, 0.075, 0.15, 0.15),
    "freelb-stsb": _freelb(3, 0.1, 0.16, 0.28),
    "freelb-qqp": _freelb(2, 0.2, 0.32, 0.7),
}
# Ours: one step, because each costs a forward and a backward pass of the student; it is large enough to reach the
# bound. With sizes ten times as large, a fifth to a quarter of the rows change the teacher's own answer, yet the
# student is taught its clean answer (tests/benchmarks/ad2_reach.py).
DEFAULT = PerturbationSizes(1, 0.03, 0.01, "row", 0.04)


class Ad2Config(Section):
    """AD^2 (AAAI 2022): input embeddings are moved to where the student differs most from the teacher's clean outputs.

    The clean losses are those of the section. `preset` fills the sizes that are not given with those that FreeLB or
    SMART publish; without a preset, they are ours (`DEFAULT`).
    """

    preset: str | None = Field(
        None,
        description="Published sizes of perturbations; keys that are given win.",
        json_schema_extra={"examples": [*PRESETS]},
    )
    steps: int | None = Field(
        None,
        ge=1,
        description=f"K, steps of the ascent; none: the preset's, or {DEFAULT.steps} (ours).",
        json_schema_extra=unit("steps"),
    )
    step_size: float | None = Field(
        None,
        gt=0,
        description=f"eta, length of a step; none: the preset's, or {DEFAULT.step_size} (ours).",
        json_schema_extra=unit("units of the word table"),
    )
    start: float | None = Field(
        None,
        ge=0,
        description=f"Size of the first, random perturbation; none: the preset's, or {DEFAULT.start} (ours).",
        json_schema_extra=unit("units of the word table"),
    )
    bound: float | None = Field(
        None,
        gt=0,
        description="epsilon: bounds a row's L2 norm; with the preset smart, a token's largest component; none: the "
        f"preset's, or {DEFAULT.bound} (ours).",
        json_schema_extra=unit("units of the word table"),
    )
    weight: float = Field(1.0, gt=0, description="lambda, weight of the loss on moved embeddings.")
    perturb_special: bool = Field(False, description="Moves [CLS], [SEP] and other special tokens too.")

    def _rules(self) -> Iterator[PydanticCustomError]:
        if self.preset is not None and self.preset not in PRESETS:
            yield broken_rule("preset", f"one of {', '.join(PRESETS)}", self.preset)

    @property
    def sizes(self) -> PerturbationSizes:
        """The sizes given; the others from the preset, or ours without one."""
        preset = DEFAULT if self.preset is None else PRESETS[self.preset]
        given = {name: getattr(self, name) for name in ("steps", "step_size", "start", "bound")}
        return replace(preset, **{name: value for name, value in given.items() if value is not None})
