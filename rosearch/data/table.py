"""Raw rows of any source turned into a split; all their problems are reported at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rosearch.data.columns import column_problems
from rosearch.data.labels import ReadLabels, absent, match_name, read_labels, spelled
from rosearch.data.tasks import Labels, Split
from rosearch.errors import Problem

_SHOWN = 5  # row numbers or values named in one problem, at most
_WITH_SPELLINGS = ("task.local", "task.files")  # sections that may say how labels are spelled


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
    section: str = "task"  # the section of the experiment that names the columns; "": the command line names them
    drop: bool = False  # rows without a text or a label are left out and counted; else they are a problem

    def split(self, table: Table) -> tuple[Split | None, list[Problem]]:
        """The split, or None and its problems: missing or doubled columns, no rows, no text, unknown labels."""
        place = "task" if self.section == "task.files" else self.section
        fix = f"name the columns in {place}.text and {place}.label" if place else ""
        if problems := column_problems(table.where, table.frame, (*self.text, self.label), fix):
            return None, problems
        frame = table.frame.reset_index(drop=True)
        frame = frame[~self._incomplete(frame, (*self.text, self.label))] if self.drop else frame
        dropped = len(table.frame) - len(frame)
        if frame.empty:
            got = f"none: {dropped} without a text or a label" if dropped else "none"
            return None, [Problem(table.where, "", "at least one row", got)]
        table = Table(table.where, frame, table.class_names)
        problems = []
        columns = [_texts(table, column, problems, self._advice) for column in self.text]
        raw = list(frame[self.label])
        labels = self._classes(table, raw, problems) if self.labels else _scores(table, self.label, raw, problems)
        if problems or labels is None:
            return None, problems
        return Split(tuple(zip(*columns, strict=True)), labels, dropped), []

    def unlabelled(self, table: Table) -> tuple[Split | None, list[Problem]]:
        """As `split`, of texts alone: each row has the label 0."""
        if problems := column_problems(table.where, table.frame, self.text, "name the columns in task.text"):
            return None, problems
        frame = table.frame.reset_index(drop=True)
        frame = frame[~self._incomplete(frame, self.text)] if self.drop else frame
        dropped = len(table.frame) - len(frame)
        if frame.empty:
            return None, [Problem(table.where, "", "at least one row", "none")]
        problems = []
        columns = [_texts(Table(table.where, frame), column, problems, self._advice) for column in self.text]
        labels = np.zeros(len(frame), np.int64 if self.labels else np.float32)
        return (None, problems) if problems else (Split(tuple(zip(*columns, strict=True)), labels, dropped), [])

    @property
    def _advice(self) -> str:
        way = "task.on_bad_rows: drop" if self.section else "--drop-bad-rows"
        return f"{way} leaves such rows out"

    def _incomplete(self, frame: pd.DataFrame, columns: tuple[str, ...]) -> Any:
        """True for each row (rows,) without a value in one of the columns."""
        blank = [[not spelled(value) for value in frame[column]] for column in columns]
        return np.array(blank, dtype=bool).any(axis=0)

    def _classes(self, table: Table, raw: Sequence[Any], problems: list[Problem]) -> Labels | None:
        names, order = self._names(table, problems)
        if not names:
            return None
        read = read_labels(raw, names, by_name_alone=bool(self.spellings or table.class_names))
        if None not in read.classes:
            return np.array([order[place] for place in read.classes if place is not None], np.int64)
        unknown = [spelled(value) for value, place in zip(raw, read.classes, strict=True) if place is None]
        shown = _some([repr(value) for value in dict.fromkeys(unknown)])
        got = read.mixed or f"{shown} in {len(unknown)} of {len(raw)} rows"
        fix = self._fix(read, all(not value for value in unknown))
        problems.append(Problem(table.where, f"column {self.label!r}", self._expected(table), got, fix))
        return None

    def _names(self, table: Table, problems: list[Problem]) -> tuple[Sequence[str], Sequence[int]]:
        """The labels as the source writes them, and the class of each; none where they are reported already."""
        if self.spellings or not table.class_names:
            names = self.spellings or self.labels
            return names, range(len(names))
        # The source's integers as ours, matched by name: one set of names in two orders is a known trap.
        matched = [match_name(name, self.labels) for name in table.class_names]
        if sorted(-1 if place is None else place for place in matched) == list(range(len(self.labels))):
            return [str(place) for place in range(len(matched))], [place for place in matched if place is not None]
        got = _some(list(table.class_names))
        problems.append(
            Problem(table.where, "task.labels", f"the names of the dataset: {got}", _some(list(self.labels)))
        )
        return (), ()

    def _expected(self, table: Table) -> str:
        if self.spellings:
            return f"one of {_some(list(self.spellings))}"
        if table.class_names:
            return f"0 to {len(table.class_names) - 1}"
        return f"{_some(list(self.labels))}, or their integers 0 to {len(self.labels) - 1}"

    def _fix(self, read: ReadLabels, without: bool) -> str:
        if read.mixed:
            return "write all labels as names, or all as integers"
        if without:
            return f"name a labelled split; {self._advice}"
        if read.from_one:
            spellings = [str(number) for number in range(1, len(self.labels) + 1)]
            ways = {one: f"give {one}.label_values={spellings}" for one in _WITH_SPELLINGS}
            ways["task"] = f"give task.labels={spellings}"
            return f"the integers start at 1, those of the classes at 0: {ways.get(self.section, 'subtract 1')}"
        if self.section in _WITH_SPELLINGS:
            other = "name another column in task.label, or " if self.section == "task.files" else ""
            return f"{other}give {self.section}.label_values"
        return "name a labelled split" if self.section else ""


def class_problems(split: Split, labels: Sequence[str], where: str) -> list[Problem]:
    """A problem for each class that training never shows: mostly its spelling is wrong."""
    counts = np.bincount(split.labels, minlength=len(labels))
    absent = [name for name, count in zip(labels, counts, strict=True) if count == 0]
    return [Problem(where, "", "rows of every label", f"none of {_some(absent)}")] if absent else []


def _texts(table: Table, column: str, problems: list[Problem], fix: str) -> list[str]:
    values, numbers = list(table.frame[column]), [int(row) + 1 for row in table.frame.index]  # in the source
    rows = list(zip(numbers, values, strict=True))
    strange = [row for row, value in rows if not isinstance(value, str) and not absent(value)]
    if strange:
        kind = type(dict(rows)[strange[0]]).__name__
        problems.append(_rows_problem(table, column, "text", f"{kind} in", strange))
    texts = [value.strip() if isinstance(value, str) else "" for value in values]
    blank = sorted({row for row, text in zip(numbers, texts, strict=True) if not text} - set(strange))
    if blank:
        problems.append(_rows_problem(table, column, "text in every row", "none in", blank, fix))
    return texts


def _scores(table: Table, column: str, raw: Sequence[Any], problems: list[Problem]) -> Labels:
    scores = np.full(len(raw), np.nan, np.float32)
    for index, value in enumerate(raw):
        try:
            scores[index] = float(value)
        except (TypeError, ValueError):
            continue
    if len(places := np.flatnonzero(~np.isfinite(scores))):
        bad = [int(row) + 1 for row in table.frame.index[places]]
        problems.append(_rows_problem(table, column, "finite numbers", f"{raw[places[0]]!r} in", bad))
    return scores


def _rows_problem(table: Table, column: str, expected: str, got: str, rows: list[int], fix: str = "") -> Problem:
    noun = "row" if len(rows) == 1 else "rows"
    where = f"{got} {noun} {_some([str(row) for row in rows])}"
    return Problem(table.where, f"column {column!r}", expected, where, fix)


def _some(items: Sequence[str]) -> str:
    more = len(items) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
