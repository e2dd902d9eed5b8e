"""Raw rows of any source turned into a split; all their problems are reported at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rosearch.data.tasks import Labels, Split
from rosearch.errors import Problem

_SHOWN = 5  # row numbers or values named in one problem, at most


@dataclass(frozen=True)
class Table:
    """The rows of one split as they were read."""

    where: str  # file, or hub dataset and split
    frame: pd.DataFrame
    class_names: tuple[str, ...] = ()  # the names of integer labels, where the source carries them


@dataclass(frozen=True)
class Reading:
    """The columns of the texts and the label, and the spelling of labels."""

    text: tuple[str, ...]
    label: str
    labels: tuple[str, ...]  # names of the classes; empty for regression
    spellings: tuple[str, ...] = ()  # the source's spelling of each of `labels`; empty: by name or by integer
    section: str = "task"  # the section of the experiment that names the columns

    def split(self, table: Table) -> tuple[Split | None, list[Problem]]:
        """The split, or None and its problems: missing columns, no rows, no text, unknown labels."""
        missing = [column for column in (*self.text, self.label) if column not in table.frame.columns]
        if missing:
            has = ", ".join(map(repr, table.frame.columns))
            fix = f"name the columns in {self.section}.text and {self.section}.label"
            return None, [Problem(table.where, "", f"a column {column!r}", f"only {has}", fix) for column in missing]
        if table.frame.empty:
            return None, [Problem(table.where, "", "at least one row", "none")]
        problems: list[Problem] = []
        columns = [_texts(table, column, problems) for column in self.text]
        raw = list(table.frame[self.label])
        labels = self._classes(table, raw, problems) if self.labels else _scores(table, self.label, raw, problems)
        if problems or labels is None:
            return None, problems
        return Split(tuple(zip(*columns, strict=True)), labels), []

    def _classes(self, table: Table, raw: Sequence[Any], problems: list[Problem]) -> Labels | None:
        values = [_spelled(value) for value in raw]
        seen = dict.fromkeys(values)
        index_of, expected = self._index(table, seen, problems)
        unknown = [value for value in seen if value not in index_of]
        if unknown and expected:
            count = sum(value not in index_of for value in values)
            got = f"{_some([repr(value) for value in unknown])} in {count} of {len(values)} rows"
            fix = f"give {self.section}.label_values" if self.section == "task.local" else "name a labelled split"
            problems.append(Problem(table.where, f"column {self.label!r}", expected, got, fix))
        if unknown:
            return None
        return np.fromiter((index_of[value] for value in values), np.int64, len(values))

    def _index(self, table: Table, seen: Iterable[str], problems: list[Problem]) -> tuple[dict[str, int], str]:
        """The class of each spelling, and the expected labels in words ("" where they are reported already)."""
        integers = {str(index): index for index in range(len(self.labels))}
        names = {name: index for index, name in enumerate(self.labels)}
        if self.spellings:
            return {name: index for index, name in enumerate(self.spellings)}, f"one of {_some(list(self.spellings))}"
        if table.class_names:
            return self._by_class_names(table, problems)
        seen = list(seen)
        by_name = {value: names[match] for value in seen if (match := _match(value, self.labels)) is not None}
        # All labels of a column are names or all are integers: names may themselves be digits.
        index_of = by_name if by_name and len(by_name) >= sum(value in integers for value in seen) else integers
        return index_of, f"{_some(list(self.labels))}, or their integers 0 to {len(self.labels) - 1}"

    def _by_class_names(self, table: Table, problems: list[Problem]) -> tuple[dict[str, int], str]:
        """The source's integers as ours, matched by name: one set of names in two orders is a known trap."""
        matched = [_match(name, self.labels) for name in table.class_names]
        if sorted(name or "" for name in matched) != sorted(self.labels):
            got = _some(list(table.class_names))
            problems.append(
                Problem(table.where, "task.labels", f"the names of the dataset: {got}", _some(list(self.labels)))
            )
            return {}, ""
        index_of = {str(index): self.labels.index(name) for index, name in enumerate(matched) if name is not None}
        return index_of, f"0 to {len(index_of) - 1}"


def class_problems(split: Split, labels: Sequence[str], where: str) -> list[Problem]:
    """A problem for each class that training never shows: mostly its spelling is wrong."""
    counts = np.bincount(split.labels, minlength=len(labels))
    absent = [name for name, count in zip(labels, counts, strict=True) if count == 0]
    return [Problem(where, "", "rows of every label", f"none of {_some(absent)}")] if absent else []


def _texts(table: Table, column: str, problems: list[Problem]) -> list[str]:
    values = list(table.frame[column])
    strange = [row for row, value in enumerate(values, start=1) if not isinstance(value, str) and not _absent(value)]
    if strange:
        kind = type(values[strange[0] - 1]).__name__
        problems.append(_rows_problem(table, column, "text", f"{kind} in", strange))
    texts = [value.strip() if isinstance(value, str) else "" for value in values]
    blank = sorted({row for row, text in enumerate(texts, start=1) if not text} - set(strange))
    if blank:
        problems.append(_rows_problem(table, column, "text in every row", "none in", blank))
    return texts


def _scores(table: Table, column: str, raw: Sequence[Any], problems: list[Problem]) -> Labels:
    scores = np.full(len(raw), np.nan, np.float32)
    for index, value in enumerate(raw):
        try:
            scores[index] = float(value)
        except (TypeError, ValueError):
            continue
    bad = [int(row) + 1 for row in np.flatnonzero(~np.isfinite(scores))]
    if bad:
        problems.append(_rows_problem(table, column, "finite numbers", f"{raw[bad[0] - 1]!r} in", bad))
    return scores


def _rows_problem(table: Table, column: str, expected: str, got: str, rows: list[int]) -> Problem:
    noun = "row" if len(rows) == 1 else "rows"
    return Problem(table.where, f"column {column!r}", expected, f"{got} {noun} {_some([str(row) for row in rows])}")


def _spelled(value: Any) -> str:
    """One spelling for 1, 1.0, True and " 1 "; "" for what is absent."""
    if _absent(value):
        return ""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _absent(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float | np.floating) and math.isnan(value))


def _match(value: str, names: Sequence[str]) -> str | None:
    """The name that is meant, in any case; the exact one where two names differ in case alone."""
    if value in names:
        return value
    same = [name for name in names if name.casefold() == value.casefold()]
    return same[0] if len(same) == 1 else None


def _some(items: Sequence[str]) -> str:
    more = len(items) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
