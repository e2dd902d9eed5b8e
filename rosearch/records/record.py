"""One candidate of a run: its architecture, its origin, its outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

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


# What a store reads where it is first asked for: nearly all of a record's bytes, and few of a run's readers want them.
LATER = ("genotype", "origin", "parents", "seed", "measurements", "failure")


@dataclass(frozen=True)
class Record:
    """A row of the run. `number` counts proposals from 1 in the order of asking; workers have no say in it.

    Of a record that a store has read (`Record.known`), the fields of `LATER` are read where they are first asked for.
    That raises `RunError` where they are damaged.
    """

    number: int
    role: Role
    generation: int  # from 0; baselines and finalists carry -1
    replicate: int  # 0 for all but finalists
    genotype: Genotype
    origin: str
    parents: tuple[str, ...]
    seed: int
    status: Status
    measurements: Measurements | None = field(default_factory=lambda: None)  # a default on the class would be found
    failure: Failure | None = field(default_factory=lambda: None)  # likewise
    seconds: dict[str, float] = field(default_factory=dict)
    name: str = ""  # the baseline's
    judged: str = ""  # the fitness, as a `Yardstick` has written it down; "": it follows from the measurements

    @classmethod
    def known(cls, fields: Mapping[str, Any], read: Callable[[Record, str], Mapping[str, Any]]) -> Self:
        """A record of which some `fields` are known; `read` gives the others, at least the one that it is asked for."""
        record = object.__new__(cls)
        object.__setattr__(record, "__dict__", {**fields, "_read": read})
        return record

    if not TYPE_CHECKING:  # or every misspelt name would be of a type

        def __getattr__(self, name: str) -> object:
            """Reads a field of `LATER`; called where the object has no such attribute."""
            if name not in LATER or "_read" not in self.__dict__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            self.__dict__.update(self.__dict__["_read"](self, name))
            return self.__dict__[name]

    def bare(self) -> Self:
        """The same record without what can be read again, of which a long run would fill the memory."""
        return self.anew() if any(map(self.__dict__.get, LATER)) else self

    def anew(self) -> Self:
        """The same record as another object that reads again, and keeps for itself, what can be read again.

        Whoever goes through a long run asks it in place of a record that stays.
        """
        if "_read" not in self.__dict__:
            return self
        fields = self.__dict__.items()  # of which None says that there is nothing to read
        kept = {name: value for name, value in fields if name != "_read" and (name not in LATER or value is None)}
        return self.known(kept, self.__dict__["_read"])

    @cached_property
    def id(self) -> str:
        """The genotype's id."""
        return self.genotype.id

    @property
    def label(self) -> str:
        """The name in tables: the own name or the start of the id; a finalist's ends with its replicate."""
        called = self.name or self.id[:8]
        return f"{called}.{self.replicate}" if self.role == "finalist" else called
