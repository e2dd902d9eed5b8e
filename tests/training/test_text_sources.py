from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from Levenshtein import distance

from rosearch.training.text_sources import (
    Characters,
    Listed,
    OtherWords,
    Source,
    perturb,
    replaced,
    words_of,
)

LISTED = Listed(lambda word: {"good": ["fine", "Good", "very good", "nice"], "film": []}.get(word, []))


@given(st.text("abcdefgh", min_size=2, max_size=8), st.integers(0, 2**32))
def test_a_misspelt_word_is_one_edit_away(word: str, seed: int) -> None:
    made = Characters().draw(word, np.random.default_rng(seed))
    assert made is None or (made != word and (distance(word, made) == 1 or sorted(made) == sorted(word)))


def test_all_four_edits_occur() -> None:
    rng = np.random.default_rng(1)
    made = [Characters().draw("word", rng) or "word" for _ in range(200)]
    assert {len(other) for other in made} == {3, 4, 5}
    assert any(sorted(other) == sorted("word") and other != "word" for other in made)


def test_what_is_no_single_other_word_is_left_out() -> None:
    assert LISTED.candidates("good") == ("fine", "nice")
    assert LISTED.draw("film", np.random.default_rng(1)) is None


def test_only_chosen_words_change_and_all_else_stays() -> None:
    text = "A Good film, it's good!!  (good)"
    rng = np.random.default_rng(3)
    made = {perturb(text, LISTED, 0.5, rng) for _ in range(50)}
    assert all(len(words_of(other)) == len(words_of(text)) for other in made)
    assert all(
        other.replace("fine", "*").replace("nice", "*").lower().replace("good", "*") == "a * film, it's *!!  (*)"
        for other in made
    )
    assert len(made) > 5


def test_the_share_of_words_is_as_asked() -> None:
    text = " ".join(["good"] * 1000)
    rng = np.random.default_rng(1)
    changed = sum(word != "good" for word in perturb(text, LISTED, 0.3, rng).split())
    assert 240 < changed < 360


@pytest.mark.parametrize("source", [Characters(), Listed(lambda _: ["other"])])
def test_no_source_changes_a_stop_word(source: Source) -> None:
    rng = np.random.default_rng(1)
    made = {perturb("It is not a good film", source, share, rng) for share in (0.0, 0.5, 1.0) for _ in range(50)}
    assert len(made) >= 3
    assert all(text.startswith("It is not a ") for text in made)
    assert perturb("it is not", source, 1.0, rng) == "it is not"


@pytest.mark.parametrize("text", ["", " ... 12", "a"])
def test_a_text_without_anything_to_change_stays(text: str) -> None:
    assert perturb(text, Characters(), 1.0, np.random.default_rng(1)) == text


def test_other_words_come_from_the_texts_and_stop_words_come_and_go() -> None:
    source = OtherWords([("it is not",), ("a dull plot",)])
    made = {perturb("it is fine", source, 0.3, np.random.default_rng(seed)) for seed in range(300)}
    assert {word for text in made for word in text.split()} == {"it", "is", "not", "a", "dull", "plot", "fine"}
    assert {"it is not fine", "it  fine", "it is plot"} <= made  # one comes, one goes, one becomes another


def test_other_words_of_texts_without_words_change_nothing() -> None:
    assert perturb("it is fine", OtherWords([("...",)]), 1.0, np.random.default_rng(1)) == "it is fine"


def test_words_are_replaced_where_they_stand() -> None:
    text = "one two one"
    first, _, last = words_of(text)
    assert replaced(text, [(first, "three"), (last, "")]) == "three two "
