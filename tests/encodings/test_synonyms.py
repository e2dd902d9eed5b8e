from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosearch.encodings.synonyms import LARGEST, synonym_codes

NEIGHBOURS = {"good": ["nice", "fine"], "nice": ["good", "lovely"], "bad": ["awful"], "awful": ["bad", "horrid"]}
COUNTS = {"good": 9, "bad": 8, "nice": 5, "film": 70, "movie": 30, "the": 900}
SYNONYMS = {"movie": ["film", "flick"]}


def code(word: str) -> str:
    return synonym_codes(COUNTS, NEIGHBOURS, lambda word: SYNONYMS.get(word, [])).get(word, word)


def test_the_most_frequent_word_of_a_cluster_speaks_for_it() -> None:
    assert {code(word) for word in ("good", "nice", "fine")} == {"good"}
    assert {code(word) for word in ("bad", "awful")} == {"bad"}


def test_a_chain_of_synonyms_makes_no_cluster() -> None:
    assert code("lovely") == "lovely"  # tied to `nice` alone, which is read as `good`
    assert code("horrid") == "horrid"
    chain = {f"w{index}": [f"w{index + 1}"] for index in range(40)}
    codes = synonym_codes(Counter({word: 100 - int(word[1:]) for word in chain}), chain, lambda word: [])
    assert max(Counter(codes.values()).values()) == 1  # a word and one neighbour


def test_a_word_far_rarer_than_a_synonym_is_read_as_that() -> None:
    assert code("flick") == "movie"
    assert code("movie") == "movie"  # half as frequent as `film`, which is no neighbour


def test_a_cluster_is_full_at_a_fixed_size() -> None:
    others = [f"x{index:02}" for index in range(2 * LARGEST)]
    codes = synonym_codes({"good": 9}, {"good": others}, lambda word: [])
    assert list(codes) == others[: LARGEST - 1]


@pytest.mark.parametrize("word", ["the", "not", "is"])
def test_stop_words_are_read_as_themselves_and_nothing_else_as_them(word: str) -> None:
    codes = synonym_codes({word: 100, "x": 1}, {word: ["x"], "x": [word]}, lambda other: [word])
    assert codes == {}


def test_words_that_stay_apart_are_read_as_themselves_and_nothing_else_as_them() -> None:
    ties = {"hindu": ["sikh", "good"], "sikh": ["hindu"], "good": ["hindu"]}
    assert synonym_codes({"good": 9, "hindu": 5, "sikh": 1}, ties, lambda word: [], {"hindu", "sikh"}) == {}


def test_a_word_whose_code_is_not_of_the_task_is_not_merged() -> None:
    assert synonym_codes({"good": 9}, {"rare": ["rarer"]}, lambda word: []) == {}


def test_a_refused_reading_gives_way_to_the_next_or_to_the_word_itself() -> None:
    ties = {"great": ["big", "good"], "huge": ["big"]}
    counts = {"big": 9, "good": 8, "great": 2}

    def codes(*refused: tuple[str, str]) -> dict[str, str]:
        def stays(readings: Sequence[tuple[str, str]]) -> list[bool]:
            return [reading not in refused for reading in readings]

        return synonym_codes(counts, ties, lambda word: [], stays=stays)

    assert codes() == {"great": "big", "huge": "big"}
    assert codes(("great", "big")) == {"great": "good", "huge": "big"}
    assert codes(("great", "big"), ("great", "good"), ("huge", "big")) == {}


words = st.sampled_from([f"w{index}" for index in range(12)])
lists = st.dictionaries(words, st.lists(words, max_size=4))


@given(st.dictionaries(words, st.integers(1, 50)), lists, lists, st.sets(words, max_size=4))
def test_every_word_is_tied_to_its_code_and_a_code_is_read_as_itself_whatever_the_words(
    counts: dict[str, int], neighbours: dict[str, list[str]], synonyms: dict[str, list[str]], apart: set[str]
) -> None:
    related = lambda word: [other for other in synonyms.get(word, []) if other != word]  # noqa: E731
    codes = synonym_codes(counts, neighbours, related, apart)
    tied = {(one, two) for ties in (neighbours, synonyms) for one, others in ties.items() for two in others}
    assert all(word != code and ((word, code) in tied or (code, word) in tied) for word, code in codes.items())
    assert not set(codes) & set(codes.values())
    assert not apart & {*codes, *codes.values()}
    assert codes == synonym_codes(dict(reversed(counts.items())), neighbours, related, apart)
