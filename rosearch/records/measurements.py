"""What is measured of a student: frozen values that cross stages and are stored as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval and the number of rows behind it (Wilson for shares, Student's t for means)."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Quality:
    """On clean text. `value` is the task's own metric; those that do not apply to the task are None."""

    metric: str
    value: float
    n: int
    accuracy: Estimate | None = None
    macro_f1: float | None = None
    matthews: float | None = None
    pearson: float | None = None
    spearman: float | None = None
    largest_class_share: float | None = None  # of the predictions; 1.0 is a constant predictor


@dataclass(frozen=True)
class Robustness:
    """Under one attack. Misclassified rows are not attacked and count as broken in `under_attack`."""

    attack: str
    seed: int
    n: int
    clean: Estimate  # share of rows right before the attack
    under_attack: Estimate  # share of all rows right after it
    success_rate: Estimate  # share of attacked rows that were broken
    queries: Estimate  # mean per attacked row, as TextAttack counts
    perturbed_words: Estimate  # mean share of words changed in rows that were broken
    words_to_break: Estimate  # mean share of words to change: 0 where misclassified, 1 where it survived
    errors: int  # rows whose attack raised; counted as broken
    seconds: float


@dataclass(frozen=True)
class Latency:
    """Milliseconds a batch: median and quartiles over the repeats."""

    batch_size: int
    median_ms: float
    low_ms: float
    high_ms: float


@dataclass(frozen=True)
class Efficiency:
    """Compression is the teacher's count over the student's."""

    parameters: int
    encoder_parameters: int  # without embeddings
    compression: float
    encoder_compression: float
    flops: int  # forward, one sentence of `tokens` tokens; one multiply-add is two
    flops_compression: float
    tokens: int
    size_mb: float  # weights on disk
    latency: tuple[Latency, ...] = ()
    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True)
class Training:
    """How the distillation went."""

    steps: int
    rows_seen: int
    final_loss: float  # mean over the last tenth of the steps
    precision: str


@dataclass(frozen=True)
class Measurements:
    """All of one candidate. Robustness is None for tasks that an attack does not fit (regression)."""

    quality: Quality
    efficiency: Efficiency
    training: Training
    robustness: Robustness | None = None


@dataclass(frozen=True)
class TeacherCost:
    """The yardstick of compression. `encoder_parameters` are without the embedding tables; FLOPs as in `Efficiency`."""

    parameters: int
    encoder_parameters: int
    flops: int


@dataclass(frozen=True)
class TeacherFacts:
    """The yardstick of a run, measured once: the teacher's quality on the validation rows, its cost, its shape."""

    quality: Quality
    cost: TeacherCost
    positions: int  # longest text in tokens
    token_types: int
    latency_ms: float | None = None  # median at the first batch size that is timed
    robustness: Robustness | None = None  # under the candidates' own attack


_ADAPTER: TypeAdapter[Measurements] = TypeAdapter(Measurements)


def to_json(measurements: Measurements) -> str:
    """One line of JSON; a non-finite float raises `ValueError` (it must have been a failure before)."""
    data = asdict(measurements)
    if bad := list(_non_finite(data, "")):
        raise ValueError(f"measurements must be finite, got {', '.join(bad)}")
    return json.dumps(data, allow_nan=False)


def _non_finite(data: Any, path: str) -> Iterator[str]:
    """Each float that JSON cannot hold, as `quality.accuracy.low = nan`."""
    if isinstance(data, float) and not math.isfinite(data):
        yield f"{path} = {data}"
    elif isinstance(data, dict):
        for name, value in data.items():
            yield from _non_finite(value, f"{path}.{name}" if path else name)
    elif isinstance(data, tuple):
        for index, value in enumerate(data):
            yield from _non_finite(value, f"{path}[{index}]")


def from_json(text: str) -> Measurements:
    """The inverse of `to_json`."""
    return _ADAPTER.validate_json(text)
