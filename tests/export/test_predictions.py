"""Answers come in the order of the rows, as many at a time as are asked for, and nothing is read ahead of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from export.exported import TEMPERATURE, exported

from rosearch.errors import BadInput, Problem, RosearchError
from rosearch.export.predictions import Classifier, open_classifier, windows

TEXTS = ["a very good film", "bad", "good " * 30, "text film", "a"]
ROWS = [(number, (text,)) for number, text in enumerate(TEXTS, start=1)]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return open_classifier(exported(tmp_path_factory.mktemp("predictions")))


def test_answers_follow_the_rows_whatever_batches_they_are_asked_in(classifier: Classifier) -> None:
    alone = [answer for found in classifier.answers(ROWS, 1, 1) for answer in found]
    together = [answer for found in classifier.answers(ROWS, 2, 4) for answer in found]
    assert [answer.number for answer in together] == [1, 2, 3, 4, 5]
    assert [answer.texts for answer in together] == [row[1] for row in ROWS]
    assert [answer.label for answer in together] == [answer.label for answer in alone]
    np.testing.assert_allclose([answer.values for answer in together], [answer.values for answer in alone], atol=1e-6)


def test_probabilities_are_those_of_logits_over_the_temperature_of_the_folder(classifier: Classifier) -> None:
    assert classifier.temperature == TEMPERATURE
    logits = classifier.runner.logits([ROWS[0][1]])[0]
    powers = np.exp(logits / TEMPERATURE)
    [[answer]] = classifier.answers(ROWS[:1])
    np.testing.assert_allclose(answer.values, powers / powers.sum(), atol=1e-9)
    assert answer.value == max(answer.values) and answer.label == classifier.facts.labels[int(logits.argmax())]


def test_a_regression_answers_with_its_score(tmp_path: Path) -> None:
    regression = open_classifier(exported(tmp_path, labels=(), problem="regression"))
    [[answer]] = regression.answers(ROWS[:1])
    assert answer.label == "" and answer.values == (regression.runner.logits([ROWS[0][1]])[0, 0],)


def test_rows_are_asked_for_when_their_answers_are(classifier: Classifier) -> None:
    taken: list[int] = []

    def rows() -> Iterator[tuple[int, tuple[str, ...]]]:
        for row in ROWS * 100:
            taken.append(row[0])
            yield row

    answers = classifier.answers(rows(), 2, 2)
    next(answers)
    assert len(taken) == 2


def test_rows_before_an_error_are_answered_first() -> None:
    def rows() -> Iterator[tuple[int, tuple[str, ...]]]:
        yield ROWS[0]
        raise BadInput(Problem("file", "line 2", "a text", "none"))

    found = windows(rows(), 32)
    assert next(found) == [ROWS[0]]
    with pytest.raises(BadInput, match="line 2"):
        next(found)


def test_a_window_of_long_texts_holds_fewer_of_them() -> None:
    long = (1, ("x" * (1 << 21),))
    assert [len(held) for held in windows([long] * 7, 32)] == [3, 3, 1]


def test_a_pair_for_a_classifier_of_single_texts_and_logits_that_are_no_numbers_are_told(
    classifier: Classifier,
) -> None:
    with pytest.raises(BadInput, match=r"line 7: expected one text, got a pair. Name its column by --text alone"):
        next(classifier.answers([(7, ("a", "b"))]))
    pairs = replace(classifier, facts=replace(classifier.facts, texts=2))
    with pytest.raises(BadInput, match=r"expected a pair of texts, got one text. Name the columns by --text and"):
        next(pairs.answers(ROWS))
    broken = replace(classifier, runner=replace(classifier.runner, run=lambda given: np.full((1, 2), np.nan)))
    with pytest.raises(RosearchError, match="hf: its logits are not finite"):
        next(broken.answers(ROWS[:1]))
