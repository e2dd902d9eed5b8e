from __future__ import annotations

import pytest

from rosearch.encodings.apart import listed_apart, words_apart
from rosearch.evaluation.invariance import KINDS
from rosearch.resources.word_lists import stop_words

SENSES = {
    "einstein": [["Einstein", "Albert_Einstein"]],
    "hopkinses": [["Hopkins"], ["Hopkins"]],
    "nice": [["Nice"], ["nice"]],
    "led": [["LED"], ["lead"]],
    "film": [["film"]],
}


def apart(word: str) -> bool:
    return word in words_apart([word], lambda word: SENSES.get(word, []), frozenset({"jorge", "film", "km"}))


@pytest.mark.parametrize(
    "word",
    ["buddhist", "muslims", "nigerian", "paris", "amina", "smith", "gay", "women", "seven", "millions", "friday"],
)
def test_a_listed_word_stays_apart_without_any_resource(word: str) -> None:
    assert words_apart([word]) == {word}


def test_a_name_of_wordnet_stays_apart_and_a_word_with_another_sense_does_not() -> None:
    assert apart("einstein")
    assert not apart("nice") and not apart("led") and not apart("film")


def test_a_whole_piece_that_wordnet_does_not_know_stays_apart() -> None:
    assert apart("jorge")
    assert not apart("jorje") and not apart("km")  # no piece; too short


def test_names_have_no_plurals_but_other_listed_words_do() -> None:
    assert {"mark", "buddhist", "buddhists"} <= listed_apart()
    assert not {"marks", "grants", "wills"} & listed_apart()


def test_the_list_is_lower_case_words_and_no_stop_words() -> None:
    assert all(word.isalpha() and word == word.lower() for word in listed_apart())
    assert not listed_apart() & stop_words()


def test_every_word_that_invariance_exchanges_stays_apart() -> None:
    assert {word.lower() for _, words in KINDS.values() for word in words.split()} <= listed_apart()
