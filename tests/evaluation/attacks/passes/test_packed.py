from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from student.small_students import BRANCHING, OPERATION_CASES, WIDTH, case_name, padded_batch, single, small_student
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from rosearch.evaluation.attacks.passes import packed
from rosearch.evaluation.attacks.passes.forwards import replaced
from rosearch.evaluation.attacks.passes.packed import pack, roomy
from rosearch.space.node import Setting

FAMILIES = ("bert", "roberta", "xlm-roberta", "electra", "distilbert", "albert", "mpnet")
ACTIVATED = FAMILIES[:5]
ENDED = ("attention", "conv", "separable_conv", "dilated_conv", "light_conv")


def family(name: str, activation: str = "gelu") -> PreTrainedModel:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    names = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48} if name == "distilbert" else sizes
    act = {"activation" if name == "distilbert" else "hidden_act": activation}
    config = AutoConfig.for_model(name, vocab_size=60, pad_token_id=0, initializer_range=0.3, **names, **act)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model: PreTrainedModel = AutoModelForSequenceClassification.from_config(config)
    return model.eval()


def scored(model: nn.Module, batch: dict[str, Tensor], forwards: dict[nn.Module, Callable[..., Any]]) -> Tensor:
    with torch.inference_mode(), replaced(forwards):
        logits: Tensor = model(**batch).logits
    return logits


def assert_same(model: nn.Module, batch: dict[str, Tensor]) -> dict[nn.Module, Callable[..., Any]]:
    """Logits with packed maps are those without, to the noise of float32."""
    forwards = pack(model).forwards
    assert forwards
    for rows in (slice(None), slice(1, 2)):
        part = {name: value[rows] for name, value in batch.items()}
        whole = scored(model, part, {})
        torch.testing.assert_close(scored(model, part, forwards), whole, atol=1e-5, rtol=1e-5)
    return forwards


@pytest.mark.parametrize("case", OPERATION_CASES, ids=case_name)
def test_logits_of_a_student_of_any_operation_are_the_same(case: tuple[str, dict[str, Setting]]) -> None:
    model = small_student(single(*case))
    with torch.no_grad():
        model.classifier.weight.mul_(30)
    forwards = assert_same(model, padded_batch())
    assert (model.student.nodes[0].operation in forwards) == (case[0] != "identity")


def test_logits_of_a_graph_are_the_same_whatever_is_padded() -> None:
    model = small_student(BRANCHING)
    with torch.no_grad():
        model.classifier.weight.mul_(30)
    for batch in (padded_batch(), padded_batch((5, 5, 5), 5)):
        assert_same(model, batch)
        assert_same(model, {name: value.flip(1) for name, value in batch.items()})  # padded on the left
    assert_same(model, {"input_ids": padded_batch()["input_ids"]})


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("activation", ["gelu", "relu", "gelu_new", "silu"])
def test_logits_of_other_classifiers_are_the_same(activation: str, name: str) -> None:
    model = family(name, activation)
    batch = {key: padded_batch()[key] for key in ("input_ids", "attention_mask")}
    forwards = assert_same(model, batch)
    linear = sum(type(module) is nn.Linear for module in model.modules())
    activations = 2 * (name in ACTIVATED and activation in ("gelu", "relu"))
    assert len(forwards) == linear + activations


@pytest.mark.parametrize("case", [("ffn", {"ratio": 2.0, "activation": "gelu"}), ("attention", {"heads": 4})])
def test_a_map_that_is_watched_is_left_alone_and_sees_all_its_passes(case: tuple[str, dict[str, Setting]]) -> None:
    settings = {"conv": False, **case[1]} if case[0] == "attention" else case[1]
    model = small_student(single(case[0], settings))
    residual: Any = model.student.nodes[0].operation
    last = residual.operation.down if case[0] == "ffn" else residual.operation.out
    seen: list[Any] = []
    last.register_forward_hook(lambda *given: seen.append(given))
    forwards = pack(model).forwards
    assert last not in forwards and residual.operation not in forwards and model.classifier in forwards
    scored(model, padded_batch(), forwards)
    assert len(seen) == 1


def test_a_packed_weight_serves_any_number_of_rows() -> None:
    linear = nn.Linear(48, 80).eval()
    packed_linear = pack(linear).forwards[linear]
    for rows in (1, 2, 7, 31, 300, 1024, 1500):
        x = torch.randn(rows, 3, 48, generator=torch.Generator().manual_seed(rows))
        with torch.inference_mode():
            torch.testing.assert_close(packed_linear(x), linear(x), atol=1e-6, rtol=1e-5)
            torch.testing.assert_close(packed_linear(x[:, :1]), linear(x[:, :1]), atol=1e-6, rtol=1e-5)


def of_a_subclass(model: Any) -> None:
    model.classifier.__class__ = type("Other", (nn.Linear,), {})


def with_a_forward_of_its_own(model: Any) -> None:
    model.classifier.forward = model.classifier.forward


def in_training(model: Any) -> None:
    model.classifier.train()


def in_bfloat16(model: Any) -> None:
    model.classifier.bfloat16()


def elsewhere(model: Any) -> None:
    model.classifier.to("meta")


