"""Reading held-out sets: AdvGLUE's JSON, contrast sets and CheckList suites, one file or one for each language.

CSV, TSV, JSON lines and Parquet have the columns that `rosearch attack --task` finds (`text`, `sentence1` and
`sentence2`, ...) and `label`, and may have:

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

A set whose labels mean something else than the classifier's classes is refused, unless the user names its task.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from rosearch.data.columns import COLUMNS_BY_NAME, Columns, column_problems
from rosearch.data.files import read_file
from rosearch.data.labels import match_name, read_labels, spelled
from rosearch.data.patterns import archive_of, find_files, fixed_part, is_pattern
from rosearch.data.text_stream import parse_data
from rosearch.errors import BadInput, Problem, Problems, one_line
from rosearch.evaluation.heldout import HeldOut, members_of
from rosearch.evaluation.heldout_rows import DROP, Rows, complete, some
from rosearch.models.heads import are_named

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


# Columns that tell what the integers beside them mean; `sentence` and `sentence1` belong to several tasks.
_MEANINGS = {ADVGLUE[task][0]: task for task in ("mnli", "qnli", "qqp")}


@dataclass(frozen=True)
class Wanted:
    """The classes of the classifier, in the order of its outputs, and what a user says of a set."""

    labels: Sequence[str]
    task: str = ""  # of AdvGLUE: picks one where a file has several
    meant: bool = False  # `task` is the user's word that the labels are the classifier's
    columns: Columns = COLUMNS_BY_NAME
    drop: bool = False  # leave out rows without a text, or without a label where they need one

    @property
    def spelled(self) -> str:
        """The expected labels, in words."""
        return f"{some(self.labels)}, or their integers 0 to {len(self.labels) - 1}"


def read_held_out(path: Path, wanted: Wanted) -> HeldOut:
    """Read a set for a classifier.

    The suffix tells the format: .json is AdvGLUE's, the others are those of `rosearch.data.files`. A pattern of tables
    is one set. Labels are names in any case, or integers. AdvGLUE's integers are mapped by name where the classifier
    has the same names (MNLI's come in several orders). Other labels are taken in their order, where the classifier's
    classes have no names or `wanted` says that they are meant. Raises `BadInput` with every problem of all rows, or
    with the one that a file cannot be parsed.
    """
    if is_pattern(path):
        return _read_pattern(path, wanted)
    if not path.is_file() and archive_of(path) is None:
        raise BadInput(Problem(str(path), "", "a file", "no such file"))
    if path.suffix.lower() == ".json":
        return _read_advglue(path, _name(path), wanted)
    return _read_file(path, read_file(path), wanted)


def _read_pattern(pattern: Path, wanted: Wanted) -> HeldOut:
    problems = Problems()
    parts: list[HeldOut] = []
    for found in find_files(pattern):
        with problems:
            part = _read_file(found.path, read_file(found.path, content=found.content), wanted)
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
        columns=tuple(dict.fromkeys(chain.from_iterable(part.columns for part in parts))),
        numbered=any(part.numbered for part in parts),
        dropped=sum(part.dropped for part in parts),
    )


def _read_file(path: Path, frame: pd.DataFrame, wanted: Wanted) -> HeldOut:
    where, has, named, problems = str(path), list(frame.columns), wanted.columns, Problems()
    label = named.label if named.label in has or "label" not in has else "label"
    own = named if named.text in has else Columns(label=label)
    texts: tuple[str, ...] = ()
    with problems:
        texts = own.texts(where, has)
    there = [column for column in ("group", "pair", "expect") if column in has]
    fix = "Name it with --label; in a set that only expects invariance, add one whose cells are empty"
    problems.add(*column_problems(where, frame, (*texts, *there)), *column_problems(where, frame, (label,), fix))
    problems.raise_found()
    rows = frame.to_dict("records")
    kept = complete(rows, texts, label) if wanted.drop else rows
    found = _read_table(Rows(where, kept, ""), _name(path), texts, label, wanted)
    return replace(found, dropped=len(rows) - len(kept))


def _name(path: Path) -> str:
    return path.name.split(".")[0]


def _read_table(rows: Rows, name: str, texts: tuple[str, ...], label: str, wanted: Wanted) -> HeldOut:
    labelled = [bool(cell) for cell in rows.cells(label)]
    expect = [cell.casefold() for cell in rows.cells("expect")]
    rows.check("expect", "mft or inv", [value not in ("", "mft", "inv") for value in expect])
    free = [value == "inv" or not (value or given) for value, given in zip(expect, labelled, strict=True)]
    classes = _table_classes(rows, texts, label, free, wanted)
    groups = rows.cells("group")
    together = "pair" if rows.has("pair") else "group"
    pairs = rows.cells(together)
    _check_pairs(rows, together, pairs, free)
    found = rows.texts(texts)
    rows.finish()
    return HeldOut(name, "", found, classes, tuple(groups), tuple(pairs), (*texts, label), rows.numbered)


def _table_classes(
    rows: Rows, texts: tuple[str, ...], label: str, free: Sequence[bool], wanted: Wanted
) -> tuple[int | None, ...]:
    """The classes by the classifier's names or integers; by the names of the task that a user says is meant."""
    values = [None if skip else value for value, skip in zip(rows.values(label), free, strict=True)]
    theirs = read_labels(values, wanted.labels, by_name_alone=True)
    by_name = any(place is not None for place in theirs.classes)
    if wanted.meant and not by_name and (task := known_task(wanted.task)):
        names, order = ADVGLUE[task][1], _order(rows, task, wanted)
        told = f"{', '.join(names)}, or their integers"
        return rows.classes(label, names, told, free, order) if order else (None,) * len(values)
    meaning = _MEANINGS.get(texts)
    if meaning and not by_name and are_named(wanted.labels) and not any(_shared(meaning, wanted)):
        _order(rows, meaning, wanted)
        return (None,) * len(values)
    fitting = [task for task in ADVGLUE if _fits(values, task, wanted)]
    fitting.sort(key=lambda task: ADVGLUE[task][0] != texts)
    fix = f"They are labels of {fitting[0]}: {_MEANT.format(fitting[0])}" if fitting else ""
    return rows.classes(label, wanted.labels, wanted.spelled, free, fix=fix)


def _shared(task: str, wanted: Wanted) -> list[bool]:
    """True for each class of a task of AdvGLUE that the classifier has."""
    return [match_name(name, wanted.labels) is not None for name in ADVGLUE[task][1]]


def _fits(values: Sequence[Any], task: str, wanted: Wanted) -> bool:
    """True where all labels are names of a task of AdvGLUE that has as many classes as the classifier."""
    if len(ADVGLUE[task][1]) != len(wanted.labels):
        return False
    cells = [value for value in values if spelled(value)]
    return bool(cells) and None not in read_labels(cells, ADVGLUE[task][1], by_name_alone=True).classes


def _check_pairs(rows: Rows, column: str, pairs: Sequence[str], free: Sequence[bool]) -> None:
    """A row without a label needs others to agree with, and these must have no label either."""
    members = members_of(pairs, range(len(pairs)))
    alone = [free[row] and len(members.get(pair, ())) < 2 for row, pair in enumerate(pairs)]
    rows.check(
        column, "the same value in another row where there is no label", alone, f"Give a label or its pair; {DROP}"
    )
    mixed = [name for name, of in members.items() if len({free[row] for row in of}) > 1]
    if mixed:
        expected = "labels in all rows of a value or in none"
        rows.add(f"column {column!r}", expected, f"both in {some(mixed)}", "Tell them apart in a column 'pair'")


def _read_advglue(path: Path, name: str, wanted: Wanted) -> HeldOut:
    where, expected = str(path), "an object of lists of rows by task, as AdvGLUE's dev.json"
    try:
        data = parse_data(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise BadInput(Problem(where, "", expected, one_line(error))) from None
    if not isinstance(data, dict) or not all(isinstance(rows, list) for rows in data.values()):
        raise BadInput(
            Problem(where, "", expected, "something else" if isinstance(data, dict) else type(data).__name__)
        )
    task = wanted.task
    found = [key for key in data if not task or _task_key(key) == _task_key(task)]
    if len(found) != 1:
        expected = f"the task {task!r}" if task else "one task, or the name of the one that is meant (--suite-task)"
        raise BadInput(Problem(where, "", expected, some(list(data)) or "none"))
    known = known_task(found[0])
    if not known:
        raise BadInput(Problem(where, found[0], f"a task of AdvGLUE ({', '.join(ADVGLUE)})", f"{found[0]!r}"))
    columns, names = ADVGLUE[known]
    there = [row if isinstance(row, dict) else {} for row in data[found[0]]]
    kept = complete(there, columns, "label") if wanted.drop else there
    rows = Rows(where, kept, found[0])
    order = _order(rows, known, wanted)
    told = f"{', '.join(names)}, or their integers"
    classes = rows.classes("label", names, told, [False] * len(rows), order) if order else ()
    texts, groups = rows.texts(columns), rows.cells("method")
    rows.finish()
    alone, dropped = ("",) * len(texts), len(there) - len(kept)
    return HeldOut(name, known, texts, classes, tuple(groups), alone, (*columns, "label"), dropped=dropped)


def _order(rows: Rows, task: str, wanted: Wanted) -> list[int]:
    """The classifier's integer for each class of a task of AdvGLUE's; empty where its classes are others."""
    names, ours = ADVGLUE[task][1], wanted.labels
    places = [match_name(name, ours) for name in names]
    shared = [place for place in places if place is not None]
    if len(set(shared)) == len(names):
        return shared
    others = not shared and len(ours) == len(names)
    if others and (wanted.meant or not are_named(ours)):
        return list(range(len(names)))
    fix = _MEANT.format(task) if others else "Name its classes as AdvGLUE does"
    rows.add("", f"a classifier of {', '.join(names)}", some(ours), fix)
    return []


_MEANT = "give --suite-task {0} if they are meant as the model's classes, in that order"


def known_task(task: str) -> str:
    """The name of a task of AdvGLUE as it stands in `ADVGLUE`; "" where it is none."""
    return {_task_key(each): each for each in ADVGLUE}.get(_task_key(task), "")


def _task_key(task: str) -> str:
    """The same key for sst2, SST-2 and adv_sst2, and for the two names of the mismatched MNLI."""
    key = re.sub(r"[^a-z0-9]", "", task.casefold()).removeprefix("adv")
    return "mnlimm" if key == "mnlimismatched" else key
