import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from evaluation.attacks.attacked_case import Case, Cases
from evaluation.attacks.attacked_texts import NASTY, pair_rows, reviews, single_rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rosearch.evaluation.attacks.engine.plan import PlanRow
from rosearch.evaluation.attacks.engine.tokens import Tokens
from rosearch.evaluation.attacks.engine.walk import SplitText, Walk, words_around
from rosearch.evaluation.attacks.stock.rows import attacked_text


@pytest.fixture(params=["single", "pairs"])
def walked(request: pytest.FixtureRequest, case: Cases) -> Case:
    """Its candidates have spaces; some rows are longer than the model takes."""
    rows = single_rows(50) if request.param == "single" else pair_rows(40)
    return case("textbugger-lite", rows)


def take_some(walk: Walk, row: PlanRow, draw: Any) -> None:
    """Random swaps of words that are still there, in random order."""
    for _ in range(draw(st.integers(0, 6))):
        slots = [slot for slot, word in enumerate(walk.slots) if word >= 0 and row.candidates[word]]
        if not slots:
            return
        slot = draw(st.sampled_from(slots))
        walk.take(slot, draw(st.sampled_from(row.candidates[walk.slots[slot]])))


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_after_any_swaps_all_is_as_if_made_from_the_text_alone(walked: Case, data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(walked.rows))
    walk = Walk(row, walked.tokens)
    take_some(walk, row, data.draw)
    assert "\n".join(walk.columns) == walk.text
    assert walk.words == attacked_text(walked.textattack, walk.columns).words
    for word, candidates in enumerate(row.candidates):
        if word not in walk.slots:
            continue
        start = walk.start_of(word)
        assert walk.text[start : start + len(row.words[word])] == row.words[word]
        for candidate in candidates[:2]:
            query = walk.query(word, candidate)
            assert query.text == walk.swapped(word, candidate)
            ids, tail = query.token_ids(walked.tokens)
            whole, own = walked.tokens.whole(columns_of(walk, word, candidate))
            assert ids == whole
            assert tail == own


def columns_of(walk: Walk, word: int, candidate: str) -> tuple[str, ...]:
    """The texts with a swap more, by taking it in another walk over the same swaps."""
    other = Walk(walk.row, walk._tokens)
    for slot, taken in walk.swaps:
        other.take(slot, taken)
    other.take(other.slots.index(word), candidate)
    return other.columns


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_swaps_are_those_of_textattack(walked: Case, data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(walked.rows))
    walk = Walk(row, walked.tokens)
    take_some(walk, row, data.draw)
    text = attacked_text(walked.textattack, row.texts)
    for slot, candidate in walk.swaps:
        text = text.replace_word_at_index(slot, candidate)
    assert text.text == walk.text
    assert {slot for slot, word in enumerate(walk.slots) if word < 0} == text.attack_attrs["modified_indices"]
    columns = text.tokenizer_input
    assert walk.columns == ((columns,) if isinstance(columns, str) else columns)


def test_without_exact_pieces_the_tokenizer_is_asked(walked: Case) -> None:
    tokens = Tokens(walked.victim.tokenizer, walked.victim.max_length)
    tokens.exact = False
    for row in walked.rows[30:]:
        walk, exact = Walk(row, tokens), Walk(row, walked.tokens)
        for word, candidates in enumerate(row.candidates):
            for candidate in candidates[:1]:
                mine, theirs = walk.query(word, candidate), exact.query(word, candidate)
                assert mine.text == theirs.text
                assert mine.token_ids(tokens) == theirs.token_ids(walked.tokens)


def test_the_pieces_of_single_swaps_are_all_that_a_first_step_asks_for(case: Cases, cache: Path) -> None:
    made = case("deepwordbug", single_rows(44)[32:])
    tokens = Tokens(made.victim.tokenizer, 512)
    for row in made.rows:
        walk = Walk(row, tokens)
        tokens.learn(walk.pieces_of_swaps())
        tokens.tokenizer = None  # no further question is needed
        for word, candidates in enumerate(row.candidates):
            for candidate in candidates:
                walk.query(word, candidate)
        tokens.tokenizer = made.victim.tokenizer


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 15, math.inf])
def test_the_words_around_a_swap_are_those_of_textattacks_window(size: float, textattack: ModuleType) -> None:
    for text in [*NASTY, *reviews(8)]:
        attacked = textattack.shared.AttackedText(text)
        words = attacked.words
        for index in range(len(words) + 2 if words else 0):  # after a swap an index may be past the original's end
            expected = attacked.text_window_around_index(index, size)
            assert words_around(SplitText(text, words), index, size) == expected
