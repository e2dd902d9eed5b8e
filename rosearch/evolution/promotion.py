"""The students of a generation that go on at a rung, after a part of their training.

>>> rungs = {record.number: measured_rung(measurements, 0.2, yardstick) for record, measurements in measured}
>>> promoted(rungs, keep=0.5, slack=0.02)
{3, 8}

Students are ranked by non-dominated fronts of robustness, accuracy and efficiency (Deb et al. 2002). A gate stops a
student only where no training can help it: accuracy still rises, so its interval at a rung says nothing of the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from rosearch.config.fitness import FitnessConfig
from rosearch.evolution.fitness import Yardstick
from rosearch.evolution.front import Objectives, undominated
from rosearch.measurements import Measurements, Rung

_ROUNDING = 1e-9  # the last bit of a product must not decide


def measured_rung(measurements: Measurements, share: float, yardstick: Yardstick) -> Rung:
    """A student at a rung, after a `share` of its steps, as it is judged there. Raises `BadInput` as `score` does."""
    found = yardstick.score(measurements)
    missed = tuple(_surely_missed(measurements, yardstick.config))
    terms = (found.robustness, found.accuracy, found.efficiency, found.scalar)
    queries = sum(round(attack.queries.value * attack.queries.n) for attack in measurements.attacks)
    gates = missed if found.finite else found.gates
    terms = terms if found.finite else (None, 0.0, 0.0, 0.0)
    return Rung(share, measurements.training.steps, *terms, queries=queries, gates=gates)


def promoted(rungs: Mapping[int, Rung], keep: float, slack: float | None) -> set[int]:
    """The numbers of the students that go on.

    They are the first by rank, a `keep` share of all, at least one. With a `slack`, those go on as well that none of
    the first beats by so much in robustness and in accuracy and is as efficient. None goes on that misses a gate.
    """
    able = {number: rung for number, rung in rungs.items() if not rung.gates}
    ranked = list(_ranked(able))
    count = max(1, math.ceil(keep * len(rungs) - _ROUNDING))
    first, others = ranked[:count], ranked[count:]
    if slack is None:
        return set(first)
    near = [one for one in others if not any(_beats(able[other], able[one], slack) for other in first)]
    return {*first, *near}


def _ranked(rungs: Mapping[int, Rung]) -> Iterator[int]:
    """Numbers front by front; inside a front by the scalar, of equals the one that was proposed earlier."""
    left = dict(rungs)
    while left:
        front = set(undominated(map(_objectives, left.values())))
        found = [number for number, rung in left.items() if _objectives(rung) in front]
        yield from sorted(found, key=lambda number: (-left[number].scalar, number))
        for number in found:
            del left[number]


def _objectives(rung: Rung) -> Objectives:
    return rung.robustness or 0.0, rung.accuracy, rung.efficiency


def _beats(one: Rung, other: Rung, slack: float) -> bool:
    """True where training on would have to gain `other` more than the slack in everything that training changes."""
    ours, theirs = _objectives(one), _objectives(other)
    ahead = one.robustness is None or ours[0] >= theirs[0] + slack - _ROUNDING
    return ahead and ours[1] >= theirs[1] + slack - _ROUNDING and ours[2] >= theirs[2]


def _surely_missed(measurements: Measurements, config: FitnessConfig) -> Iterator[str]:
    """The gates that a student misses whatever is learnt: by its size, its time, the codes of its words."""
    efficiency, meaning = measurements.efficiency, measurements.meaning
    if config.max_parameters is not None and efficiency.parameters > config.max_parameters:
        yield "max_parameters"
    if (
        config.max_latency_ms is not None
        and efficiency.latency
        and efficiency.latency[0].low_ms > config.max_latency_ms
    ):
        yield "max_latency_ms"
    if meaning is not None and meaning.purity is not None and meaning.purity < config.min_purity - _ROUNDING:
        yield "min_purity"
