from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosearch.encodings.synonyms import synonym_codes

NEIGHBOURS = {"good": ["nice", "fine"], "nice": ["good", "lovely"], "bad": ["awful"], "awful": ["bad", "horrid"]}
COUNTS = {"good": 9, "bad": 8, "nice": 5, "film": 70, "movie": 60, "the": 900}
SYNONYMS = {"movie": ["film", "flick"]}


def code(word: str, **settings: float) -> str:
    return synonym_codes(COUNTS, NEIGHBOURS, lambda word: SYNONYMS.get(word, []), **settings).get(word, word)


def test_the_most_frequent_word_of_a_cluster_speaks_for_it() -> None:
    assert {code(word) for word in ("good", "nice", "fine")} == {"good"}
    assert {code(word) for word in ("bad", "awful")} == {"bad"}


def test_a_word_with_a_code_hands_on_nothing_of_its_own() -> None:
    assert code("lovely") == "lovely"  # known through `nice` alone, which is read as `good`
    assert code("horrid") == "horrid"


def test_a_word_far_rarer_than_a_synonym_is_read_as_that() -> None:
    assert code("flick") == "movie"
    assert code("flick", rarer=200.0) == "flick"


@pytest.mark.parametrize("word", ["the", "not", "is"])
def test_stop_words_are_read_as_themselves_and_nothing_else_as_them(word: str) -> None:
    codes = synonym_codes({word: 100, "x": 1}, {word: ["x"], "x": [word]}, lambda other: [word])
    assert codes == {}


words = st.sampled_from([f"w{index}" for index in range(12)])
lists = st.dictionaries(words, st.lists(words, max_size=4))


@given(st.dictionaries(words, st.integers(1, 50)), lists, lists)
def test_no_word_has_itself_as_its_code_whatever_the_words(
    counts: dict[str, int], neighbours: dict[str, list[str]], synonyms: dict[str, list[str]]
) -> None:
    related = lambda word: [other for other in synonyms.get(word, []) if other != word]  # noqa: E731
    codes = synonym_codes(counts, neighbours, related)
    assert all(word != code for word, code in codes.items())
    assert codes == synonym_codes(dict(reversed(counts.items())), neighbours, related)