@pytest.mark.parametrize("change", [of_a_subclass, with_a_forward_of_its_own, in_training, in_bfloat16, elsewhere])
def test_maps_that_are_not_plain_are_left_alone(change: Callable[[Any], None]) -> None:
    model = small_student()
    change(model)
    forwards = pack(model).forwards
    assert forwards and model.classifier not in forwards


@pytest.mark.parametrize("case", OPERATION_CASES, ids=case_name)
def test_an_operation_that_reads_others_ends_in_a_map_with_the_sum_inside(case: tuple[str, dict[str, Setting]]) -> None:
    model = small_student(single(*case))
    residual: Any = model.student.nodes[0].operation
    operation, ends = getattr(residual, "operation", None), pack(model).ends
    assert list(ends) == ([operation] if case[0] in ENDED else [])
    made, x = torch.randn(2, 64, WIDTH, generator=torch.Generator().manual_seed(1)).unbind()
    before = made.clone(), x.clone()
    for end in ends.values():
        with torch.inference_mode():
            whole = operation.out(made) if case[0] == "attention" else operation.after(made)
            torch.testing.assert_close(end(made, x), whole + x, atol=1e-5, rtol=1e-5)
        assert torch.equal(made, before[0]) and torch.equal(x, before[1])


def test_a_map_reads_nothing_of_what_stands_behind_its_rows_in_memory() -> None:
    model = small_student(single("ffn", {"ratio": 2.0, "activation": "relu2"}))
    residual: Any = model.student.nodes[0].operation
    memory = torch.full((64, residual.norm.normalized_shape[0]), torch.nan)
    memory[:21] = torch.randn(21, memory.shape[1], generator=torch.Generator().manual_seed(1))
    given = memory[:21].view(3, 7, -1)
    with torch.inference_mode():
        whole = residual(given.clone(), None)
        made = pack(model).forwards[residual](given, None)
    torch.testing.assert_close(made, whole, atol=1e-5, rtol=1e-5)
    assert memory[21:].isnan().all()


@pytest.mark.parametrize("name", ["student", "bert", "distilbert"])
def test_each_weight_is_packed_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model: nn.Module = small_student(single("ffn", {"ratio": 2.0, "activation": "gelu"}))
    model = model if name == "student" else family(name)
    seen: list[nn.Linear] = []
    make = packed._Map.__init__
    monkeypatch.setattr(packed._Map, "__init__", lambda own, linear: seen.append(linear) or make(own, linear))
    assert pack(model).forwards
    assert len(seen) == len(set(seen)) == sum(type(module) is nn.Linear for module in model.modules())


def test_the_rows_of_many_batches_are_multiplied_in_few_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    linear = nn.Linear(48, 80).eval()
    sizes: set[int] = set()
    run = packed._Map.__call__
    monkeypatch.setattr(packed._Map, "__call__", lambda own, rows, *rest: sizes.add(len(rows)) or run(own, rows, *rest))
    packed_linear = pack(linear).forwards[linear]
    with torch.inference_mode():
        for rows in range(1, 200):
            assert packed_linear(torch.ones(rows, 48)).shape == (rows, 80)
    assert sizes == {32, 64, 96, 128, 160, 192, 224}


@pytest.mark.parametrize("where", ["no operators", "no oneDNN", "another processor"])
def test_nothing_stands_in_where_packed_weights_are_not_known_to_gain(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pack(small_student()).forwards
    if where == "no operators":
        monkeypatch.setattr(packed, "_OPERATORS", ("_no_such_operator",))
    elif where == "no oneDNN":
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    else:
        monkeypatch.setattr(packed.platform, "machine", lambda: "aarch64")
    assert pack(small_student()) == ({}, {})


sizes = st.integers(0, 70)


@given(rows=sizes, behind=sizes, before=st.integers(0, 3), extra=st.integers(0, 40))
def test_all_rows_come_first_and_as_many_behind_as_were_asked_for(
    rows: int, behind: int, before: int, extra: int
) -> None:
    memory = torch.arange(float((before + rows + behind) * 3)).view(-1, 3)
    x, kept = memory[before : before + rows], memory.clone()
    made = roomy(x, extra)
    assert len(made) % 32 == 0 and rows + extra <= len(made) < rows + extra + 32
    assert torch.equal(made[:rows], x) and torch.equal(memory, kept)


def test_nothing_is_copied_where_memory_goes_on() -> None:
    memory = torch.zeros(64, 5)
    for x in (memory, memory[:40].view(5, 8, 5), memory[10:40]):
        assert roomy(x).data_ptr() == x.data_ptr()
    for x in (memory[40:], memory[:40, :3], memory[:40].view(5, 8, 5).transpose(0, 1)):
        made = roomy(x)
        assert made.untyped_storage().data_ptr() != memory.untyped_storage().data_ptr()
        assert torch.equal(made[: x.shape[:-1].numel()], x.reshape(-1, x.shape[-1]))
        assert not made[x.shape[:-1].numel() :].any()


def test_one_token_of_each_text_is_taken_as_it_is_meant() -> None:
    x = torch.randn(6, 4, 5)
    assert torch.equal(roomy(x[:, :1])[:6], x[:, 0])
    assert torch.equal(roomy(x[:1, :1])[:1], x[0, :1])
