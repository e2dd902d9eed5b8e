"""Measurements become fitness: three terms between 0 and 1, a scalar of them or a reward, and the gates missed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rosearch.config.experiment import FitnessConfig, RewardConfig
from rosearch.errors import BadInput, Problem
from rosearch.measurements import Measurements

_MARGIN = 4.0  # margins of single swaps are cut to -4..4
_ROUNDING = 1e-9  # a gate met exactly must not be missed by the last bit of a product


@dataclass(frozen=True)
class Fitness:
    """One candidate's terms (each 0..1, larger is better), their scalar, and what keeps it from winning.

    `gates` names the gates that were missed, by their keys in the experiment (`min_quality`,
    `max_class_share`, `hopeless` where the attack was stopped early), or `finite` where a measured value was
    not a finite number. `violation` says by how much, 0 where no gate was missed.
    """

    robustness: float | None  # None: the task has no attack; its weight went to the other two
    accuracy: float
    efficiency: float
    scalar: float
    gates: tuple[str, ...]
    violation: float

    @property
    def eligible(self) -> bool:
        """Whether it may win."""
        return not self.gates

    @property
    def finite(self) -> bool:
        """Whether selection may see it at all: DEAP's prefers NaN."""
        return "finite" not in self.gates

    @property
    def objectives(self) -> tuple[float, float, float]:
        """Robustness, accuracy, efficiency; an unmeasured robustness is 0 for all, and so has no say."""
        return (self.robustness or 0.0, self.accuracy, self.efficiency)


def score(
    measurements: Measurements,
    config: FitnessConfig,
    teacher_quality: float,
    teacher_latency_ms: float | None = None,
) -> Fitness:
    """The fitness of one candidate's measurements (the paper publishes no formula: this one is our own).

    accuracy = the task's metric on clean rows; robustness = accuracy under attack, or mean share of words to
    break, both in the worst case over the suite; or the share of rows right on every single swap, or the mean
    margin over them, (margin + 4) / 8, both of the worst recipe; efficiency = log(compression) /
    log(full_compression), so that halving the cost is worth the same at every size; all are clipped to 0..1.
    scalar = weighted mean or, where the experiment sets one, the `reward`, which may be of any size and sign.
    `teacher_quality` is the teacher's metric on the same rows, and `teacher_latency_ms` its median at the first
    batch size that is timed.

    Raises `BadInput` where the weights, the robustness, the efficiency or the reward ask for what was not measured.
    """
    compression = _compression(measurements, config, teacher_latency_ms)
    attacked = _attacked(measurements, config)
    share = measurements.quality.largest_class_share
    earned = None if config.reward is None else _earned(measurements, config.reward, teacher_latency_ms)
    known = [value for value in (measurements.quality.value, compression, attacked, share, earned) if value is not None]
    if not all(math.isfinite(value) for value in known) or compression <= 0:
        return Fitness(None, math.nan, math.nan, math.nan, ("finite",), math.inf)
    accuracy = _clip(measurements.quality.value)
    efficiency = _clip(math.log(compression) / math.log(config.full_compression))
    robustness = None if attacked is None else _clip(attacked)
    gates = _missed_gates(measurements.quality.value, share, config, teacher_quality) | _hopeless(measurements)
    scalar = _scalar(robustness, accuracy, efficiency, config) if earned is None else earned
    return Fitness(robustness, accuracy, efficiency, scalar, tuple(gates), sum(gates.values()))


def reward(loss: float, latency_ms: float, teacher_latency_ms: float, config: RewardConfig) -> float:
    """R = (1 - L) (lat(S) / (beta lat(T)))^alpha, the reward of KD-NAS (arXiv 2303.09639), with alpha below 0.

    `loss` is that of distillation on rows that it did not see; latencies are positive. Finite for every finite loss.
    Ours: above a loss of 1, where 1 - L is negative, it is divided by the power, so that of two equal losses the
    quicker student has the higher reward there too.
    """
    power = math.pow(latency_ms / (config.beta * teacher_latency_ms), config.alpha)
    return (1 - loss) * power if loss <= 1 else (1 - loss) / power


