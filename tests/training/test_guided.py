from __future__ import annotations

from typing import Any

import numpy as np
import torch
from training.tiny_models import make_tokenizer

from rosearch.training.guided import Guide
from rosearch.training.method import Text
from rosearch.training.text_sources import Listed

SWAPS = {"good": ["fine", "bright"], "film": ["plot", "very very", "story"], "bad": ["unknown-word"]}
SOURCE = Listed(lambda word: SWAPS.get(word, []))


def embedding(words: int) -> torch.nn.Embedding:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torch.nn.Embedding(words, 6)


def ids_of(tokenizer: Any, texts: list[Text], **settings: Any) -> np.ndarray[Any, Any]:
    made = tokenizer(*map(list, zip(*texts, strict=True)), padding=True, return_tensors="np", **settings)
    return np.asarray(made["input_ids"], np.int64)


def guided(texts: list[Text], gradient: torch.Tensor | None = None, share: float = 0.0, **settings: Any) -> Any:
    tokenizer = make_tokenizer()
    embed, ids = embedding(len(tokenizer)), ids_of(tokenizer, texts, **settings)
    if gradient is None:
        gradient = torch.randn(*ids.shape, 6, generator=torch.Generator().manual_seed(1))
    return Guide(tokenizer).perturb(texts, ids, gradient, embed, SOURCE, share, np.random.default_rng(1))


def test_the_candidate_that_the_gradient_points_to_is_taken() -> None:
    tokenizer = make_tokenizer()
    embed, words = embedding(len(tokenizer)), tokenizer.get_vocab()
    for wanted, other in (("fine", "bright"), ("bright", "fine")):
        gradient = torch.zeros(1, 4, 6)
        # It rises towards `wanted`, and falls towards the other.
        towards = embed.weight[words[wanted]] - embed.weight[words["good"]]
        away = embed.weight[words[other]] - embed.weight[words["good"]]
        gradient[0, 2] = (towards / towards.norm() - away / away.norm()).detach()
        assert guided([("the good",)], gradient) == [(f"the {wanted}",)]


def test_nothing_is_said_of_rows_that_no_swap_would_harm() -> None:
    assert guided([("the good film",)], torch.zeros(1, 5, 6)) == [None]
    assert guided([("the plot",), ("",)]) == [None, None]


def test_the_most_harmful_words_are_replaced_first_and_no_more_than_the_share() -> None:
    text = "good film good film good film good film"
    for share in (0.0, 0.5, 1.0):
        (made,) = guided([(text,)], share=share)
        changed = sum(new != old for new, old in zip(made[0].split(), text.split(), strict=True))
        assert 1 <= changed <= max(1, 8 * share)


def test_a_stop_word_is_no_word_to_replace() -> None:
    stop = {word: ["fine"] for word in ("the", "a")}
    tokenizer = make_tokenizer()
    texts: list[Text] = [("the film a film",)]
    embed, ids = embedding(len(tokenizer)), ids_of(tokenizer, texts)
    for sign in (1, -1):
        gradient = sign * torch.randn(*ids.shape, 6, generator=torch.Generator().manual_seed(1))
        source = Listed(lambda word: {**SWAPS, **stop}.get(word, []))
        (made,) = Guide(tokenizer).perturb(texts, ids, gradient, embed, source, 1.0, np.random.default_rng(1))
        assert made is None or made[0].split()[::2] == ["the", "a"]


def test_both_texts_of_a_pair_are_guided() -> None:
    gradient = torch.randn(1, 9, 6, generator=torch.Generator().manual_seed(1))
    first, second = "the good film", "a film"
    found = {guided([(first, second)], sign * gradient, share=1.0)[0] for sign in (1, -1)}
    assert any(made[0] != first for made in found) and any(made[1] != second for made in found)


def test_rows_whose_ids_are_not_those_of_their_words_are_left_to_chance() -> None:
    cut = guided([("good film good film",), ("film",)], truncation=True, max_length=4)
    assert cut[0] is None and cut[1] is not None


def test_a_candidate_of_several_words_is_none() -> None:
    found = {guided([("film",)], sign * torch.ones(1, 3, 6))[0] for sign in (1, -1)}
    assert found <= {None, ("plot",), ("story",)}
