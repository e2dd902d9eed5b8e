"""The errors that a user can meet, the exit code of each, and the collector of problems.

::

    RosearchError                 exit 1   a model or a training failed, a file cannot be read or written
    ├── BadInput                  exit 3   a file or override is wrong; carries every problem of it at once
    ├── MissingResource           exit 4   a hub, dataset, teacher, optional package or GPU is not there
    ├── RunError                  exit 5   a run folder is locked, unfinished, or not a run
    │   └── MachineFault          exit 5   the disk, the memory or a limit of the machine: go on once it is mended
    ├── SearchAborted             exit 6   the circuit breaker: candidates all fail alike
    └── CandidateFailed           (never leaves a run: it becomes a failure in that candidate's record)

The file has more than 300 lines because every other module may import it, and nothing else is below all of them.

Exit 0 is success, 2 a misused command line (Typer's), 130 Ctrl-C, 128 and its number another signal that ends.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

FailureKind = Literal["nan", "oom", "timeout", "exception", "worker_lost", "attack_error"]


_MOST_LETTERS = {"where": 300, "key": 150, "expected": 700, "got": 400, "fix": 300}  # of a line below 2,000


@dataclass(frozen=True)
class Problem:
    """One thing wrong with an input: where, what was expected, what was got, what to do."""

    where: str  # file, or "command line"
    key: str  # dotted path inside the file; "" for the file as a whole
    expected: str
    got: str
    fix: str = ""

    def __post_init__(self) -> None:
        for part, most in _MOST_LETTERS.items():
            object.__setattr__(self, part, cut(getattr(self, part), most))

    def __str__(self) -> str:
        place = f"{self.where}: {self.key}" if self.key else self.where
        line = f"{place}: expected {self.expected}, got {self.got}"
        return f"{line}. {self.fix}" if self.fix else line


class RosearchError(Exception):
    """Base of all errors that the command line turns into one clear line."""

    exit_code = 1

    @property
    def lines(self) -> tuple[str, ...]:
        """The message, a line for each thing that it tells."""
        return (str(self),)


class BadInput(RosearchError):  # noqa: N818 (the field's word reads better than an -Error suffix)
    """A configuration, space or data file is wrong. `problems` holds all that was found, never only the first."""

    exit_code = 3

    def __init__(self, problems: Sequence[Problem] | Problem, missing: Sequence[MissingResource] = ()) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        self.missing = tuple(missing)  # what was found to be absent besides
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> tuple[str, ...]:
        """All that was found, a line each."""
        return (*map(str, self.problems), *(line for one in self.missing for line in one.lines))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problems, self.missing)


class MissingResource(RosearchError):  # noqa: N818
    """Something outside the project is absent. `where` is the setting or input that asks, `advice` the way out."""

    exit_code = 4

    def __init__(self, what: str, advice: str = "", where: str = "", others: Sequence[MissingResource] = ()) -> None:
        self.what, self.advice, self.where, self.others = what, advice, where, tuple(others)
        place = f"{where}: {what}" if where else what
        super().__init__(f"{place}; {advice}" if advice else place)

    @property
    def lines(self) -> tuple[str, ...]:
        """It and the others that are absent besides, a line each."""
        return (str(self), *(line for other in self.others for line in other.lines))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.what, self.advice, self.where, self.others)


class RunError(RosearchError):
    """A run folder cannot be used as asked."""

    exit_code = 5


class MachineFault(RunError):  # noqa: N818
    """The machine failed: its disk, its memory, a limit of it. What was asked of it is not to blame."""


class SearchAborted(RosearchError):  # noqa: N818
    """The candidates of a search all fail."""

    exit_code = 6


class DamagedError(OSError):
    """A file of the cache has changed since it was written. It was removed: whoever asks for it again makes it anew."""


class CandidateFailed(RosearchError):  # noqa: N818
    """One candidate failed. The failure is recorded and does not stop the run.

    `stage` is the part of its life that failed: open, build, distil, quality, attack, efficiency, save.
    """

    def __init__(self, kind: FailureKind, message: str, stage: str = "") -> None:
        self.kind: FailureKind = kind
        self.stage = stage
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.kind, str(self), self.stage)


class Problems:
    """Collects what several checks find, so that a user reads all of it at once.

    ::

        problems = Problems()
        with problems:  # once for each check; a `BadInput` ends this block alone
            check_one()
        problems.add(Problem(...))
        problems.raise_found()

    With `missing`, a `MissingResource` ends its block alone, too.
    """

    def __init__(self, *, missing: bool = False) -> None:
        self.found: list[Problem] = []
        self.missing: list[MissingResource] = []
        self._gathers_missing = missing

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if isinstance(error, MissingResource) and self._gathers_missing:
            self.missing.append(error)
        elif isinstance(error, BadInput):
            self.found += error.problems
            self.missing += error.missing
        else:
            return False
        return True

    def add(self, *problems: Problem) -> None:
        """Adds problems that no exception carries."""
        self.found += problems

    def raise_found(self) -> None:
        """Raises `BadInput` with all that was found, each problem once, or `MissingResource` with all that is absent.

        Nothing happens where there is neither.
        """
        missing = list({str(one): one for one in self.missing}.values())
        if self.found:
            raise BadInput(list(dict.fromkeys(self.found)), missing)
        if missing:
            first, *others = missing
            raise MissingResource(first.what, first.advice, first.where, (*first.others, *others))


def gather(*checks: Callable[[], Any]) -> list[Any]:
    """The value of each check. Raises `BadInput` with the problems of all, and with what is absent besides.

    Else the first error of another kind; else `MissingResource` with all that is absent.
    """
    problems = Problems(missing=True)
    values: list[Any] = []
    others: list[RosearchError] = []
    for check in checks:
        try:
            with problems:
                values.append(check())
        except RosearchError as error:
            others.append(error)
    if problems.found or not others:
        problems.raise_found()
    if others:
        raise others[0]
    return values


def one_line(told: object, most: int | None = 200, *, named: bool = False) -> str:
    """An exception's message in one line of at most `most` characters; the name of its class where it says nothing.

    With `named` the class stands before the message in any case.
    """
    if isinstance(told, shutil.Error) and told.args and isinstance(told.args[0], list):
        told = told.args[0][0][-1]  # of the files that could not be copied, the first says why
    text = f"{type(told).__name__}: {told}" if named else str(told)
    return " ".join(text.split())[:most] or type(told).__name__


# The errors of a system that are the machine's fault, and what to do.
_FAULTS = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or ask for a larger quota",
    errno.EIO: "check the disk",
    errno.EROFS: "let the file system be written",
    errno.ESTALE: "mount the file system again",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f)",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs: the system has no open files left",
    errno.ENOLCK: "raise the limit of locks (ulimit -x)",
    errno.EAGAIN: "raise the limit of processes and threads (ulimit -u)",
    errno.ENOMEM: "free some memory",
}
_RAISED = _FAULTS.keys() - {errno.EAGAIN}  # a BlockingIOError has that number too
# How the system's number is told in texts: by Rust (safetensors, tokenizers) and by Arrow.
_TOLD = re.compile(r"\(os error (\d+)\)|\[[Ee]rrno (\d+)\]|Os \{ code: (\d+)")
# Texts without a number, and the number that they stand for.
_WORDINGS = {
    **{os.strerror(number).lower(): number for number in _RAISED},  # C libraries; torch's "unable to open file"
    "database or disk is full": errno.ENOSPC,  # SQLITE_FULL
    "disk i/o error": errno.EIO,  # SQLITE_IOERR, also of a file-size limit
    "file write failed": errno.ENOSPC,  # torch's PyTorchStreamWriter
    "iostream error": errno.EIO,  # a stream of C++: torch.save to a path
    "can't start new thread": errno.EAGAIN,  # Python's threading
    "resource temporarily unavailable": errno.EAGAIN,  # OpenMP, where it can make no thread
}
_SHORT_WRITE = re.compile(r"^\d+ requested and \d+ written$")  # ndarray.tofile, the only OSError without a number
_NO_MEMORY = (
    "out of memory",  # CUDA, HIP, MPS, XPU
    "can't allocate memory",  # torch's DefaultCPUAllocator on Linux
    "not enough memory",  # the same elsewhere
    "cannot allocate memory",  # ENOMEM
    "bad_alloc",  # C++
    "bad allocation",  # C++ of Microsoft
    "alloc_failed",  # cuBLAS, cuDNN: CUBLAS_STATUS_ALLOC_FAILED
)


def is_out_of_memory(error: BaseException) -> bool:
    """True where an error, or one that led to it, says that there is no memory, whatever its class."""
    return any(_number(one) == errno.ENOMEM for one in _led_to(error))


def machine_fault(error: BaseException) -> str:
    """The fault of the machine that an error tells of, and what to do, in one line; "" where it tells of none.

    Errors that led to it count: libraries and checks of ours raise errors of their own over those of the system.
    """
    for one in _led_to(error):
        if isinstance(one, MachineFault):
            return one_line(one, 600)
        if (number := _number(one)) is not None:
            return f"{one_line(error)}: {_FAULTS[number]}"
    return ""


def _led_to(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that it was raised from, or while they were handled; also where `from None` hides them."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _number(error: BaseException) -> int | None:
    """The number of the machine's fault that an error tells of, without those that led to it."""
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno if error.errno in _RAISED else None
    if isinstance(error, RosearchError):  # its words are ours; what led to it counts
        return None
    try:
        text = str(error)
    except Exception:  # an error that cannot be printed
        return None
    if told := _TOLD.search(text):
        number = int(next(filter(None, told.groups())))
        return number if number in _RAISED else None
    lower = text.lower()
    if any(wording in lower for wording in _NO_MEMORY):
        return errno.ENOMEM
    if isinstance(error, OSError) and _SHORT_WRITE.match(text):
        return errno.ENOSPC
    return next((number for wording, number in _WORDINGS.items() if wording in lower), None)


