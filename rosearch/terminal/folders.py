"""The tables of runs and of a cache, and what was found in a run that was examined."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rosearch.report.course import time_words
from rosearch.report.data import THOUSANDTHS, Cell, Column, Row, Table, lefts
from rosearch.run.cache import Kind
from rosearch.run.doctor import Examination, Finding
from rosearch.run.listing import ListedRun
from rosearch.terminal.console import print_line, print_prose

_MOST = 20  # findings of one kind that are printed each


def runs_table(folder: Path, runs: Sequence[ListedRun]) -> Table:
    """Each run in a row, the newest first; notes say why some cannot be read."""
    columns = (
        Column("run", align="left", whole=True),
        Column("state", align="left"),
        Column("students done"),
        Column("best fitness", THOUSANDTHS, spare=1),
        Column("size"),
        Column("age"),
    )
    rows = [
        Row(
            (
                run.name,
                Cell(run.state, emphasis="warning" if run.problem else ""),
                "-" if run.problem else f"{run.done} of {run.of}",
                run.best,
                size_words(run.bytes),
                age_words(run.age_seconds),
            )
        )
        for run in runs
    ]
    problems = tuple(f"{run.name}: {run.problem}" for run in runs if run.problem)
    total = size_words(sum(run.bytes for run in runs))
    notes = (
        f"{len(runs)} {'run' if len(runs) == 1 else 'runs'}, {total}; their cache: `rosearch cache {folder}`",
        *problems,
    )
    return Table(f"Runs in {folder}", columns, tuple(rows), notes)


def cache_table(cache: Path, kinds: Sequence[Kind]) -> Table:
    """Each kind in a row, the largest first."""
    columns = (Column("kind", align="left", whole=True), Column("entries"), Column("size"), *lefts("about"))
    rows = tuple(Row((kind.name, kind.entries, size_words(kind.bytes), kind.about)) for kind in kinds)
    total = size_words(sum(kind.bytes for kind in kinds))
    return Table(f"Cache {cache}", columns, rows, (f"{total}; `--remove KIND` or `--remove all` deletes it",))


def size_words(count: int) -> str:
    """`12 kB`, `3.4 MB`, `1.2 GB`: powers of 1,000."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}" if count < 100 * factor else f"{count / factor:.0f} {unit}"
    return f"{count} B"


def age_words(seconds: float) -> str:
    """`40 s`, `3 min`, `1 h 20 min`, `12 days`."""
    return time_words(seconds) if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"


def print_examination(found: Examination) -> None:
    """Each finding with its place; many of one kind are counted."""
    if not found.findings:
        print_line(f"{found.run}: nothing is wrong")
        return
    kinds = list(dict.fromkeys(finding.kind for finding in found.findings))
    for kind in kinds:
        alike = [finding for finding in found.findings if finding.kind == kind]
        for finding in alike[:_MOST]:
            _print(finding, found.dry_run)
        if len(alike) > _MOST:
            print_line(f"and {len(alike) - _MOST} more of {kind}")
    print_line(_summary(found))


def _print(finding: Finding, dry_run: bool) -> None:
    print_line(f"{finding.kind}: {finding.where}")
    print_prose(f"  {finding.what}")
    print_prose(f"  {_tense(finding, dry_run)}: {finding.done}")
    if finding.next:
        print_line(f"  next: {finding.next}")


def _tense(finding: Finding, dry_run: bool) -> str:
    if not finding.mended:
        return "not mended"
    return "would be mended" if dry_run else "mended"


def _summary(found: Examination) -> str:
    mended = len(found.findings) - len(found.left)
    told = f"{mended} {'would be mended' if found.dry_run else 'mended'}, {len(found.left)} not"
    command = "doctor" if found.dry_run and mended else "resume"
    again = f"rosearch {command} {shlex.quote(str(found.run))}"
    return f"{found.run}: {told}" if found.left else f"{found.run}: {told}. Next:\n  {again}"
