"""Answers of an exported folder to a stream of texts: classes with probabilities, or scores.

>>> classifier = open_classifier(Path("student"))
>>> for answers in classifier.answers([(1, ("a fine film",)), (2, ("a dull one",))]):
...     print([answer.label for answer in answers])
['positive', 'negative']

Rows are asked for when their answers are: whoever reads the answers slowly slows the reading of the rows, and only one
window of them is held.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rosearch.errors import BadInput, Problem, RosearchError
from rosearch.export.facts import Facts, read_facts
from rosearch.export.runners import Runner, choose_target, open_runner
from rosearch.models.engines import Array

Row = tuple[int, tuple[str, ...]]  # a number, and one or two texts
_MOST_LETTERS = 1 << 22  # of a window


@dataclass(frozen=True)
class Answer:
    """The answer to one row."""

    number: int
    texts: tuple[str, ...]
    label: str  # the likeliest class; "" of a regression
    values: tuple[float, ...]  # a probability for each label, in their order; of a regression the score alone

    @property
    def value(self) -> float:
        """The probability of the label, or the score."""
        return max(self.values)


@dataclass(frozen=True)
class Classifier:
    """A folder in one format. Logits are divided by `temperature` before they become probabilities."""

    facts: Facts
    runner: Runner
    temperature: float = 1.0

    def answers(self, rows: Iterable[Row], batch: int = 32, window: int = 32) -> Iterator[list[Answer]]:
        """Lists of answers in the order of the rows, one for each `window` of rows, asked in batches of like length.

        An error of `rows` is raised once all rows before it are answered. Raises `BadInput` for a pair where the
        classifier reads single texts, and the other way round.
        """
        for held in windows(rows, window):
            self._check(held)
            order = sorted(range(len(held)), key=lambda place: sum(map(len, held[place][1])))
            values: dict[int, Array] = {}
            for start in range(0, len(order), batch):
                places = order[start : start + batch]
                values.update(zip(places, self._values([held[place][1] for place in places]), strict=True))
            yield [self._answer(row, values[place]) for place, row in enumerate(held)]

    def _check(self, rows: Sequence[Row]) -> None:
        wanted = self.facts.texts
        if wrong := [number for number, texts in rows if wanted not in (None, len(texts))]:
            expected, got = ("a pair of texts", "one text") if wanted == 2 else ("one text", "a pair")
            fix = "Name the columns by --text and --text-pair" if wanted == 2 else "Name its column by --text alone"
            raise BadInput(Problem("rows", f"line {wrong[0]}", expected, got, fix))

    def _values(self, rows: Sequence[tuple[str, ...]]) -> Array:
        """(rows, labels) probabilities, or scores."""
        logits = self.runner.logits(rows)
        if not np.isfinite(logits).all():
            raise RosearchError(f"{self.runner.target}: its logits are not finite")
        if self.facts.is_regression:
            return logits
        powers = np.exp((logits - logits.max(axis=1, keepdims=True)) / self.temperature)
        shares: Array = powers / powers.sum(axis=1, keepdims=True)
        return shares

    def _answer(self, row: Row, values: Array) -> Answer:
        label = "" if self.facts.is_regression else self.facts.labels[int(values.argmax())]
        return Answer(*row, label, tuple(values.tolist()))


def open_classifier(folder: Path, target: str = "auto", temperature: float | None = None) -> Classifier:
    """The classifier in a folder, in a format that lies there; without a `temperature`, with that of the folder.

    Raises `BadInput` for a folder that cannot answer, `MissingResource` where a package is not installed.
    """
    facts = read_facts(folder)
    runner = open_runner(folder, choose_target(folder, target), facts)
    return Classifier(facts, runner, temperature or facts.temperature or 1.0)


def windows(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """At most `size` rows at a time, fewer where they are long; those before an error of `rows` come before it."""
    held: list[Row] = []
    letters = 0
    try:
        for row in rows:
            held.append(row)
            letters += sum(map(len, row[1]))
            if len(held) >= size or letters > _MOST_LETTERS:
                yield held
                held, letters = [], 0
    except RosearchError:
        if held:
            yield held
        raise
    if held:
        yield held