def cut(text: str, most: int) -> str:
    """A text of at most `most` letters; where the rest is left out, the last words say how long it was."""
    if len(text) <= most:
        return text
    told = f" ... ({len(text):,} letters)"
    return text[: most - len(told)] + told


def shown(value: object, most: int = 120) -> str:
    """A value as Python writes it, in at most `most` letters; control characters are escaped."""
    return cut(repr(value), most)


def told_apart(value: float, bar: float, digits: int, kind: str = "f") -> tuple[str, str]:
    """Two figures as text, rounded alike, with as many digits as show which of them is larger.

    >>> told_apart(0.2149, 0.2151, 2)
    ('0.2149', '0.2151')

    `kind` is that of a format: `f` counts digits behind the point, `g` all that tell.
    """
    for more in range(digits, digits + 17):  # by then every two numbers differ
        told = f"{value:.{more}{kind}}", f"{bar:.{more}{kind}}"
        if value == bar or told[0] != told[1]:
            break
    return told


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known name that a wrong one may mean, as a question; "" where none is near.

    A part of a name is near too: `wordbug` to `deepwordbug`, and `DeepWordBug` in any case.
    """
    from difflib import get_close_matches

    by_key = {one.casefold(): one for one in reversed([*known])}
    wanted = name[:100].casefold()
    close = get_close_matches(wanted, by_key, n=1, cutoff=cutoff)
    close = close or ([one for one in by_key if wanted in one][:1] if len(wanted) > 3 else [])
    return f"Did you mean {by_key[close[0]]}?" if close else ""


def safe(text: str) -> str:
    """A text whose control characters are spelled out, as in `\\x1b[31m`; line feeds and tabs stay."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


# C0 but tab and line feed, DEL, C1, line separators, marks that change the direction of text, halves of surrogate
# pairs, and the invisible tags.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\U000e0000-\U000e007f]"
)
