"""Texts that stand twice: in two splits, or with two labels.

What a student has seen in training says nothing about it on the test split, and two answers to one text teach neither.

>>> shared_rows(task)
{('test', 'train'): 0, ('validation', 'train'): 3, ('test', 'validation'): 0}
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from rosearch.data.tasks import Split, Task
from rosearch.errors import Problem, shown

Shared = Mapping[tuple[str, str], int]

_TEXTS = ("text stands in the rows", "texts stand in the rows")
_PAIRS = (("test", "train"), ("validation", "train"), ("test", "validation"), ("test", "unlabelled"))


def shared_rows(task: Task) -> Shared:
    """How many rows of the first of two splits have the text of a row of the second, whatever their labels.

    Texts that differ in case and blanks alone are the same. Unlabelled rows are a split where there are any.
    """
    splits = {name: getattr(task, name) for name in ("train", "validation", "test", "unlabelled")}
    texts = {name: _texts(split) for name, split in splits.items() if split is not None}
    known = {name: frozenset(found) for name, found in texts.items()}
    pairs = [(one, other) for one, other in _PAIRS if other in texts]
    return {(one, other): sum(text in known[other] for text in texts[one]) for one, other in pairs}


def leak_problems(task: Task, shared: Shared, where: str) -> list[Problem]:
    """The problem of test rows that are training rows too; none where there are none."""
    if not (rows := shared["test", "train"]):
        return []
    others = shared_in_words(task, {pair: count for pair, count in shared.items() if pair != ("test", "train")})
    share = f"{rows:,} of {len(task.test):,} ({rows / len(task.test):.1%})" + (f"; besides, {others}" if others else "")
    fix = (
        "They would flatter every student. Take them out of the training file, or keep them and say so: "
        "task.on_shared_rows: keep"
    )
    return [Problem(where, "task.on_shared_rows", "test rows that are no training rows", share, fix)]


def shared_in_words(task: Task, shared: Shared) -> str:
    """The rows that stand in two splits, counted; "" where there are none."""
    told = [
        f"{rows:,} of {len(getattr(task, one)):,} {one} rows are {other} rows too"
        for (one, other), rows in shared.items()
        if rows
    ]
    return "; ".join(told)


def contradictions_in_words(task: Task) -> str:
    """The texts of a split that stand there with more than one label, counted, with an example; "" where none does."""
    told = []
    for name in ("train", "validation", "test") if task.labels else ():
        split: Split = getattr(task, name)
        labels: dict[tuple[str, ...], set[int]] = defaultdict(set)
        for text, label in zip(_texts(split), split.labels.tolist(), strict=True):
            labels[text].add(label)
        if found := [text for text, given in labels.items() if len(given) > 1]:
            names = ", ".join(task.labels[label] for label in sorted(labels[found[0]]))
            example = f"{shown(' / '.join(found[0]), 60)} ({names})"
            told.append(
                f"{len(found):,} {_TEXTS[len(found) > 1]} of {name} with more than one label, such as {example}"
            )
    return "; ".join(told)


def _texts(split: Split) -> list[tuple[str, ...]]:
    return [tuple(" ".join(text.split()).casefold() for text in row) for row in split.texts]
