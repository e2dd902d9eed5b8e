"""One candidate of a run by what a user asks for: the best by a term, the knee of the front, within a condition.

>>> choose(open_results(run), Wish(by="robustness", where="latency_ms < 5 and accuracy > 0.85")).record
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import dist
from typing import Literal

from rosearch.errors import BadInput, Problem, RunError, nearest
from rosearch.evolution.front import Objectives, undominated
from rosearch.records.record import Record
from rosearch.report.conditions import Condition, Value, parse_condition
from rosearch.run.results import Results

TERMS = ("fitness", "robustness", "accuracy")
Term = Literal["fitness", "robustness", "accuracy"]
_LATENCY = "latency_ms"  # the table has it by batch size; alone it means the first that was timed


@dataclass(frozen=True)
class Wish:
    """A way to choose; candidates that missed a gate are never chosen."""

    by: str = "fitness"  # one of `TERMS`
    knee: bool = False  # the front's member that is nearest to the best of all terms, in place of the best by one
    where: str = ""  # a condition on columns of the run's table


@dataclass(frozen=True)
class Choice:
    """The chosen record, the number of candidates that it was chosen from, and by what."""

    record: Record
    among: int
    by: str


def choose(results: Results, wish: Wish) -> Choice:
    """The candidate that a wish means; of equals the fitter, then the one that was proposed earlier.

    Raises `BadInput` for a wish that is none, `RunError` where no candidate passed the gates or fulfils it.
    """
    if wish.by not in TERMS:
        raise BadInput(Problem("command line", "--by", ", ".join(TERMS), wish.by, nearest(wish.by, TERMS)))
    results.best()  # raises where there is none
    records = _within(results, wish.where) if wish.where else results.ranking
    if wish.knee:
        return Choice(_knee(results, records), len(records), "the knee of the front")
    return Choice(_best(results, records, wish.by), len(records), wish.by)


def _best(results: Results, records: Sequence[Record], by: str) -> Record:
    """`records` stand by fitness, so that of equals the fitter comes first."""
    values = {record.number: results.fitness[record.number] for record in records}
    if by == "fitness":
        return records[0]
    if by == "accuracy":
        return max(records, key=lambda record: values[record.number].accuracy)
    if all(found.robustness is None for found in values.values()):
        raise RunError(f"{results.run.path}: no candidate was attacked: none is best by robustness")
    return max(records, key=lambda record: values[record.number].robustness or 0.0)


def _knee(results: Results, records: Sequence[Record]) -> Record:
    """The member of the front whose terms, each from 0 to 1 along the front, are nearest to 1 everywhere.

    That is compromise programming (Zeleny 1973) with the Euclidean distance.
    """
    points = {record.number: results.fitness[record.number].objectives for record in records}
    front = set(undominated(points.values()))
    lows, highs = (tuple(map(end, zip(*front, strict=True))) for end in (min, max))

    def far(point: Objectives) -> float:
        shares = [
            (value - low) / (high - low) if high > low else 1.0
            for value, low, high in zip(point, lows, highs, strict=True)
        ]
        return dist(shares, [1.0] * len(shares))

    return min((record for record in records if points[record.number] in front), key=lambda r: far(points[r.number]))


def _within(results: Results, where: str) -> list[Record]:
    """The candidates that passed the gates and fulfil a condition, best fitness first."""
    rows, numbers = _rows(results)
    texts = {name for row in rows.values() for name in row} - numbers
    condition = parse_condition(where, sorted(numbers), sorted(texts), "--where")
    found = [record for record in results.ranking if condition.holds(rows[record.number])]
    if not found:
        raise RunError(f"{results.run.path}: {_none_is_left(condition, list(rows.values()))}")
    return found


def _none_is_left(condition: Condition, rows: Sequence[Mapping[str, Value]]) -> str:
    alone = "; ".join(f"{one}: {sum(map(one.holds, rows))}" for one in condition.comparisons())
    return f"none of {len(rows)} candidates that passed the gates fulfils --where ({alone})"


def _rows(results: Results) -> tuple[dict[int, dict[str, Value]], set[str]]:
    """The values of each eligible candidate by column, and the columns that hold numbers."""
    import pandas as pd

    from rosearch.report.tables import records_table

    yardstick = results.yardstick
    table = records_table(results.ranking, None if yardstick is None else yardstick.score)
    timed = [name for name in table.columns if name.startswith(f"{_LATENCY}_")]
    latency = table[timed[0]] if timed else pd.Series(float("nan"), table.index)
    table = pd.concat([table, latency.rename(_LATENCY)], axis=1)  # one more beside a hundred columns: pandas warns
    numbers = {str(name) for name in table.columns if pd.api.types.is_numeric_dtype(table[name])}
    rows = {}
    for row in table.to_dict("records"):
        values = {str(name): None if pd.isna(value) else value for name, value in row.items()}
        rows[int(row["number"])] = {
            name: float(v) if name in numbers and v is not None else v for name, v in values.items()
        }
    return rows, numbers
