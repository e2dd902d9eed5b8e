"""One candidate of a run: what it is, where it came from, what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rosearch.errors import FailureKind
from rosearch.measurements import Measurements
from rosearch.space.genotype import Genotype

Role = Literal["candidate", "baseline", "finalist"]
Status = Literal["pending", "running", "done", "failed"]


@dataclass(frozen=True)
class Proposal:
    """What a strategy asks for. `origin` names how it was made: sample, warm_start:NAME, mutation:NAME, crossover.

    `chosen:REWARD` was the best predicted; `sample:REWARD` was drawn, and this was predicted of it, unseen.
    """

    genotype: Genotype
    origin: str
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """Why a candidate has no measurements."""

    kind: FailureKind
    stage: str
    message: str

    def __str__(self) -> str:
        """`nan while in distil: the loss is not finite`."""
        return f"{self.kind} while in {self.stage}: {self.message}"


@dataclass(frozen=True)
class Outcome:
    """What a worker returns for one candidate: measurements or a failure, and seconds per stage."""

    measurements: Measurements | None
    failure: Failure | None = None
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """A row of the run. `number` counts proposals from 1 in the order they were asked; it never depends on workers."""

    number: int
    role: Role
    generation: int  # 0 the first; baselines and finalists carry -1
    replicate: int  # 0, but for finalists
    genotype: Genotype
    origin: str
    parents: tuple[str, ...]
    seed: int
    status: Status
    measurements: Measurements | None = None
    failure: Failure | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    name: str = ""  # of a baseline

    @property
    def id(self) -> str:
        """The genotype's id."""
        return self.genotype.id

    @property
    def label(self) -> str:
        """What tables call it: its name or the start of its id, and of a finalist which retraining it is, from 0."""
        called = self.name or self.id[:8]
        return f"{called}.{self.replicate}" if self.role == "finalist" else called
