"""The tables of runs and of a cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rosearch.report.course import time_words
from rosearch.report.data import THOUSANDTHS, Cell, Column, Row, Table, lefts
from rosearch.run.cache import Kind
from rosearch.run.listing import ListedRun


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
