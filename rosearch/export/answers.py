"""Answers as text: lines, CSV or JSON lines, in pieces that can be written one after the other.

>>> write = FORMS["csv"](labels=("negative", "positive"), texts=0)
>>> write.head, write([Answer(1, ("a fine film",), "positive", (0.1, 0.9))])
('line,label,probability,negative,positive\\n', '1,positive,0.900000,0.100000,0.900000\\n')
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from rosearch.errors import safe
from rosearch.export.predictions import Answer

_DIGITS = 6
_NAMES = ("text", "text_pair")


class Form(Protocol):
    """One way to write answers; made of the labels, and of how many texts stand beside each answer.

    `head` stands before the first.
    """

    head: str

    def __call__(self, answers: Sequence[Answer]) -> str:
        """The text of some answers, which ends with a line break."""


class _Lines:
    """A label and its probability, or a score, with tabs between them; one answer a line."""

    def __init__(self, labels: Sequence[str], texts: int) -> None:
        self.head, self._texts = "", texts

    def __call__(self, answers: Sequence[Answer]) -> str:
        return "".join("\t".join(map(_cell, self._cells(answer))) + "\n" for answer in answers)

    def _cells(self, answer: Answer) -> list[str]:
        label = [answer.label] if answer.label else []
        return [*label, _figure(answer.value), *answer.texts[: self._texts]]


class _Csv:
    """The number of each line, its label and the probability of each; or its score."""

    def __init__(self, labels: Sequence[str], texts: int) -> None:
        self._texts = texts
        answer = ("score",) if len(labels) == 1 else ("label", "probability", *labels)
        self.head = _csv_text([("line", *answer, *_NAMES[:texts])])
        self._labels = labels

    def __call__(self, answers: Sequence[Answer]) -> str:
        return _csv_text([self._row(answer) for answer in answers])

    def _row(self, answer: Answer) -> list[object]:
        label = [answer.label, _figure(answer.value)] if answer.label else []
        return [answer.number, *label, *map(_figure, answer.values), *answer.texts[: self._texts]]


class _JsonLines:
    """An object a line: `line`, `label`, `probability`, `probabilities` by label; or `line` and `score`."""

    def __init__(self, labels: Sequence[str], texts: int) -> None:
        self.head, self._labels, self._texts = "", labels, texts

    def __call__(self, answers: Sequence[Answer]) -> str:
        return "".join(json.dumps(self._row(answer)) + "\n" for answer in answers)

    def _row(self, answer: Answer) -> dict[str, Any]:
        values = [round(value, _DIGITS) for value in answer.values]
        told: dict[str, Any] = {"score": values[0]}
        if answer.label:
            shares = dict(zip(self._labels, values, strict=True))
            told = {"label": answer.label, "probability": max(values), "probabilities": shares}
        return {"line": answer.number, **told, **dict(zip(_NAMES, answer.texts[: self._texts], strict=False))}


def _figure(value: float) -> str:
    return f"{value:.{_DIGITS}f}"


def _cell(text: str) -> str:
    return safe(" ".join(text.split()))


def _csv_text(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


FORMS: dict[str, Callable[[Sequence[str], int], Form]] = {"lines": _Lines, "csv": _Csv, "jsonl": _JsonLines}
