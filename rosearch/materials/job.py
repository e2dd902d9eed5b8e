"""What a worker is told of a candidate, and the clock that it keeps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rosearch.config.distillation import DistillationConfig
from rosearch.config.experiment import Experiment, SuiteConfig
from rosearch.measurements import Latency, Measurements, TeacherFacts
from rosearch.space.genotype import Genotype
from rosearch.training.checkpoint import Checkpoint

Lived = tuple[Measurements, tuple[Any, ...]]  # what was measured, and what is kept: the model, a tokenizer of its own


@dataclass(frozen=True)
class CandidateJob:
    """All that a worker needs to know of one candidate (plain values: it crosses a process border)."""

    experiment: Experiment
    cache: Path
    teacher: TeacherFacts
    genotype: Genotype
    seed: int
    student_folder: Path  # where the trained weights go
    distillation: DistillationConfig
    suite: SuiteConfig
    attack_seed: int
    split: Literal["validation", "test"] = "validation"
    latency: tuple[Latency, ...] | None = None  # measured where the machine was quiet; None: the worker measures
    unfinished: Path | None = None  # the folder of what a long training goes on from; None: it starts again

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Where the training stands. It is the driver that removes it, once the outcome is recorded."""
        return None if self.unfinished is None else Checkpoint(self.unfinished / "checkpoint", disposable=True)


@dataclass
class Stopwatch:
    """Seconds per stage, and the stage that a failure happened in."""

    seconds: dict[str, float] = field(default_factory=dict)
    current: str = "build"

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times one stage; an exception leaves `current` on it."""
        self.current, start = name, time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