def _earned(measurements: Measurements, config: RewardConfig, teacher_latency_ms: float | None) -> float:
    """The reward of what was measured; NaN for a latency of 0, which no clock should give."""
    if measurements.held_out_loss is None:
        raise BadInput(Problem("experiment", "fitness.reward", "a measured held-out loss of distillation", "none"))
    student_ms, teacher_ms = _latencies(measurements, "fitness.reward", teacher_latency_ms)
    if student_ms <= 0 or teacher_ms <= 0:
        return math.nan
    return reward(measurements.held_out_loss, student_ms, teacher_ms, config)


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _attacked(measurements: Measurements, config: FitnessConfig) -> float | None:
    if measurements.robustness is None:
        return None
    if config.robustness == "accuracy_under_attack":
        return measurements.robustness.under_attack.value
    if config.robustness == "words_to_break":
        return measurements.robustness.words_to_break.value
    if not measurements.single_swaps:
        expected = f"an attack whose single swaps were scored, for fitness.robustness {config.robustness}"
        raise BadInput(Problem("experiment", "evaluation.robustness.search.single_swaps", expected, "none measured"))
    if config.robustness == "single_swap_worst":
        return min(swaps.worst.value for swaps in measurements.single_swaps)
    return min((swaps.margin.value + _MARGIN) / (2 * _MARGIN) for swaps in measurements.single_swaps)


def _compression(measurements: Measurements, config: FitnessConfig, teacher_latency_ms: float | None) -> float:
    """How many times cheaper than the teacher, in what the experiment counts."""
    if config.efficiency == "parameters":
        return measurements.efficiency.compression
    if config.efficiency == "flops":
        return measurements.efficiency.flops_compression
    student_ms, teacher_ms = _latencies(measurements, "fitness.efficiency", teacher_latency_ms)
    return teacher_ms / student_ms if student_ms > 0 else math.nan


def _latencies(measurements: Measurements, key: str, teacher_latency_ms: float | None) -> tuple[float, float]:
    """Milliseconds of student and teacher at the first batch size that is timed, for the setting that needs them."""
    if teacher_latency_ms is None or not measurements.efficiency.latency:
        other = "remove fitness.reward" if key == "fitness.reward" else f"{key} to parameters or flops"
        fix = f"Set evaluation.efficiency.repeats above 0, or {other}."
        raise BadInput(Problem("experiment", key, "measured latency of student and teacher", "none measured", fix))
    return measurements.efficiency.latency[0].median_ms, teacher_latency_ms


def _missed_gates(
    quality: float, share: float | None, config: FitnessConfig, teacher_quality: float
) -> dict[str, float]:
    """Each missed gate and how far it was missed: in units of the metric, and of the share of predictions."""
    missed = {}
    needed = config.min_quality * max(teacher_quality, 0.0)
    if quality < needed - _ROUNDING:
        missed["min_quality"] = needed - quality
    if share is not None and share > config.max_class_share + _ROUNDING:
        missed["max_class_share"] = share - config.max_class_share
    return missed


def _hopeless(measurements: Measurements) -> dict[str, float]:
    """Stopped early: surely below what was asked, and its figures, of fewer rows, are too low on average."""
    robustness = measurements.robustness
    if robustness is None or robustness.stopped is None:
        return {}
    return {"hopeless": max(robustness.stopped.below - robustness.under_attack.value, _ROUNDING)}


def _scalar(robustness: float | None, accuracy: float, efficiency: float, config: FitnessConfig) -> float:
    terms = [(config.weights.accuracy, accuracy), (config.weights.efficiency, efficiency)]
    if robustness is not None:
        terms.append((config.weights.robustness, robustness))
    total = sum(weight for weight, _ in terms)
    if total == 0:
        raise BadInput(
            Problem(
                "experiment",
                "fitness.weights",
                "a weight above 0 for accuracy or efficiency",
                "only robustness, which this task does not measure",
            )
        )
    return sum(weight * term for weight, term in terms) / total
