from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from evaluation.attacks.attacked_texts import NASTY, pair_rows, reviews, single_rows
from evaluation.attacks.tiny_tokenizers import TOKENIZERS
from hypothesis import given, settings
from hypothesis import strategies as st

from rosearch.evaluation.attacks.engine.tokens import Tokens, pieces_of

SPLITTING = [name for name in TOKENIZERS if name != "boundless"]
CORPUS = [*NASTY, *reviews(60)]
ALPHABET = "abfilmg  \t\n\u00a0'-_*@./,;İé中😀`<[]>\u0301\u00b4"


@pytest.fixture(scope="module")
def tokenizers() -> Callable[[str], Any]:
    made = {name: TOKENIZERS[name](CORPUS) for name in TOKENIZERS}
    return made.__getitem__


def whole_is_assembled(tokens: Tokens, texts: tuple[str, ...]) -> bool:
    (whole, tail), (ids, own) = tokens.whole(texts), tokens.assembled(texts)
    return whole == ids and (not tokens.takes_types or tail == own)


@pytest.mark.parametrize("max_length", [8, 24, 512])
@pytest.mark.parametrize("name", SPLITTING)
def test_ids_put_together_from_pieces_are_the_tokenizers_own(
    name: str, max_length: int, tokenizers: Callable[[str], Any]
) -> None:
    tokens = Tokens(tokenizers(name), max_length)
    for texts in (*single_rows(60), *pair_rows(60)):
        assert whole_is_assembled(tokens, texts), texts
    assert tokens.exact


@pytest.mark.parametrize("name", SPLITTING)
@settings(max_examples=150)
@given(texts=st.lists(st.text(ALPHABET, max_size=30), min_size=1, max_size=2))
def test_so_they_are_for_any_text(name: str, texts: list[str], tokenizers: Callable[[str], Any]) -> None:
    assert whole_is_assembled(Tokens(tokenizers(name), 64), tuple(texts))


@given(st.text(ALPHABET))
def test_pieces_are_the_text(text: str) -> None:
    pieces = pieces_of(text)
    assert "".join(pieces) == text
    assert all(pieces)
    assert all(piece[0] == " " and not before[-1].isspace() for before, piece in pairwise(pieces))


def test_a_tokenizer_whose_tokens_span_spaces_is_found_out_for_good(tokenizers: Callable[[str], Any]) -> None:
    tokens = Tokens(tokenizers("boundless"), 64)
    rows = single_rows(60)
    assert not tokens.agree(rows)
    assert not tokens.exact
    assert not tokens.agree([("",)])


def test_one_that_cuts_long_texts_at_the_beginning_is_asked_for_whole_texts(tokenizers: Callable[[str], Any]) -> None:
    tokenizer = TOKENIZERS["wordpiece"](CORPUS)
    tokenizer.truncation_side = "left"
    assert not Tokens(tokenizer, 64).exact


def test_other_tokens_around_a_text_than_were_seen_are_found_out(tokenizers: Callable[[str], Any]) -> None:
    tokens = Tokens(tokenizers("wordpiece"), 64)
    tokens.single = tokens.single[::-1]
    assert not tokens.agree([("good film",)])


def test_other_token_types_are_found_out(tokenizers: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens(tokenizers("wordpiece"), 64)
    wholes = tokens.wholes
    monkeypatch.setattr(tokens, "wholes", lambda rows, cut=True: [(ids, 0) for ids, _ in wholes(rows, cut)])
    assert tokens.agree([("good film",)])
    assert not tokens.agree([("good film", "bad plot")])


def test_a_piece_is_tokenised_once(tokenizers: Callable[[str], Any]) -> None:
    asked: list[Sequence[str]] = []

    class Counting:
        def __init__(self, stock: Any) -> None:
            self.stock = stock
            self.model_input_names = stock.model_input_names

        def __call__(self, *texts: Any, **options: Any) -> Any:
            asked.append(texts)
            return self.stock(*texts, **options)

    tokens = Tokens(Counting(tokenizers("wordpiece")), 64)
    asked.clear()
    tokens.learn(["good", " film", "good"])
    tokens.learn([" film", " plot"])
    assert len(tokens.of(" plot")) == len(tokens.of(" plot"))
    assert asked == [(["good", " film"],), ([" plot"],)]
