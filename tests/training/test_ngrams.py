"""Words chosen by the counts of n-grams among the training rows."""

from __future__ import annotations

from math import log1p

import numpy as np
import pytest

from rosearch.training.ngrams import Rarest, count_ngrams
from rosearch.training.text_sources import Listed, words_of

ROWS = (
    ("a good film",),
    ("A GOOD film, very good film",),
    ("good plot", "a film"),
    ("fine",),
    ("not fine",),
    ("movie",),
)
LISTED = Listed(lambda word: {"good": ["fine", "Decent"], "film": ["movie"], "not": ["never"]}.get(word, []))


def test_words_and_pairs_of_words_are_counted_in_lower_case() -> None:
    counts = count_ngrams(ROWS)
    assert (counts["good"], counts["film"], counts["good film"], counts["a good"], counts["film very"]) == (
        4,
        4,
        3,
        2,
        1,
    )
    assert "plot a" not in counts  # of two texts
    assert count_ngrams(ROWS) is counts  # counted once


def test_the_fall_is_that_of_all_n_grams_that_hold_the_word() -> None:
    by_hand = log1p(4) + log1p(2) + log1p(3) - log1p(2)  # good, a good, good film; fine
    assert Rarest(ROWS).fall("a", "good", "film", "fine") == pytest.approx(by_hand)
    assert Rarest(ROWS).fall("", "good", "", "good") == 0.0


def made(text: tuple[str, ...], share: float, seeds: int = 20) -> set[tuple[str, ...] | None]:
    rarest = Rarest(ROWS)
    return {rarest.perturb([text], LISTED, share, np.random.default_rng(seed))[0] for seed in range(seeds)}


def test_the_words_whose_n_grams_become_rarest_change_first() -> None:
    assert made(("a good film",), 0.1) == {("a Decent film",)}  # falls by more than a film, and by more than fine
    assert made(("a good film",), 1.0) == {("a Decent film",), ("a Decent movie",)}  # one word, or both


def test_stop_words_stay_and_a_row_in_which_nothing_falls_is_left_to_chance() -> None:
    assert made(("not movie",), 1.0) == {None}
    assert made(("not a fine movie, decent",), 1.0) == {None}
    assert made(("", "not good!"), 1.0) == {("", "not Decent!")}


def test_the_number_of_words_is_drawn_from_one_to_the_share() -> None:
    text = " ".join(["good"] * 10)
    changed = {sum(word.word != "good" for word in words_of(one[0])) for one in made((text,), 0.3) if one is not None}
    assert changed == {1, 2, 3}
