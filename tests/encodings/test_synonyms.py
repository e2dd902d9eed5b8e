from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rosearch.encodings.synonyms import synonym_codes

NEIGHBOURS = {"good": ["nice", "fine"], "nice": ["good", "lovely"], "bad": ["awful"], "awful": ["bad", "horrid"]}
COUNTS = {"good": 9, "bad": 8, "nice": 5, "film": 7}


def code(word: str) -> str:
    return synonym_codes(COUNTS, NEIGHBOURS).get(word, word)


def test_the_most_frequent_word_of_a_cluster_speaks_for_it() -> None:
    assert {code(word) for word in ("good", "nice", "fine")} == {"good"}
    assert {code(word) for word in ("bad", "awful")} == {"bad"}


def test_a_word_with_a_code_hands_on_nothing_of_its_own() -> None:
    assert code("lovely") == "lovely"  # known through `nice` alone, which is read as `good`
    assert code("horrid") == "horrid"


def test_words_without_synonyms_stay() -> None:
    assert code("film") == "film"
    assert "film" not in synonym_codes(COUNTS, NEIGHBOURS)


words = st.sampled_from([f"w{index}" for index in range(12)])


@given(
    st.dictionaries(words, st.integers(1, 50)),
    st.dictionaries(words, st.lists(words, max_size=4)),
)
def test_a_code_is_its_own_code_whatever_the_words(counts: dict[str, int], neighbours: dict[str, list[str]]) -> None:
    codes = synonym_codes(counts, neighbours)
    assert all(code not in codes for code in codes.values())
    assert all(word != code for word, code in codes.items())
