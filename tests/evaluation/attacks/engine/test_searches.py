"""Searches as generators, one question at a time: cases that the equality tests do not name."""

from typing import Any

import numpy as np
import pytest
from evaluation.attacks.attacked_case import Case, Cases
from evaluation.attacks.attacked_texts import single_rows

from rosearch.evaluation.attacks.engine.searches import Answers, Embed, Found, search


def run(made: Case, place: int, score: Any, budget: int | None = None) -> tuple[Found, list[list[str]]]:
    """A search whose questions are answered by `score(text) -> (score, flipped)`."""
    asking = search(made.rows[place], made.form, made.tokens, budget)
    asked, answer = [], None
    while True:
        try:
            question = asking.send(answer)
        except StopIteration as end:
            return end.value, asked
        if isinstance(question, Embed):
            answer = made.form.encoder.encode(question.texts)
            continue
        asked.append([query.text for query in question])
        scores, flipped = zip(*(score(text) for text in asked[-1]), strict=True)
        answer = Answers(np.array(scores, np.float32), np.array(flipped, np.bool_))


@pytest.fixture
def made(case: Cases) -> Case:
    return case("synonym-swap", single_rows(44)[32:])


def test_a_misclassified_row_is_asked_once(made: Case) -> None:
    found, asked = run(made, 0, lambda text: (0.9, True))
    assert (found.queries, found.flipped, found.walk.swaps) == (1, True, [])
    assert asked == [["\n".join(made.rows[0].texts)]]


def test_where_nothing_raises_the_score_nothing_is_swapped(made: Case) -> None:
    found, asked = run(made, 0, lambda text: (0.2, False))
    row = made.rows[0]
    assert (found.flipped, found.walk.swaps, found.exhausted) == (False, [], False)
    assert found.queries == 1 + len(row.order) + sum(map(len, row.candidates)) == sum(map(len, asked))


def test_the_first_text_of_equal_scores_is_taken(made: Case) -> None:
    texts = set(made.rows[0].texts)
    found, asked = run(made, 0, lambda text: (0.1, False) if text in texts else (0.4, False))
    (first, *_) = [question for question in asked[2:] if question]
    assert first == sorted(first)
    assert len(found.walk.swaps) == 1  # nothing after it is better


def test_a_spent_budget_ends_the_search_and_says_so(made: Case) -> None:
    for budget in range(1, 12):
        found, asked = run(made, 0, lambda text: (len(text) / 1e4, False), budget)
        assert (found.queries, found.exhausted) == (budget, True)
        assert sum(map(len, asked)) == budget
