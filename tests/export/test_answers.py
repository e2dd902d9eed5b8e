"""Answers are written as lines, CSV or JSON lines that other programs read."""

from __future__ import annotations

import csv
import io
import json

import pytest

from rosearch.export.answers import FORMS
from rosearch.export.predictions import Answer

LABELS = ("negative", "positive")
ANSWERS = [Answer(2, ('a "fine"\nfilm', "second"), "positive", (0.125, 0.875)), Answer(4, ("bad",), "negative", (1, 0))]
SCORES = [Answer(1, ("a",), "", (-2.5,))]


def test_a_line_has_a_label_and_its_probability() -> None:
    assert FORMS["lines"](LABELS, 0)(ANSWERS) == "positive\t0.875000\nnegative\t1.000000\n"
    assert FORMS["lines"](LABELS, 1)(ANSWERS[:1]) == 'positive\t0.875000\ta "fine" film\n'
    assert FORMS["lines"](("score",), 0)(SCORES) == "-2.500000\n"


@pytest.mark.parametrize("texts", [0, 1, 2])
def test_a_table_has_a_row_an_answer_and_texts_as_they_were(texts: int) -> None:
    form = FORMS["csv"](LABELS, texts)
    [row] = csv.DictReader(io.StringIO(form.head + form(ANSWERS[:1])))
    expected = {"line": "2", "label": "positive", "probability": "0.875000", "negative": "0.125000"}
    shown = dict(zip(("text", "text_pair")[:texts], ANSWERS[0].texts, strict=False))
    assert row == {**expected, "positive": "0.875000", **shown}


def test_an_object_of_json_lines_has_the_probability_of_each_label() -> None:
    row = json.loads(FORMS["jsonl"](LABELS, 2)(ANSWERS[:1]))
    assert row["line"] == 2 and row["probabilities"] == {"negative": 0.125, "positive": 0.875}
    assert row["text"] == 'a "fine"\nfilm' and row["text_pair"] == "second"
    assert json.loads(FORMS["jsonl"](("score",), 0)(SCORES)) == {"line": 1, "score": -2.5}
    form = FORMS["csv"](("score",), 0)
    assert form.head + form(SCORES) == "line,score\n1,-2.500000\n"
