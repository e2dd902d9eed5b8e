"""Soft labels from a file in place of a teacher: the answers of a model that cannot be asked any more, row by row.

>>> soft = soft_labels_of(Path("labels.parquet"), experiment.require_task(), task)
>>> soft.of(task.transfer, "training")  # logits (rows, classes)

The file has the columns of the texts, as the task's, and one column of probabilities for each class, named as the
class; for a regression, one column of scores. It may come from a large language model, from an API, or from counted
votes of people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rosearch.config.task import TaskConfig
from rosearch.data.columns import column_problems
from rosearch.data.files import read_file
from rosearch.data.labels import match_name
from rosearch.data.table import Reading, Table
from rosearch.data.tasks import Rows, Split, Task
from rosearch.errors import BadInput, Problem, Problems
from rosearch.files import file_hash

_ROUNDED = 0.005  # that a probability of two decimals may miss: a row is divided by its sum
_OFF = 0.01  # that two answers for one text may differ
_LEAST = 1e-6  # of a probability, as its logarithm must be finite
_SHOWN = 5  # row numbers or names in one problem

Text = tuple[str, ...]
Values = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, eq=False)
class SoftLabels:
    """The answers of a file. `outputs` (rows, classes) are logarithms of probabilities, or scores (rows, 1)."""

    path: Path
    key: str  # 32 hex digits of the file
    outputs: Values
    rows: dict[Text, int]  # the row of a text, or of a pair

    def covered(self, split: Split) -> Rows:
        """The rows of a split for which the file has an answer, (n,)."""
        return np.array([row for row, text in enumerate(split.texts) if text in self.rows], np.int64)

    def at(self, split: Split, rows: Rows) -> Values:
        """The outputs for covered rows of a split, (n, classes)."""
        found: Values = self.outputs[[self.rows[split.texts[row]] for row in rows.tolist()]]
        return found

    def of(self, split: Split, name: str) -> Values:
        """The outputs for all rows of a split, (rows, classes). Raises `BadInput` that names those that are missing."""
        covered = self.covered(split)
        if len(covered) == len(split):
            return self.at(split, covered)
        missing = np.setdiff1d(np.arange(len(split)), covered)
        first = split.texts[int(missing[0])]
        got = f"none for {len(missing):,} of {len(split):,}: {name} {_numbered(missing + 1)}, as {first[0][:40]!r}"
        fix = "Have these texts answered too, or leave them out of the task's file"
        raise BadInput(Problem(str(self.path), "", f"an answer for each text of the {name} split", got, fix))


def soft_labels_of(path: Path, config: TaskConfig, task: Task) -> SoftLabels:
    """The answers in a file for a task, one for each row that students learn from.

    Raises `BadInput` with all that is wrong with the file as `read_soft_labels` does, or with the rows that it lacks.
    """
    soft = read_soft_labels(path, config.text, task.labels, config.label)
    problems = Problems()
    for name, split in (("training", task.train), ("unlabelled", task.unlabelled)):
        if split is not None:
            with problems:
                soft.of(split, name)
    problems.raise_found()
    return soft


def read_soft_labels(path: Path, text: Sequence[str], labels: Sequence[str], label: str = "") -> SoftLabels:
    """The answers in a file of TSV, CSV, JSON lines or Parquet; `text` names the columns of the texts.

    `labels` are the classes; for a regression there are none, and the column `label` holds the scores. Raises
    `BadInput` with all that is wrong, with numbers of rows: columns that are missing or of no class, no text, values
    that are no probabilities or do not sum to 1, equal texts with different answers.
    """
    frame = read_file(path)
    where = str(path)
    wanted = tuple(labels) or (label,)
    columns = [_column(name, list(map(str, frame.columns))) for name in wanted]
    problems = list(column_problems(where, frame, text, "name the columns of the texts as task.text does"))
    absent = [name for name, column in zip(wanted, columns, strict=True) if column is None]
    rest = [str(name) for name in frame.columns if name not in (*text, *columns, label)]
    if absent:
        got = f"none for {', '.join(absent)}; other columns: {_some(rest) or 'none'}"
        problems.append(Problem(where, "", f"a column of probabilities for each of {', '.join(wanted)}", got))
    if problems:
        raise BadInput(problems)
    split, found = Reading(tuple(text), "", tuple(labels), section="").unlabelled(Table(where, frame))
    problems = [replace(one, fix="Leave such rows out") for one in found]
    if labels and (unknown := [name for name in rest if _are_shares(frame[name])]):
        got, fix = f"shares for {_some(unknown)}, which are none", "Rename or remove such columns"
        problems.append(Problem(where, "", f"columns of the classes {', '.join(labels)}", got, fix))
    values = np.stack([_numbers(frame[column]) for column in columns], axis=1)
    problems += _value_problems(where, values, shares=bool(labels))
    problems += _contradictions(where, list(zip(*(map(_as_text, frame[name]) for name in text), strict=True)), values)
    if problems or split is None:
        raise BadInput(problems)
    outputs = np.log(np.maximum(values / values.sum(axis=1, keepdims=True), _LEAST)) if labels else values
    return SoftLabels(path, file_hash(path), outputs.astype(np.float32), {t: row for row, t in enumerate(split.texts)})


def _as_text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _column(name: str, columns: Sequence[str]) -> str | None:
    place = match_name(name, columns)
    return None if place is None else columns[place]


def _numbers(column: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The values of a column (rows,); NaN where one is no number."""
    found = np.full(len(column), np.nan)
    for row, value in enumerate(column):
        try:
            found[row] = float(value)
        except (TypeError, ValueError):
            continue
    return found


