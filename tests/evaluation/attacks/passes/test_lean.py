from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from evaluation.attacks.attacked_case import Cases
from evaluation.attacks.attacked_texts import single_rows
from evaluation.attacks.tiny_tokenizers import TOKENIZERS
from evaluation.tiny_model import CPU, WORDS, make_model
from student.small_students import BRANCHING, RANK, VOCABULARY, WIDTH, small_student
from torch import nn

from rosearch.evaluation.attacks.passes import first_token, lean, student
from rosearch.evaluation.attacks.passes.lean import lean_passes
from rosearch.evaluation.attacks.passes.packed import Packed
from rosearch.evaluation.attacks.victim import Logits, Victim
from rosearch.space.genotype import Genotype, chain
from rosearch.space.node import Node

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
    return victim.score(*victim.tokenise(TEXTS))


def wrong(model: Any, *_: Any, **__: Any) -> dict[nn.Module, Callable[..., Any]]:
    return {getattr(model, "classifier", model): lambda *_, **__: torch.zeros(8, 2)}


def failing(model: Any, *_: Any, **__: Any) -> dict[nn.Module, Callable[..., Any]]:
    def forward(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no such\nkernel")

    return {getattr(model, "classifier", model): forward}


def not_built(*_: Any, **__: Any) -> Any:
    raise TypeError("takes 2 positional arguments but 3 were given")


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Gives the lines that the package has logged, in a process that had not logged anything before."""
    monkeypatch.setattr(lean, "_logged", set())
    return lambda: [record.getMessage() for record in caplog.records if record.name.startswith("rosearch")]


@contextmanager
def bit_identical(victim: Victim) -> Iterator[None]:
    """On exit the model, its modules' attributes and its logits must be the same to the bit."""
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


def assert_one_line(lines: list[str], *reasons: str) -> None:
    (line,) = lines
    assert "\n" not in line and [reason for reason in reasons if reason not in line] == []


@pytest.mark.parametrize(("other", "reason"), [(wrong, "logits differ by"), (failing, "RuntimeError: no such kernel")])
def test_the_other_parts_stand_in_if_packed_weights_give_other_logits_or_raise(
    other: Callable[..., Any],
    reason: str,
    victim: Victim,
    monkeypatch: pytest.MonkeyPatch,
    logged: Callable[[], list[str]],
) -> None:
    monkeypatch.setattr(lean, "pack", lambda model: Packed(other(model), {}))
    for _ in range(2):  # one line a process
        with torch.inference_mode(), bit_identical(victim), lean_passes(victim, TEXTS) as parts:
            assert parts == ALL - {"packed"}
        assert_one_line(logged(), f"packed: {reason}")


def test_the_first_token_stands_in_if_distinct_tokens_raise(
    victim: Victim, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(student, "laid_out", not_built)
    with torch.inference_mode(), bit_identical(victim), lean_passes(victim, TEXTS) as parts:
        assert parts == {"first_token"}
    assert_one_line(logged(), "packed: TypeError: takes 2", "distinct_tokens: TypeError: takes 2")


@pytest.mark.parametrize("other", [wrong, failing])
def test_the_model_runs_untouched_if_all_parts_fail(
    other: Callable[..., Any], victim: Victim, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], list[str]]
) -> None:
    forwards = other(victim.model)
    monkeypatch.setattr(lean, "student_forwards", lambda *_: forwards)
    with torch.inference_mode(), bit_identical(victim):
        whole = logits(victim)
        with lean_passes(victim, TEXTS) as parts:
            assert not parts
            assert np.array_equal(logits(victim), whole)
    assert_one_line(logged(), "packed: ", "distinct_tokens: ", "first_token: ")


@pytest.mark.parametrize("where", ["_reorder_linear_weight", "_linear_pointwise"])
def test_a_private_operator_with_another_signature_costs_its_own_part_only(
    where: str, victim: Victim, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], list[str]]
) -> None:
    with torch.inference_mode(), bit_identical(victim):
        whole = logits(victim)
        break_operator(monkeypatch, where)
        with lean_passes(victim, TEXTS) as parts:
            assert parts == ALL - {"packed"}
            np.testing.assert_allclose(logits(victim), whole, atol=1e-5)
    assert_one_line(logged(), "packed: TypeError: takes 2 positional arguments but 3 were given")


def break_operator(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Packing weights raises, or the first product with them."""
    operator = not_built if name == "_reorder_linear_weight" else SimpleNamespace(default=not_built, binary=not_built)
    monkeypatch.setattr(torch.ops.mkldnn, name, operator)


@pytest.mark.parametrize("where", ["_reorder_linear_weight", "_linear_pointwise"])
def test_an_attack_ends_the_same_if_a_private_operator_raises(
    where: str, case: Cases, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], list[str]]
) -> None:
    made = case("deepwordbug", single_rows(12))
    results = []
    for broken in (False, True):
        if broken:
            break_operator(monkeypatch, where)
            monkeypatch.setattr(lean, "first_token_forwards", lambda model: {})
        made.victim._known.clear()
        results.append([replace(row, score=round(row.score, 4)) for row in made.engine()])
    monkeypatch.setattr(lean, "_trials", lambda *_: [])
    made.victim._known.clear()
    assert results[0] == results[1] == [replace(row, score=round(row.score, 4)) for row in made.engine()]
    assert "broken" in {row.outcome for row in results[1]}
    assert_one_line(logged(), "packed: TypeError")


def test_a_known_class_that_another_version_has_put_together_otherwise_loses_its_part(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], list[str]]
) -> None:
    victim = Victim(make_model(len(tokenizer)), tokenizer, 24, CPU)
    name = f"{type(victim.model).__module__}.{type(victim.model).__qualname__}"
    monkeypatch.setitem(first_token._FAMILIES, name, first_token._bert_forwards("transformer"))
    with torch.inference_mode(), lean_passes(victim, TEXTS) as parts:
        assert parts == {"packed"}
    assert_one_line(logged(), "first_token: AttributeError")


def test_models_for_which_a_part_is_not_made_log_nothing(
    victim: Victim, tokenizer: Any, logged: Callable[[], list[str]]
) -> None:
    plain = Genotype(WIDTH, RANK, "mean", chain([Node.of("ffn", ratio=2.0, activation="gelu")]))
    others = {
        "all parts": victim,
        "no first token": Victim(small_student(plain, vocabulary=VOCABULARY * 2, pieces=None), tokenizer, 24, CPU),
        "no student": Victim(make_model(len(tokenizer)), tokenizer, 24, CPU),
        "not of transformers": Victim(nn.Sequential(), tokenizer, 24, CPU),
    }
    for other in others.values():
        with torch.inference_mode(), lean_passes(other, TEXTS):
            pass
    with torch.inference_mode(), lean_passes(victim, TEXTS[:1]) as parts:
        assert not parts  # texts of one length prove nothing
    assert logged() == []


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
    assert [trial.parts for trial in lean._trials(victim, {})] == [("first_token",)]


def test_a_students_hook_sees_as_many_tokens_as_before_while_its_other_maps_are_packed(victim: Victim) -> None:
    seen: list[Any] = []
    victim.model.student.nodes[2].register_forward_hook(lambda _, __, output: seen.append(output.shape[1]))
    with torch.inference_mode():
        victim.score(*victim.tokenise(TEXTS[-1:]))
    untouched = list(seen)
    with torch.inference_mode(), lean_passes(victim, TEXTS) as parts:
        assert parts == {"packed"}
        seen.clear()
        victim.score(*victim.tokenise(TEXTS[-1:]))
    assert seen == untouched and len(seen) == 1
