"""Reading held-out sets: AdvGLUE's JSON, contrast sets and CheckList suites, one file or one for each language.

CSV, TSV, JSON lines and Parquet have the columns `text` (and `text2` for pairs of texts) and `label`, and may have:

- `group`: the phenomenon that a row tests, e.g. `negation`; each group gets an accuracy of its own;
- `pair`: the same value in rows that belong together, e.g. a sentence and its contrast (Gardner et al. 2020). Without
  this column the rows of a group belong together;
- `expect`: `mft` or `inv`, CheckList's names for its tests (Ribeiro et al. 2020). Without this column, rows without a
  label are `inv`: rows that belong together must get the same prediction. Directional tests (`dir`) are about
  probabilities and are refused.

The tables of a pattern (`sib200.tar.xz/*/test.tsv`) are one set. The part that the star stands for, such as the
language, is their group. Rows of a `pair` may lie in several files.

AdvGLUE's dev.json (Wang et al. 2021) holds lists of rows by task, with the columns of GLUE. The column `method`, where
there is one, gives the groups.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from rosearch.data.files import read_file
from rosearch.data.patterns import archive_of, find_files, fixed_part, is_pattern
from rosearch.errors import BadInput, Problem, Problems, one_line
from rosearch.evaluation.heldout import HeldOut, members_of

_NLI = ("entailment", "neutral", "contradiction")
_TWO_WAY = ("entailment", "not_entailment")

# AdvGLUE's tasks: the columns of their texts, and the names of their integers.
ADVGLUE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "sst2": (("sentence",), ("negative", "positive")),
    "qqp": (("question1", "question2"), ("not_duplicate", "duplicate")),
    "mnli": (("premise", "hypothesis"), _NLI),
    "mnli-mm": (("premise", "hypothesis"), _NLI),
    "qnli": (("question", "sentence"), _TWO_WAY),
    "rte": (("sentence1", "sentence2"), _TWO_WAY),
}

_SHOWN = 5  # rows or values that one problem names at most
_LONGEST = 60  # letters of a value that a problem shows


def read_held_out(
    path: Path, labels: Sequence[str], task: str = "", columns: Mapping[str, str] = MappingProxyType({})
) -> HeldOut:
    """Read a set for a classifier whose classes are named `labels`, in the order of its outputs.

    The suffix tells the format: .json is AdvGLUE's, the others are those of `rosearch.data.files`. A pattern of tables
    is one set. Labels are names in any case, or integers. AdvGLUE's integers are mapped by name where the classifier
    has the same names (MNLI's come in several orders), and taken as they are where it has as many classes and none of
    the names. `task` picks one of AdvGLUE's tasks where a file holds several. `columns` gives the file's own names of
    `text`, `text2` and `label`.
    Raises `BadInput` with every problem of all rows, or with the one that a file cannot be parsed.
    """
    if is_pattern(path):
        return _read_pattern(path, labels, columns)
    if not path.is_file() and archive_of(path) is None:
        raise BadInput(Problem(str(path), "", "a file", "no such file"))
    if path.suffix.lower() == ".json":
        return _read_advglue(path, _name(path), labels, task)
    return _read_file(path, read_file(path), labels, columns)


def _read_pattern(pattern: Path, labels: Sequence[str], columns: Mapping[str, str]) -> HeldOut:
    problems = Problems()
    parts: list[HeldOut] = []
    for found in find_files(pattern):
        with problems:
            part = _read_file(found.path, read_file(found.path, content=found.content), labels, columns)
            groups = tuple("/".join(filter(None, (found.part, group))) for group in part.groups)
            parts.append(replace(part, groups=groups))
    problems.raise_found()
    return HeldOut(
        name=_name(fixed_part(pattern)),
        task="",
        texts=tuple(chain.from_iterable(part.texts for part in parts)),
        labels=tuple(chain.from_iterable(part.labels for part in parts)),
        groups=tuple(chain.from_iterable(part.groups for part in parts)),
        pairs=tuple(chain.from_iterable(part.pairs for part in parts)),
    )


def _read_file(path: Path, frame: pd.DataFrame, labels: Sequence[str], columns: Mapping[str, str]) -> HeldOut:
    has = ", ".join(map(repr, frame.columns)) or "none"
    theirs = {column: named for column, named in columns.items() if named != column and named in frame.columns}
    ours = {named: column for column, named in theirs.items()}
    frame = frame.drop(columns=[*theirs], errors="ignore").rename(columns=ours)
    rows = _Rows(str(path), frame.to_dict("records"), "", theirs)
    missing = [column for column in ("text", "label") if column not in frame.columns]
    for column in missing:
        fix = "Leave its cells empty where only invariance is expected" if column == "label" else ""
        named = columns.get(column, column)
        rows.add("", f"a column {named!r}", f"only {has}" if len(frame.columns) else has, fix)
    if missing:
        raise BadInput(rows.problems)
    return _read_table(rows, _name(path), labels, set(frame.columns))


def _name(path: Path) -> str:
    return path.name.split(".")[0]


def _read_table(rows: _Rows, name: str, labels: Sequence[str], columns: set[str]) -> HeldOut:
    spelled = rows.cells("label")
    by_name = {_key(label): index for index, label in enumerate(labels)}
    by_integer = {str(index): index for index in range(len(labels))}
    named, numbered = (sum(_key(cell) in index for cell in spelled) for index in (by_name, by_integer))
    # A column is read by name or by integer, never by a mixture of both: names may be digits themselves.
    index = by_name if named and named >= numbered else by_integer
    expect = [cell.casefold() for cell in rows.cells("expect")]
    rows.check("expect", "mft or inv", [value not in ("", "mft", "inv") for value in expect])
    free = [value == "inv" or (value == "" and not cell) for value, cell in zip(expect, spelled, strict=True)]
    classes = rows.classes(index, f"{_some(labels)}, or their integers 0 to {len(labels) - 1}", free)
    groups = rows.cells("group")
    together = "pair" if "pair" in columns else "group"
    pairs = rows.cells(together)
    _check_pairs(rows, together, pairs, free)
    texts = rows.texts(("text", "text2") if "text2" in columns else ("text",))
    rows.finish()
    return HeldOut(name, "", texts, classes, tuple(groups), tuple(pairs))


def _check_pairs(rows: _Rows, column: str, pairs: Sequence[str], free: Sequence[bool]) -> None:
    """A row without a label needs others to agree with, and these must have no label either."""
    members = members_of(pairs, range(len(pairs)))
    alone = [free[row] and len(members.get(pair, ())) < 2 for row, pair in enumerate(pairs)]
    rows.check(column, "the same value in another row where there is no label", alone, "Give a label or its pair")
    mixed = [name for name, of in members.items() if len({free[row] for row in of}) > 1]
    if mixed:
        expected = "labels in all rows of a value or in none"
        rows.add(f"column {column!r}", expected, f"both in {_some(mixed)}", "Tell them apart in a column 'pair'")


def _read_advglue(path: Path, name: str, labels: Sequence[str], task: str) -> HeldOut:
    where, expected = str(path), "an object of lists of rows by task, as AdvGLUE's dev.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise BadInput(Problem(where, "", expected, one_line(error, None))) from None
    if not isinstance(data, dict) or not all(isinstance(rows, list) for rows in data.values()):
        raise BadInput(
            Problem(where, "", expected, "something else" if isinstance(data, dict) else type(data).__name__)
        )
    found = [key for key in data if not task or _task_key(key) == _task_key(task)]
    if len(found) != 1:
        wanted = f"the task {task!r}" if task else "one task, or the name of the one that is meant"
        raise BadInput(Problem(where, "", wanted, _some(list(data)) or "none"))
    known = {_task_key(each): each for each in ADVGLUE}.get(_task_key(found[0]))
    if known is None:
        raise BadInput(Problem(where, found[0], f"a task of AdvGLUE ({', '.join(ADVGLUE)})", f"{found[0]!r}"))
    rows = _Rows(where, [row if isinstance(row, dict) else {} for row in data[found[0]]], found[0])
    columns, names = ADVGLUE[known]
    order = _order(rows, names, labels)
    index = {str(integer): place for integer, place in enumerate(order)} | dict(zip(names, order))
    classes = rows.classes(index, f"{', '.join(names)}, or their integers", [False] * len(rows)) if order else ()
    texts, groups = rows.texts(columns), rows.cells("method")
    rows.finish()
    return HeldOut(name, known, texts, classes, tuple(groups), ("",) * len(texts))


def _order(rows: _Rows, names: Sequence[str], labels: Sequence[str]) -> list[int]:
    """The classifier's integer for each class of AdvGLUE's; empty where its classes are others."""
    ours = [_key(label) for label in labels]
    shared = [name for name in names if name in ours]
    if len(shared) == len(names):
        return [ours.index(name) for name in names]
    if not shared and len(ours) == len(names):
        return list(range(len(names)))
    rows.add("", f"a classifier of {', '.join(names)}", _some(labels), "Name its classes as AdvGLUE does")
    return []


class _Rows:
    """The rows of a file, and all problems found with them; rows are counted from 1."""

    def __init__(
        self,
        where: str,
        rows: Sequence[Mapping[Any, Any]],
        section: str,
        theirs: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.problems: list[Problem] = []
        self._theirs = theirs  # the file's own names of columns, by ours
        self._where = where
        self._rows = rows
        self._section = section

    def __len__(self) -> int:
        return len(self._rows)

    def cells(self, column: str) -> list[str]:
        """The values of a column, with one spelling for 1, 1.0, true and " 1 "; "" where there is none."""
        return [_spelled(row.get(column)) for row in self._rows]

    def texts(self, columns: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """One or two texts a row, without the space around them."""
        found = []
        for column in columns:
            values = [row.get(column) for row in self._rows]
            stripped = [value.strip() if isinstance(value, str) else "" for value in values]
            self.check(column, "text in every row", [not text for text in stripped])
            found.append(stripped)
        return tuple(zip(*found, strict=True))

    def classes(self, index: Mapping[str, int], expected: str, free: Sequence[bool]) -> tuple[int | None, ...]:
        """The class of every row; None where it is `free` or has a problem."""
        found = [None if skip else index.get(_key(cell)) for cell, skip in zip(self.cells("label"), free, strict=True)]
        bad = [label is None and not skip for label, skip in zip(found, free, strict=True)]
        self.check("label", expected, bad)
        return tuple(found)

    def check(self, column: str, expected: str, bad: Sequence[bool], fix: str = "") -> None:
        """Add one problem that names the `bad` rows and their values."""
        numbers = [number for number, wrong in enumerate(bad, start=1) if wrong]
        if numbers:
            values = dict.fromkeys(_shown(self._rows[number - 1].get(column)) for number in numbers)
            noun = "row" if len(numbers) == 1 else "rows"
            self.add(
                f"column {self._theirs.get(column, column)!r}",
                expected,
                f"{_some(list(values))} in {noun} {_some(map(str, numbers))}",
                fix,
            )

    def add(self, key: str, expected: str, got: str, fix: str = "") -> None:
        """Add a problem of the file, or of the section that is read."""
        self.problems.append(Problem(self._where, " ".join(filter(None, (self._section, key))), expected, got, fix))

    def finish(self) -> None:
        """Raise `BadInput` if there are no rows, or any problems."""
        if not self._rows:
            self.add("", "at least one row", "none")
        if self.problems:
            raise BadInput(self.problems)


def _absent(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _spelled(value: Any) -> str:
    if _absent(value):
        return ""
    if isinstance(value, bool | np.bool_) or (isinstance(value, float | np.floating) and float(value).is_integer()):
        return str(int(value))
    return re.sub(r"^(-?\d+)\.0+$", r"\1", str(value).strip())  # a table saves integers as floats where cells are empty


def _shown(value: Any) -> str:
    if _absent(value) or (isinstance(value, str) and not value.strip()):
        return "nothing"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."


def _key(label: str) -> str:
    return re.sub(r"[\s_-]+", "_", label.strip().casefold())


def _task_key(task: str) -> str:
    """The same key for sst2, SST-2 and adv_sst2, and for the two names of the mismatched MNLI."""
    key = re.sub(r"[^a-z0-9]", "", task.casefold()).removeprefix("adv")
    return "mnlimm" if key == "mnlimismatched" else key


def _some(items: Iterable[str]) -> str:
    listed = list(items)
    more = len(listed) - _SHOWN
    return ", ".join(listed[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
