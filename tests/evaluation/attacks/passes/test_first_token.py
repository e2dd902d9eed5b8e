from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from evaluation.attacks.attacked_case import Cases
from evaluation.attacks.attacked_texts import pair_rows, single_rows
from evaluation.attacks.tiny_tokenizers import TOKENIZERS
from evaluation.tiny_model import CPU, WORDS
from torch import nn
from transformers import PreTrainedModel

from rosearch.evaluation.attacks.engine import lockstep
from rosearch.evaluation.attacks.passes import lean
from rosearch.evaluation.attacks.passes.first_token import first_token_forwards
from rosearch.evaluation.attacks.passes.lean import Parts, lean_passes
from rosearch.evaluation.attacks.result import AttackedRow
from rosearch.evaluation.attacks.victim import Logits, Victim

# Seven lengths, from the shortest that a text can have to more than `MAX_LENGTH` tokens.
TEXTS = [(" ".join(WORDS[place % 19] for place in range(count)),) for count in (1, 2, 3, 5, 9, 14, 90)]
MAX_LENGTH = 24
SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "hidden_dim": 24,  # as DistilBERT calls it
    "max_position_embeddings": 64,
    "initializer_range": 0.4,
    "num_labels": 3,
}
FAMILIES = [
    (family, attention)
    for family in ("Bert", "Roberta", "XLMRoberta", "Electra", "DistilBert")
    for attention in ("eager", "sdpa")
    if getattr(transformers, f"{family}PreTrainedModel")._supports_sdpa or attention == "eager"
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return TOKENIZERS["wordpiece"]([text for (text,) in TEXTS])


def classifier(family: str, tokenizer: Any, attention: str = "eager") -> PreTrainedModel:
    config_class, model_class = (
        getattr(transformers, f"{family}{end}") for end in ("Config", "ForSequenceClassification")
    )
    config = config_class(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, embedding_size=16, **SIZES)
    config._attn_implementation = attention
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model: PreTrainedModel = model_class(config)
    return model.eval()


def victim_of(model: nn.Module, tokenizer: Any) -> Victim:
    victim = Victim(model, tokenizer, MAX_LENGTH, CPU, rows_a_batch=32)
    victim.takes_types = "token_type_ids" in inspect.signature(model.forward).parameters
    return victim


def scored(victim: Victim, shortened: bool = False) -> tuple[Logits, list[int]]:
    """Logits of all texts, and by pass the number of tokens given to the last linear map before the classifier's."""
    with torch.inference_mode():
        if not shortened:
            return victim.score(*victim.tokenise(TEXTS)), []
        with lean_passes(victim, TEXTS) as parts:
            assert "first_token" in parts
            widths: list[int] = []
            last = last_feed_forward(victim.model)
            hook = last.register_forward_hook(lambda _, inputs, __: widths.append(inputs[0].shape[1]))
            try:
                return victim.score(*victim.tokenise(TEXTS)), widths
            finally:
                hook.remove()


def last_feed_forward(model: nn.Module) -> nn.Module:
    """The map out of the widest part of the last layer."""
    return [module for module in model.modules() if isinstance(module, nn.Linear) and module.in_features == 24][-1]


def untouched(model: nn.Module) -> bool:
    return not any("forward" in vars(module) for module in model.modules())


@pytest.mark.parametrize(("family", "attention"), FAMILIES)
@pytest.mark.parametrize("side", ["right", "left"])
def test_logits_are_the_same_and_the_last_feed_forward_sees_one_token(
    side: str, family: str, attention: str, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer, "padding_side", side)
    victim = victim_of(classifier(family, tokenizer, attention), tokenizer)
    for rows_a_batch in (7, 2, 1):
        victim.rows_a_batch = rows_a_batch
        whole, _ = scored(victim)
        short, widths = scored(victim, shortened=True)
        np.testing.assert_allclose(short, whole, atol=1e-5)
        assert set(widths) == {1}
        assert untouched(victim.model)
    assert len({tuple(row) for row in whole.round(3).tolist()}) > 4  # the texts are told apart


def test_the_model_is_as_it_was_after_an_error(tokenizer: Any) -> None:
    model = classifier("Bert", tokenizer)
    before = [dict(vars(module)) for module in model.modules()]
    with pytest.raises(KeyError), torch.inference_mode(), lean_passes(victim_of(model, tokenizer), TEXTS):
        assert not untouched(model)
        raise KeyError
    assert [dict(vars(module)) for module in model.modules()] == before


def test_an_error_of_the_untouched_model_goes_through(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any, **__: Any) -> Any:
        raise RuntimeError("out of memory")

    victim = victim_of(classifier("Bert", tokenizer), tokenizer)
    monkeypatch.setattr(type(victim.model), "forward", failing)
    with pytest.raises(RuntimeError, match="out of memory"), lean_passes(victim, TEXTS):
        pass


def mean_of_tokens(model: Any) -> None:
    class Mean(nn.Module):
        def forward(self, states: torch.Tensor) -> torch.Tensor:
            return states.mean(1)

    model.bert.pooler = Mean()


def of_a_subclass(model: Any) -> None:
    model.__class__ = type("Other", (type(model),), {})


def with_a_hook(model: Any) -> None:
    model.bert.encoder.layer[0].register_forward_hook(lambda *_: None)


def with_a_forward_of_its_own(model: Any) -> None:
    model.bert.encoder.layer[1].forward = model.bert.encoder.layer[1].forward


def with_another_map(model: Any) -> None:
    own = model.bert.encoder.layer[-1].attention.self
    own.key.__class__ = type("Other", (nn.Linear,), {})


def in_training(model: Any) -> None:
    model.bert.encoder.layer[0].train()


def watched(setting: str, value: Any = True) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        setattr(model.config, setting, value)

    return change


CHANGES: list[Callable[[Any], None]] = [
    mean_of_tokens,
    of_a_subclass,
    with_a_hook,
    with_a_forward_of_its_own,
    in_training,
    with_another_map,
    watched("output_hidden_states"),
    watched("output_attentions"),
    watched("_attn_implementation_internal", "flex_attention"),
    watched("position_embedding_type", "relative_key"),
    watched("is_decoder"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_model_that_may_need_other_tokens_is_left_alone(change: Callable[[Any], None], tokenizer: Any) -> None:
    model = classifier("Bert", tokenizer)
    change(model)
    assert not first_token_forwards(model)


@pytest.mark.parametrize("family", ["Albert", "Camembert", "MPNet"])
def test_a_model_of_another_class_is_left_alone(family: str, tokenizer: Any) -> None:
    assert not first_token_forwards(classifier(family, tokenizer))


@pytest.mark.parametrize("texts", [TEXTS[:1], [("good",), ("bad",)], []])
def test_texts_of_one_length_prove_nothing(texts: Any, tokenizer: Any) -> None:
    victim = victim_of(classifier("Bert", tokenizer), tokenizer)
    with torch.inference_mode(), lean_passes(victim, texts) as parts:
        assert not parts
    assert victim.calls == 0


def queries_seen(victim: Victim, attention: Callable[..., Any]) -> list[int]:
    """Tokens that make queries in the last layer, by pass, where `attention` stands in for its own; logits hold."""
    last = victim.model.bert.encoder.layer[-1].attention
    whole, _ = scored(victim)
    seen: list[int] = []
    with torch.inference_mode(), lean_passes(victim, TEXTS) as parts:
        assert "first_token" in parts
        hook = last.self.query.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[1]))
        last.forward = attention
        try:
            np.testing.assert_allclose(victim.score(*victim.tokenise(TEXTS)), whole, atol=1e-5)
        finally:
            hook.remove()
            del last.forward
    return seen


def test_attention_that_is_asked_for_more_runs_as_it_was(tokenizer: Any) -> None:
    """The first token's output stays, whatever else in the layer is shortened."""
    victim = victim_of(classifier("Bert", tokenizer), tokenizer)
    stock = victim.model.bert.encoder.layer[-1].attention.forward
    assert queries_seen(victim, lambda *given, **named: stock(*given, **{**named, "head_mask": torch.ones(1)})) == [24]


def test_attention_is_understood_as_transformers_5_calls_it(tokenizer: Any) -> None:
    victim = victim_of(classifier("Bert", tokenizer), tokenizer)
    last = victim.model.bert.encoder.layer[-1].attention

    def attention(hidden_states: torch.Tensor, attention_mask: torch.Tensor, *_: Any, **__: Any) -> Any:
        read, weights = last.self(
            hidden_states,
            encoder_hidden_states=None,
            attention_mask=attention_mask == 0,  # true where tokens are read
            past_key_values=None,
            cache_position=torch.arange(hidden_states.shape[1]),
        )
        return last.output(read, hidden_states), weights

    assert queries_seen(victim, attention) == [1]


def alike(one: AttackedRow, other: AttackedRow) -> bool:
    """All but the noise of the scores."""
    assert abs(one.score - other.score) < 2e-5
    return replace(one, score=0.0) == replace(other, score=0.0)


@pytest.mark.parametrize(("name", "rows"), [("deepwordbug", 25), ("pwws", 20), ("synonym-swap", 25), ("pruthi", 8)])
@pytest.mark.parametrize("texts", [single_rows, pair_rows])
def test_attacks_end_the_same_with_and_without(
    texts: Callable[[int], Any], name: str, rows: int, case: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = case(name, texts(45)[-rows:])
    seen: list[Parts] = []

    @contextmanager
    def watched(victim: Victim, texts: Any) -> Iterator[Parts]:
        made.victim._known.clear()
        with lean_passes(victim, texts) as parts:
            seen.append(parts)
            yield parts

    monkeypatch.setattr(lockstep, "lean_passes", watched)
    with_less = made.engine()
    monkeypatch.setattr(lean, "_trials", lambda *_: [])
    whole = made.engine()
    assert seen[0] >= {"first_token", "packed"} and not seen[1]
    assert all(map(alike, with_less, whole))
    assert "broken" in {row.outcome for row in whole}
