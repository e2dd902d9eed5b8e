from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from evaluation.attacks.tiny_tokenizers import TOKENIZERS
from evaluation.tiny_model import CPU, WORDS
from student.small_students import BRANCHING, RANK, VOCABULARY, WIDTH, small_student
from torch import nn

from rosearch.evaluation.attacks.passes import lean
from rosearch.evaluation.attacks.passes.lean import lean_passes
from rosearch.evaluation.attacks.passes.packed import Packed
from rosearch.evaluation.attacks.victim import Logits, Victim
from rosearch.space.genotype import Genotype, Node, chain

TEXTS = [(" ".join(WORDS[place % 19] for place in range(count)),) for count in (1, 2, 5, 9, 14, 30)]
ALL = {"first_token", "distinct_tokens", "packed"}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return TOKENIZERS["wordpiece"]([text for (text,) in TEXTS])


@pytest.fixture
def victim(tokenizer: Any) -> Victim:
    model = small_student(Genotype(WIDTH, RANK, "first", BRANCHING.nodes), vocabulary=VOCABULARY * 2, pieces=None)
    return Victim(model, tokenizer, 24, CPU)


def logits(victim: Victim) -> Logits:
    return victim.score(*victim.encode(TEXTS))


def wrong(model: nn.Module, *_: Any) -> dict[nn.Module, Callable[..., Any]]:
    return {model.classifier: lambda x: x.new_zeros(len(x), 2)}  # type: ignore[dict-item]


def failing(model: nn.Module, *_: Any) -> dict[nn.Module, Callable[..., Any]]:
    def forward(*_: Any) -> Any:
        raise RuntimeError("no such kernel")

    return {model.classifier: forward}  # type: ignore[dict-item]


@contextmanager
def bit_identical(victim: Victim) -> Iterator[None]:
    """After this the model, its modules' attributes and its logits are to the bit what they were."""
    model = victim.model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    attributes = [dict(vars(module)) for module in model.modules()]
    whole = logits(victim)
    yield
    assert [dict(vars(module)) for module in model.modules()] == attributes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert np.array_equal(logits(victim), whole)
    assert victim.failure is None


def test_the_model_is_to_the_bit_what_it_was_after_use_and_after_an_error(victim: Victim) -> None:
    with torch.inference_mode(), bit_identical(victim):
        whole = logits(victim)
        with lean_passes(victim, TEXTS) as parts:
            assert parts == ALL
            np.testing.assert_allclose(logits(victim), whole, atol=1e-5)
        with pytest.raises(KeyError), lean_passes(victim, TEXTS):
            raise KeyError


def test_attention_without_a_convolution_reads_windows_of_keys(tokenizer: Any) -> None:
    genotype = Genotype(WIDTH, RANK, "first", chain([Node.of("attention", heads=4, conv=False)] * 3))
    victim = Victim(small_student(genotype, vocabulary=VOCABULARY * 2, pieces=None), tokenizer, 24, CPU)
    with torch.inference_mode(), bit_identical(victim):
        whole = logits(victim)
        with lean_passes(victim, TEXTS) as parts:
            assert parts == ALL | {"key_windows"}
            np.testing.assert_allclose(logits(victim), whole, atol=1e-5)


@pytest.mark.parametrize(
    ("op", "side", "limit"), [("ffn", "right", math.inf), ("ffn", "left", 60), ("conv", "right", math.inf)]
)
def test_batches_hold_texts_of_any_lengths_where_padding_costs_nothing(
    op: str, side: str, limit: float, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer, "padding_side", side)
    settings: dict[str, Any] = {"ratio": 2.0, "activation": "gelu"} if op == "ffn" else {"kernel": 3}
    genotype = Genotype(
        WIDTH, RANK, "mean", chain([Node.of("attention", heads=4, conv=False), Node.of(op, **settings)])
    )
    victim = Victim(small_student(genotype, vocabulary=VOCABULARY * 2, pieces=None), tokenizer, 24, CPU)
    before = victim.rows_a_batch, victim.padding_a_batch
    assert before == (32, 60)
    with torch.inference_mode(), bit_identical(victim):
        whole = logits(victim)
        with lean_passes(victim, TEXTS) as parts:
            assert "distinct_tokens" in parts and victim.padding_a_batch == limit
            assert victim.rows_a_batch == (8192 // 24 if limit == math.inf else 32)
            calls = victim.calls
            np.testing.assert_allclose(logits(victim), whole, atol=1e-5)
            assert victim.calls == calls + 1 or limit == 60
        assert (victim.rows_a_batch, victim.padding_a_batch) == before


@pytest.mark.parametrize("part", ["pack", "distinct_forwards"])
@pytest.mark.parametrize("other", [wrong, failing])
def test_where_all_parts_give_other_logits_the_first_tokens_stands_in(
    other: Callable[..., Any], part: str, victim: Victim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean, part, other if part != "pack" else lambda model: Packed(other(model), {}))
    with torch.inference_mode(), bit_identical(victim), lean_passes(victim, TEXTS) as parts:
        assert parts == {"first_token"}


@pytest.mark.parametrize("other", [wrong, failing])
def test_where_that_does_too_the_model_runs_untouched(
    other: Callable[..., Any], victim: Victim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean, "first_token_forwards", other)
    with torch.inference_mode(), bit_identical(victim):
        whole = logits(victim)
        with lean_passes(victim, TEXTS) as parts:
            assert not parts
            assert np.array_equal(logits(victim), whole)


def test_a_model_that_is_not_of_transformers_is_not_even_run(victim: Victim) -> None:
    class Counting(nn.Module):
        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.model = model

    victim.model = Counting(victim.model).eval()
    with torch.inference_mode(), lean_passes(victim, TEXTS) as parts:
        assert not parts
    assert victim.calls == 0


def test_hooks_of_all_modules_leave_everything_as_it_is(victim: Victim) -> None:
    hook = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        with torch.inference_mode(), lean_passes(victim, TEXTS) as parts:
            assert not parts
    finally:
        hook.remove()


def test_on_another_device_only_the_first_tokens_part_is_tried(victim: Victim) -> None:
    victim.device = torch.device("cuda")
    assert [trial.parts for trial in lean._trials(victim)] == [{"first_token"}]


def test_a_students_hook_sees_all_tokens_while_its_other_maps_are_packed(victim: Victim) -> None:
    seen: list[Any] = []
    victim.model.student.nodes[2].register_forward_hook(lambda _, __, output: seen.append(output.shape[1]))
    with torch.inference_mode(), lean_passes(victim, TEXTS) as parts:
        assert parts == {"packed"}
        seen.clear()
        victim.score(*victim.encode(TEXTS[-1:]))
    assert seen == [24]