def _are_shares(column: Any) -> bool:
    """True for a column of numbers from 0 to 1: most likely those of a class that the task does not have."""
    values = _numbers(column)
    return len(values) > 0 and bool(((values >= 0) & (values <= 1)).all())


def _value_problems(where: str, values: Any, *, shares: bool) -> list[Problem]:
    if not shares:
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        return [_rows_problem(where, "a finite score in every row", "none in", bad)] if len(bad) else []
    problems = []
    odd = ~((values >= 0) & (values <= 1)).all(axis=1)  # NaN is neither
    if odd.any():
        problems.append(_rows_problem(where, "probabilities from 0 to 1", "other values in", np.flatnonzero(odd)))
    sums = values.sum(axis=1)
    off = ~odd & (np.abs(sums - 1) > _ROUNDED * values.shape[1] + 1e-6)
    if off.any():
        got = f"sums such as {sums[np.flatnonzero(off)[0]]:.3g} in"
        problems.append(_rows_problem(where, "probabilities that sum to 1 in each row", got, np.flatnonzero(off)))
    return problems


def _contradictions(where: str, texts: Sequence[Text], values: Any) -> list[Problem]:
    """Equal texts whose answers differ: which of them is meant, nobody can tell."""
    twice = {text for text, count in Counter(texts).items() if count > 1 and all(text)}
    rows: dict[Text, list[int]] = {}
    for row, text in enumerate(texts):
        if text in twice:
            rows.setdefault(text, []).append(row)
    apart = [row for same in rows.values() if np.ptp(values[same], axis=0).max(initial=0) > _OFF for row in same]
    if not apart:
        return []
    fix = "Leave one answer for each text, such as their mean"
    return [_rows_problem(where, "one answer for equal texts", "different ones in", np.array(sorted(apart)), fix)]


def _rows_problem(where: str, expected: str, got: str, rows: Any, fix: str = "") -> Problem:
    return Problem(where, "", expected, f"{got} {_numbered(rows + 1)}", fix)


def _numbered(numbers: Any) -> str:
    """The first of some row numbers, which count from 1, without a header."""
    return f"row{'s' if len(numbers) > 1 else ''} {_some([str(number) for number in numbers.tolist()])}"


def _some(items: Sequence[str]) -> str:
    more = len(items) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
