"""One candidate of a run: its architecture, its origin, its outcome."""

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
    """An architecture that a strategy asks for. `origin` names how it was made.

    The origins are `sample`, `warm_start:NAME`, `warm_start:RUN#NUMBER` (a record of another run), `mutation:NAME`,
    `crossover`, and two of `kd_nas`: `chosen:REWARD` had the best predicted reward, `sample:REWARD` was drawn at
    random, with the reward that was predicted before.
    """

    genotype: Genotype
    origin: str
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """The reason why a candidate has no measurements."""

    kind: FailureKind
    stage: str
    message: str

    def __str__(self) -> str:
        """`nan while in distil: the loss is not finite`."""
        return f"{self.kind} while in {self.stage}: {self.message}"


@dataclass(frozen=True)
class Outcome:
    """The return of a worker for one candidate: measurements or a failure, and seconds per stage."""

    measurements: Measurements | None
    failure: Failure | None = None
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """A row of the run. `number` counts proposals from 1 in the order of asking; workers have no say in it."""

    number: int
    role: Role
    generation: int  # from 0; baselines and finalists carry -1
    replicate: int  # 0 for all but finalists
    genotype: Genotype
    origin: str
    parents: tuple[str, ...]
    seed: int
    status: Status
    measurements: Measurements | None = None
    failure: Failure | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    name: str = ""  # the baseline's

    @property
    def id(self) -> str:
        """The genotype's id."""
        return self.genotype.id

    @property
    def label(self) -> str:
        """The name in tables: the own name or the start of the id; a finalist's ends with its replicate."""
        called = self.name or self.id[:8]
        return f"{called}.{self.replicate}" if self.role == "finalist" else called
