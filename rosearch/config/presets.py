"""Sizes of adversarial perturbations of input embeddings, as published by peers of AD^2, which publishes none.

FreeLB: Zhu et al. 2020, arXiv 1909.11764, the table of hyper-parameters for GLUE. SMART: Jiang et al. 2020, arXiv
1911.03437, section 4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Norm = Literal["row", "token"]


@dataclass(frozen=True)
class PerturbationSizes:
    """How far embeddings are moved, in units of the word table.

    `row` measures the L2 norm of all of a row's perturbation together (FreeLB), `token` the largest component of
    each token's (SMART); step, start and bound are in that norm.
    """

    steps: int  # K
    step_size: float  # eta
    start: float  # row: the expected norm of the first perturbation; token: the deviation of its components
    norm: Norm
    bound: float | None  # epsilon; none: no projection


def _freelb(steps: int, step_size: float, start: float, bound: float) -> PerturbationSizes:
    return PerturbationSizes(steps, step_size, start, "row", bound)


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
# Ours: one step, because each costs a pass through the student and back, large enough to reach the bound. With sizes
# ten times as large a fifth to a quarter of the rows turn the teacher itself, whose clean answer they then teach
# (tests/benchmarks/ad2_reach.py).
DEFAULT = PerturbationSizes(1, 0.03, 0.01, "row", 0.04)
