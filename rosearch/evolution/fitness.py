"""The fitness of measurements: three terms between 0 and 1, their scalar or a reward, and the missed gates."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Self

from pydantic_core import from_json

from rosearch.config.fitness import FitnessConfig, RewardConfig
from rosearch.errors import BadInput, Problem
from rosearch.measurements import LARGEST_MARGIN, Meaning, Measurements, Quality, TeacherFacts
from rosearch.records.record import Record

FORMULA = 1  # counted up whenever equal measurements get another fitness: what was written down is then computed anew

_NUMBERS = {float, int}
_ROUNDING = 1e-9  # the last bit of a product must not decide about a gate


@dataclass(frozen=True)
class Fitness:
    """One candidate's terms (each 0..1, larger is better), their scalar, and the gates that keep it from winning.

    `gates` names the missed gates by their keys in the experiment: `min_quality`, `max_class_share`, `min_purity`,
    `min_invariance`, `min_contrast`, `min_under_attack`, `max_parameters`, `max_latency_ms`, `hopeless` if the attack
    was stopped early, `rung` if the training was; or `finite` if a measured value was no finite number. `violation` is
    the sum of the margins by which they were missed, 0 if none was.
    """

    robustness: float | None  # None: the task has no attack; the weight goes to the other two
    accuracy: float
    efficiency: float
    scalar: float
    gates: tuple[str, ...]
    violation: float

    @property
    def eligible(self) -> bool:
        """True if the candidate may win."""
        return not self.gates

    @property
    def finite(self) -> bool:
        """True if selection may see the candidate at all: DEAP's would prefer NaN."""
        return "finite" not in self.gates

    @property
    def objectives(self) -> tuple[float, float, float]:
        """Robustness, accuracy, efficiency; an unmeasured robustness is 0 for all candidates."""
        return (self.robustness or 0.0, self.accuracy, self.efficiency)


@dataclass(frozen=True)
class Yardstick:
    """The fitness settings of a run, and the two facts of its teacher that they compare students with.

    >>> Yardstick.of(experiment.fitness, teacher).score(measurements).scalar

    `teacher_quality` is the teacher's metric on the rows that students are measured on. `teacher_latency_ms` is its
    median at the first batch size that is timed; None where nothing is timed.
    """

    config: FitnessConfig
    teacher_quality: float
    teacher_latency_ms: float | None = None

    @classmethod
    def of(cls, config: FitnessConfig, teacher: TeacherFacts) -> Self:
        """The yardstick that a measured teacher gives."""
        return cls(config, teacher.quality.value, teacher.latency_ms)

    @cached_property
    def key(self) -> str:
        """8 hex digits: of the formula, the settings, and the two facts of the teacher."""
        told = [FORMULA, self.config.model_dump(mode="json"), self.teacher_quality, self.teacher_latency_ms]
        return hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=4).hexdigest()

    def judge(self, record: Record) -> Fitness | None:
        """The fitness of a record, None without measurements.

        What this yardstick has written down is read, as measurements are long. Raises `BadInput` as `score` does.
        """
        if record.status != "done":
            return None
        if record.judged.startswith(self.key, 2) and (found := _read(record.judged)) is not None:
            return found
        measured = (record if "measurements" in vars(record) else record.anew()).measurements  # none of many is kept
        return None if measured is None else self.score(measured)

    def write(self, fitness: Fitness) -> str:
        """One line that `judge` reads; "" for a fitness of values that JSON does not have."""
        terms = (fitness.robustness, fitness.accuracy, fitness.efficiency, fitness.scalar)
        told = [self.key, *terms, " ".join(fitness.gates), fitness.violation]
        return json.dumps(told) if fitness.finite else ""

    def score(self, measurements: Measurements) -> Fitness:
        """The fitness of one candidate. The formula is our own: the paper publishes none.

        Three terms, each clipped to 0..1:

        - accuracy: the task's metric on clean rows;
        - robustness, of the worst recipe of the suite: accuracy under attack, the mean share of words to break, the
          share of rows right on every single swap, or the mean margin over single swaps, (margin + 4) / 8;
        - efficiency: log(compression) / log(full_compression), so that halving the cost is worth the same at every
          size.

        The scalar is their weighted mean. If the experiment sets a `reward`, the scalar is that, of any size and sign.

        Raises `BadInput` where the settings ask for what was not measured.
        """
        config, quality = self.config, measurements.quality
        compression = _compression(measurements, config, self.teacher_latency_ms)
        attacked = _attacked(measurements, config)
        earned = None if config.reward is None else _earned(measurements, config.reward, self.teacher_latency_ms)
        known = [
            value
            for value in (quality.value, compression, attacked, quality.largest_class_share, earned)
            if value is not None
        ]
        if not all(math.isfinite(value) for value in known) or compression <= 0:
            return Fitness(None, math.nan, math.nan, math.nan, ("finite",), math.inf)
        accuracy = _clip(quality.value)
        efficiency = _clip(math.log(compression) / math.log(config.full_compression))
        robustness = None if attacked is None else _clip(attacked)
        gates = _missed_gates(quality, config, self.teacher_quality) | _hopeless(measurements)
        gates |= {} if measurements.meaning is None else _blind(measurements.meaning, config)
        gates |= _over_limits(measurements, config) | _stopped(measurements)
        scalar = _scalar(robustness, accuracy, efficiency, config) if earned is None else earned
        return Fitness(robustness, accuracy, efficiency, scalar, tuple(gates), sum(gates.values()))


