"""Figures in sentences: which of the best cannot be told apart, by the intervals that a run has measured.

Overlapping intervals do not prove that two students are equal: the paired tests of `report.comparisons` see more, since
they compare row by row. They do say that the order in a table may be chance.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rosearch.measurements import Estimate
from rosearch.records.record import Record
from rosearch.run.results import Results


def verdicts(results: Results) -> list[str]:
    """A sentence for the front and one for the finalists, where intervals of the best overlap."""
    sentences = []
    if told := overlap_sentence(results.front):
        more = "" if results.front[0].measurements is None or not results.experiment.attacked else _more(results)
        sentences.append(told + more)
    finalists = results.measured("finalist")
    chosen = best.id if (best := results.fitness.best) is not None else ""
    if told := overlap_sentence(sorted(finalists, key=lambda record: record.id != chosen)):
        sentences.append(f"Finalists: {told[0].lower()}{told[1:]}")
    return sentences


def _more(results: Results) -> str:
    return f" `rosearch stats {shlex.quote(str(results.run.path))}` compares them row by row."


def overlap_sentence(records: Sequence[Record]) -> str:
    """Those whose interval overlaps with that of the first, the best, in words; "" where there are none.

    >>> overlap_sentence(results.front)
    'The 95 % intervals of #3, the best, and of #5 overlap (accuracy under attack, 50 rows): ...'
    """
    if not records or (best := measured_estimate(records[0])) is None:
        return ""
    name, first = best
    alike = [r for r in records[1:] if (found := measured_estimate(r)) is not None and overlap(found[1], first)]
    if not alike:
        return ""
    return (
        f"The 95 % intervals of #{records[0].number}, the best, and of {_listed(alike)} overlap "
        f"({name}, {first.n:,} rows): these rows do not tell which is better."
    )


def measured_estimate(record: Record) -> tuple[str, Estimate] | None:
    """The estimate that decides between students, by its name: under attack where they were attacked, else clean."""
    found = record.measurements
    if found is None:
        return None
    if found.robustness is not None:
        return "accuracy under attack", found.robustness.under_attack
    return None if found.quality.accuracy is None else ("accuracy", found.quality.accuracy)


def overlap(one: Estimate, other: Estimate) -> bool:
    """True where two intervals share a value."""
    return one.low <= other.high and other.low <= one.high


def _listed(records: Sequence[Record]) -> str:
    """`#5`, `#5 and #9`, `#5, #9 and 7 more`."""
    numbers = [f"#{record.number}" for record in records]
    if len(numbers) > 6:
        return f"{', '.join(numbers[:5])} and {len(numbers) - 5} more"
    return " and ".join(filter(None, (", ".join(numbers[:-1]), numbers[-1])))
