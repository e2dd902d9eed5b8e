from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from evaluation.attacks.tiny_tokenizers import byte_level, cased_wordpiece, wordpiece
from families import FAMILIES
from small_run import WORDS

from rosearch.encodings.vocabulary import beginnings

TEXTS = ["the film was bright", "a café with good music", "good was the bright café"] * 20
Maker = Callable[[Sequence[str]], Any]


@pytest.mark.parametrize("make", [wordpiece, cased_wordpiece, byte_level])
def test_words_of_a_vocabulary_are_read_without_the_mark_before_them(make: Maker) -> None:
    found = beginnings(make(TEXTS))
    assert {"the", "film", "was", "bright", "good"} <= found
    assert not found & {"Ġfilm", "▁film"}


@pytest.mark.parametrize("family", ["deberta-v2", "xlm-roberta", "roberta", "bert"])
def test_those_of_every_kind_of_vocabulary_are_the_same(family: str) -> None:
    found = beginnings(FAMILIES[family].tokenizer())
    assert {word for word in WORDS if len(word) > 3} - found <= {"never", "clever"}  # which byte BPE may cut


def test_of_a_word_piece_all_pieces_are_told_as_ever() -> None:
    tokenizer = FAMILIES["bert"].tokenizer()
    assert beginnings(tokenizer) == set(tokenizer.get_vocab())


def test_bytes_of_an_accented_letter_are_no_letters() -> None:
    found = beginnings(byte_level(TEXTS))
    assert all(piece.isascii() for piece in found) and "cafÃ©" not in found