@lru_cache(maxsize=512)  # strategy, tally and pruning ask for those of a generation one after the other
def _read(text: str) -> Fitness | None:
    """The fitness that `Yardstick.write` wrote; None for a text of another shape: a run may come from anywhere."""
    try:
        told: list[Any] = from_json(text)
        _, robustness, accuracy, efficiency, scalar, gates, violation = told
        found = Fitness(robustness, accuracy, efficiency, scalar, tuple(gates.split()), violation)
    except (ValueError, TypeError, AttributeError):
        return None
    numbers = (robustness or 0.0, accuracy, efficiency, scalar, violation)
    return found if _NUMBERS.issuperset(map(type, numbers)) and math.isfinite(sum(numbers)) else None


def reward(loss: float, latency_ms: float, teacher_latency_ms: float, config: RewardConfig) -> float:
    """R = (1 - L) (lat(S) / (beta lat(T)))^alpha, the reward of KD-NAS (arXiv 2303.09639), with alpha below 0.

    `loss` is the loss of distillation on held-out rows; latencies are positive, in ms. Finite for every finite loss.
    Ours: above a loss of 1, 1 - L is negative and is divided by the power; of two equal losses the quicker student has
    the higher reward there too.
    """
    power = math.pow(latency_ms / (config.beta * teacher_latency_ms), config.alpha)
    return (1 - loss) * power if loss <= 1 else (1 - loss) / power


def _earned(measurements: Measurements, config: RewardConfig, teacher_latency_ms: float | None) -> float:
    """The reward of measurements; NaN for a latency of 0, which no clock should give."""
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
    return min((swaps.margin.value + LARGEST_MARGIN) / (2 * LARGEST_MARGIN) for swaps in measurements.single_swaps)


def _compression(measurements: Measurements, config: FitnessConfig, teacher_latency_ms: float | None) -> float:
    """The teacher's cost over the student's, in the unit of `fitness.efficiency`."""
    if config.efficiency == "parameters":
        return measurements.efficiency.compression
    if config.efficiency == "flops":
        return measurements.efficiency.flops_compression
    student_ms, teacher_ms = _latencies(measurements, "fitness.efficiency", teacher_latency_ms)
    return teacher_ms / student_ms if student_ms > 0 else math.nan


def _latencies(measurements: Measurements, key: str, teacher_latency_ms: float | None) -> tuple[float, float]:
    """Milliseconds of student and teacher at the first timed batch size. `key` is the setting that needs them."""
    if teacher_latency_ms is None:
        raise _untimed(key)
    return _student_latency(measurements, key), teacher_latency_ms


def _student_latency(measurements: Measurements, key: str) -> float:
    if not measurements.efficiency.latency:
        raise _untimed(key)
    return measurements.efficiency.latency[0].median_ms


def _untimed(key: str) -> BadInput:
    other = f"{key} to parameters or flops" if key == "fitness.efficiency" else f"remove {key}"
    fix = f"Set evaluation.efficiency.repeats above 0, or {other}."
    return BadInput(Problem("experiment", key, "measured latency of student and teacher", "none measured", fix))


def _missed_gates(quality: Quality, config: FitnessConfig, teacher_quality: float) -> dict[str, float]:
    """The missed gates, each with its margin: in units of the metric, or of the share of predictions."""
    missed = {}
    needed = config.min_quality * max(teacher_quality, 0.0)
    if quality.value < needed - _ROUNDING:
        missed["min_quality"] = needed - quality.value
    share = quality.largest_class_share
    if share is not None and share > config.max_class_share + _ROUNDING:
        missed["max_class_share"] = share - config.max_class_share
    return missed


def _blind(meaning: Meaning, config: FitnessConfig) -> dict[str, float]:
    """The missed gates of a student that does not tell words apart: what it survives for that is no robustness.

    Of a few rows chance decides, so invariance and contrast miss a gate only with their whole interval.
    """
    least = min(meaning.invariance.values(), key=lambda kind: kind.high)
    found = {
        "min_purity": (config.min_purity, meaning.purity),
        "min_invariance": (config.min_invariance, least.high),
        "min_contrast": (config.min_contrast, None if meaning.contrast is None else meaning.contrast.high),
    }
    return {
        gate: limit - value for gate, (limit, value) in found.items() if value is not None and value < limit - _ROUNDING
    }


def _hopeless(measurements: Measurements) -> dict[str, float]:
    """The gate of an attack that was stopped early: the student is surely below the bound.

    The figures of the fewer rows are too low on average.
    """
    robustness = measurements.robustness
    if robustness is None or robustness.stopped is None:
        return {}
    return {"hopeless": max(robustness.stopped.below - robustness.under_attack.value, _ROUNDING)}


def _stopped(measurements: Measurements) -> dict[str, float]:
    """The gate of a training that ended at a rung: the figures are of a student that is not finished.

    Its margin is above those of other gates, so that what was trained to the end breeds first, then what came furthest.
    """
    return {"rung": 2.0 - measurements.rungs[-1].share} if measurements.stopped_at else {}


def _over_limits(measurements: Measurements, config: FitnessConfig) -> dict[str, float]:
    """The hard limits that a student misses: under attack by a share, in size and time as a part of the limit."""
    missed = {}
    robustness, parameters = measurements.robustness, measurements.efficiency.parameters
    if robustness is not None and robustness.under_attack.value < config.min_under_attack - _ROUNDING:
        missed["min_under_attack"] = config.min_under_attack - robustness.under_attack.value
    if config.max_parameters is not None and parameters > config.max_parameters:
        missed["max_parameters"] = parameters / config.max_parameters - 1
    if config.max_latency_ms is not None:
        latency = _student_latency(measurements, "fitness.max_latency_ms")
        if latency > config.max_latency_ms + _ROUNDING:
            missed["max_latency_ms"] = latency / config.max_latency_ms - 1
    return missed


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
