"""A run examined and mended: torn records, missing files, leftovers of killed processes.

>>> for finding in examine(Path("runs/quickstart-0001"), dry_run=True):
...     finding.kind, finding.what, finding.done, finding.next

Nothing that could hold data is deleted: it is put into `aside/` within the run. What is made again, as halves of killed
writers and damaged entries of the cache, is removed. The records come first, since all else is told by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rosearch.errors import RosearchError, RunError
from rosearch.records.run_directory import RunDirectory
from rosearch.run.ailments import Ailment, of_cache, of_leftovers, of_records, of_snapshots, of_weights

# In this order: each reads what those before have mended.
_EXAMINATIONS: tuple[Callable[[RunDirectory], Iterator[Ailment]], ...] = (
    of_records,
    of_snapshots,
    of_weights,
    of_cache,
)
_GROUND = ("torn records", "records missing", "snapshot")  # while one of them is not mended, little else can be told


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a run.

    `mended` is True where it was mended, or would be without `dry_run`; else `next` is the command that helps. `done`
    says in words what was done, would be done, or cannot be done.
    """

    kind: str
    where: str
    what: str
    mended: bool
    done: str
    next: str = ""


@dataclass
class Examination:
    """The findings of a run, in the order in which they were found."""

    run: Path
    dry_run: bool
    findings: list[Finding] = field(default_factory=list)

    @property
    def left(self) -> list[Finding]:
        """The findings that this program cannot mend."""
        return [finding for finding in self.findings if not finding.mended]

    @property
    def unmended(self) -> list[Finding]:
        """The findings that are as they were."""
        return self.findings if self.dry_run else self.left

    def take(self, ailment: Ailment) -> None:
        """Mends an ailment, unless nothing may be changed, and notes it."""
        if ailment.mend is not None and not self.dry_run:
            ailment.mend()
        mended = ailment.mend is not None
        self.findings.append(
            Finding(ailment.kind, str(ailment.where), ailment.what, mended, ailment.done, ailment.next)
        )


def examine(folder: Path, *, dry_run: bool = False) -> Examination:
    """Finds what is wrong with a run, and mends what can be mended; with `dry_run` nothing is changed.

    Raises `RunError` where the folder is no run, where a process works on it, or where the machine fails.
    """
    run = RunDirectory(folder)
    _require_run(run)
    if (who := run.driver()) != "":
        raise RunError(f"{folder}: another process is working on it ({who}): wait for it, or stop it")
    found = Examination(folder, dry_run)
    leftovers = list(of_leftovers(run))  # before the lock, which removes some
    with ExitStack() as held:
        if not dry_run:
            held.enter_context(run.lock())
        for ailment in leftovers:
            found.take(ailment)
        _examine(run, found)
    return found


def _examine(run: RunDirectory, found: Examination) -> None:
    for examination in _EXAMINATIONS:
        try:
            for ailment in examination(run):
                found.take(ailment)
        except RosearchError:
            if not any(finding.kind in _GROUND for finding in found.unmended):
                raise
            return


def _require_run(run: RunDirectory) -> None:
    """Raises `RunError` for a folder that is none. One that has lost its records is one."""
    if not RunDirectory.is_run(run.path) and not run.experiment_file.is_file():
        RunDirectory.open(run.path)
