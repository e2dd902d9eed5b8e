"""The errors that a user can meet, and the exit code of each.

::

    RosearchError                 exit 1
    ├── BadInput                  exit 3   a file or override is wrong; carries every problem of it at once
    ├── MissingResource           exit 4   a hub, dataset, teacher, optional package or GPU is not there
    ├── RunError                  exit 5   a run folder is locked, unfinished, or not a run
    ├── SearchAborted             exit 6   the circuit breaker: candidates all fail alike
    └── CandidateFailed           (never leaves a run: it becomes a failure in that candidate's record)

Exit 0 is success, 2 a misused command line (Typer's), 130 Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

FailureKind = Literal["nan", "oom", "timeout", "exception", "worker_lost", "attack_error"]


@dataclass(frozen=True)
class Problem:
    """One thing wrong with an input: where, what was expected, what was got, what to do."""

    where: str  # file, or "command line"
    key: str  # dotted path inside the file; "" for the file as a whole
    expected: str
    got: str
    fix: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: {self.key}" if self.key else self.where
        line = f"{place}: expected {self.expected}, got {self.got}"
        return f"{line}. {self.fix}" if self.fix else line


class RosearchError(Exception):
    """Base of all errors that the command line turns into one clear line."""

    exit_code = 1


class BadInput(RosearchError):  # noqa: N818 (the field's word reads better than an -Error suffix)
    """A configuration, space or data file is wrong. `problems` holds all that was found, never only the first."""

    exit_code = 3

    def __init__(self, problems: Sequence[Problem] | Problem) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class MissingResource(RosearchError):  # noqa: N818
    """Something outside the project is absent; the message says what to do about it."""

    exit_code = 4


class RunError(RosearchError):
    """A run folder cannot be used as asked."""

    exit_code = 5


class SearchAborted(RosearchError):  # noqa: N818
    """The circuit breaker stopped a search whose candidates all fail alike."""

    exit_code = 6


class CandidateFailed(RosearchError):  # noqa: N818
    """One candidate failed; recorded as data, never a stop.

    `stage` is the part of its life that failed: open, build, distil, quality, attack, efficiency, save.
    """

    def __init__(self, kind: FailureKind, message: str, stage: str = "") -> None:
        self.kind: FailureKind = kind
        self.stage = stage
        super().__init__(message)
