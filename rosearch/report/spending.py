"""Where the time of a run went, and what failed."""

from __future__ import annotations

from collections import defaultdict

from rosearch.report.chart import Axis, Bars, Chart
from rosearch.report.course import time_words
from rosearch.report.data import GROUPED, SHARE, Column, Row, Table, Unit, lefts
from rosearch.run.results import Results

_MOST_MESSAGES = 3  # numbers that a row names
_SECONDS = Unit(" s", 1, style=",")


def spending_chart(results: Results) -> Chart:
    """A bar for each stage, longest first: seconds of workers over all students."""
    seconds = results.seconds
    total = sum(seconds.values())
    told = f"{_SECONDS.text(total)} of workers: " + ", ".join(
        f"{name} {one / (total or 1):.0%}" for name, one in seconds.items()
    )
    axes = (Axis("seconds of workers", GROUPED), Axis("", names=tuple(seconds)))
    bars = (Bars("", "one", tuple(seconds.values())),) if seconds else ()
    return Chart("spending", "Time by stage", f"{told}.", *axes, bars)


def spending_table(results: Results) -> Table:
    """Each stage: its seconds, its share, its mean over the students that came to it."""
    counts: dict[str, int] = defaultdict(int)
    for record in results.records:
        for stage in record.seconds:
            counts[stage] += 1
    total = sum(results.seconds.values())
    rows = [
        Row((stage, seconds, seconds / total if total else 0.0, seconds / counts[stage]))
        for stage, seconds in results.seconds.items()
    ]
    columns = (
        Column("stage", align="left"),
        Column("in all", _SECONDS),
        Column("share", SHARE),
        Column("a student", Unit(" s", 2, style=",")),
    )
    notes = (f"{time_words(total)} of workers in all",) if total else ()
    return Table("Time by stage", columns, tuple(rows), notes)


def failures_table(results: Results) -> Table:
    """All that failed, by kind and stage, with the first of the messages."""
    groups = defaultdict(list)
    for record in results.failures:
        if record.failure is not None:
            groups[record.failure.kind, record.failure.stage].append(record)
    rows = []
    for (kind, stage), records in sorted(groups.items(), key=lambda pair: -len(pair[1])):
        first = records[0].failure
        named = ", ".join(f"#{record.number}" for record in records[:_MOST_MESSAGES])
        more = f" and {len(records) - _MOST_MESSAGES:,} more" if len(records) > _MOST_MESSAGES else ""
        rows.append(Row((kind, stage, str(len(records)), named + more, "" if first is None else first.message)))
    return Table("Failures", lefts("kind", "stage", "count", "students", "first message"), tuple(rows))
