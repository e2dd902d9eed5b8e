from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from student.small_students import (
    BRANCHING,
    POSITIONS,
    RANK,
    WIDTH,
    genotypes,
    let_characters_speak,
    padded_batch,
    small_student,
)
from torch import Tensor

from rosearch.evaluation.attacks.passes.forwards import Forwards, replaced
from rosearch.evaluation.attacks.passes.packed import pack
from rosearch.evaluation.attacks.passes.student import student_forwards, student_of
from rosearch.space.genotype import Genotype
from rosearch.space.known import known_architecture
from rosearch.space.node import Node
from rosearch.student.modeling_rosearch import StudentForSequenceClassification


def swaps(rows: int = 6, tokens: int = 9, padded: bool = True) -> dict[str, Tensor]:
    """One text, and others of it with a token changed; the last row is shorter."""
    ids = torch.arange(5, 5 + tokens).repeat(rows, 1)
    ids[range(1, rows), range(1, rows)] = 40
    mask = torch.ones_like(ids)
    if padded:
        mask[-1, -2:] = 0
    types = (torch.arange(tokens) >= 4).long().repeat(rows, 1)
    return {"input_ids": ids * mask, "attention_mask": mask, "token_type_ids": types * mask}


def student(genotype: Genotype) -> StudentForSequenceClassification:
    model = let_characters_speak(small_student(genotype))
    with torch.no_grad():
        model.classifier.weight.mul_(30)
    return model


def lean(model: StudentForSequenceClassification, packed: bool = False) -> Forwards:
    student = student_of(model)
    assert student is not None
    return student_forwards(student, distinct=True, ends=pack(model).ends if packed else {})


def scored(
    model: StudentForSequenceClassification, batch: dict[str, Tensor], distinct: bool, packed: bool = False
) -> Tensor:
    forwards = lean(model, packed) if distinct else {}
    with torch.inference_mode(), replaced(forwards):
        logits: Tensor = model(**batch).logits
    return logits


@settings(max_examples=80)
@given(
    genotype=genotypes(("first", "mean", "attention"), sourced=True),
    tokens=st.sampled_from([9, 22]),
    padded=st.booleans(),
    packed=st.booleans(),
    named=st.sampled_from([(), ("token_type_ids",), ("attention_mask",)]),
)
def test_logits_of_any_student_are_the_same(
    genotype: Genotype, tokens: int, padded: bool, packed: bool, named: tuple[str, ...]
) -> None:
    model = student(genotype)
    batch = {name: value for name, value in swaps(tokens=tokens, padded=padded).items() if name not in named}
    whole = scored(model, batch, False)
    torch.testing.assert_close(scored(model, batch, True, packed), whole, atol=2e-5, rtol=1e-5)


def seen(model: StudentForSequenceClassification, batch: dict[str, Tensor]) -> list[int]:
    """The numbers of tokens that the embeddings and the nodes' first linear maps are given."""
    counts: list[int] = []
    forwards = lean(model)
    parts: list[Any] = [model.student.embeddings.project]
    for node in model.student.nodes:
        operation: Any = node.operation.operation  # type: ignore[union-attr]
        parts += [getattr(operation, name) for name in ("up", "project") if hasattr(operation, name)]
    for part in parts:
        part.register_forward_hook(lambda _, given, __: counts.append(given[0].shape[:-1].numel()))
    with torch.inference_mode(), replaced(forwards):
        model(**batch)
    return counts


def test_nodes_that_read_the_source_see_each_token_once() -> None:
    model = student(
        Genotype(
            WIDTH,
            RANK,
            "mean",
            (
                Node.of("ffn", (0,), ratio=2.0, activation="gelu"),
                Node.of("glu", (0, 1), "concat"),
                Node.of("attention", (2,), heads=4, conv=False),
                Node.of("ffn", (2, 3), ratio=2.0, activation="relu"),
            ),
        )
    )
    assert seen(model, swaps(padded=False)) == [14, 14, 14, 14, 54]  # 9 tokens and 5 swaps


@settings(max_examples=60)
@given(
    genotype=genotypes(("first", "mean", "attention"), sourced=True),
    lengths=st.lists(st.integers(1, 23), min_size=1, max_size=6),
    packed=st.booleans(),
)
def test_texts_of_any_lengths_in_any_order_are_the_same(genotype: Genotype, lengths: list[int], packed: bool) -> None:
    model, batch = student(genotype), padded_batch(tuple(lengths), max(lengths) + 1)
    whole = scored(model, batch, False)
    torch.testing.assert_close(scored(model, batch, True, packed), whole, atol=2e-5, rtol=1e-5)


ATTENDING = Genotype(
    WIDTH,
    RANK,
    "mean",
    (
        Node.of("attention", (0,), heads=4, conv=False),
        Node.of("ffn", (1,), ratio=2.0, activation="gelu"),
        Node.of("attention", (1, 2), heads=2, conv=False),
        Node.of("glu", (0, 3), "gate"),
    ),
)


def test_operations_on_single_tokens_see_no_padding() -> None:
    batch = padded_batch((20, 4, 7, 7), 24)
    assert seen(student(ATTENDING), batch) == [38, 38, 38, 64, 38]  # 64: with spare rows


# The first linear map of each node sees the tokens at the source, then those within a reach of 1, then of 3.
LOOKING = Genotype(
    WIDTH,
    RANK,
    "mean",
    (
        Node.of("glu", (0,)),
        Node.of("separable_conv", (1,), kernel=3),
        Node.of("glu", (2,)),
        Node.of("dilated_conv", (2, 3), "concat", kernel=3),
        Node.of("ffn", (1, 4), "gate", ratio=2.0, activation="gelu"),
        Node.of("attention", (5,), heads=4, conv=True),
        Node.of("max_pool", (6,), kernel=3),
        Node.of("glu", (5, 7)),
    ),
)


def test_tokens_that_see_the_same_are_computed_once() -> None:
    tokens = 30
    model = small_student(LOOKING, positions=tokens)
    batch = swaps(rows=3, tokens=tokens, padded=False)
    batch["input_ids"] = torch.arange(5, 5 + tokens).repeat(3, 1)
    batch["input_ids"][1, 9], batch["input_ids"][2, 20] = 40, 41
    plain = scored(model, batch, False)
    assert seen(model, batch) == [
        32,  # of 90: 30, and 2 swaps
        32,
        36,  # each swap changes 3
        30 + 2 * 7,  # the dilated one looks at those and two to either side, every second: 3 + 2 + 2
        30 + 2 * 7,
        90,  # behind attention, all
    ]
    torch.testing.assert_close(scored(plain_of(model), batch, True), plain, atol=2e-5, rtol=1e-5)


def plain_of(model: StudentForSequenceClassification) -> StudentForSequenceClassification:
    for module in model.modules():
        module._forward_hooks.clear()
    return model


@pytest.mark.parametrize("op", ["conv", "separable_conv", "dilated_conv", "light_conv", "max_pool", "avg_pool"])
@pytest.mark.parametrize("kernel", [3, 7])
def test_an_operation_on_adjacent_tokens_sees_no_padding_and_no_other_text(op: str, kernel: int) -> None:
    nodes = (ATTENDING.nodes[0], Node.of(op, (1,), kernel=kernel), Node.of("glu", (2,)))
    model, batch = student(Genotype(WIDTH, RANK, "mean", nodes)), padded_batch((20, 4, 1, 7, 7), 24)
    assert seen(model, batch)[-1] == 39
    torch.testing.assert_close(scored(plain_of(model), batch, True), scored(model, batch, False), atol=2e-5, rtol=1e-5)


@pytest.fixture
def poisoned() -> Iterator[None]:
    """Inside, memory that nobody has written to is NaN."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("conv", [False, True])
@pytest.mark.parametrize("lengths", [(9,) * 5, (22,) * 6, (9, 5), (17, 5), (20,) * 3, (1,)])
def test_nothing_is_read_of_memory_that_holds_nothing(poisoned: None, lengths: tuple[int, ...], conv: bool) -> None:
    nodes = (ATTENDING.nodes[0], Node.of("attention", (1,), heads=4, conv=conv), Node.of("separable_conv", kernel=3))
    model, batch = student(Genotype(WIDTH, RANK, "mean", nodes)), padded_batch(lengths, max(lengths))
    for packed in (False, True):
        made = scored(model, batch, True, packed)
        torch.testing.assert_close(made, scored(model, batch, False), atol=2e-5, rtol=1e-5)


def test_nodes_behind_attention_give_the_first_token_only() -> None:
    nodes = (ATTENDING.nodes[0], Node.of("conv", (1,), kernel=3), Node.of("glu", (2,)))
    model, batch = student(Genotype(WIDTH, RANK, "first", nodes)), padded_batch((20, 4, 7, 7), 24)
    torch.testing.assert_close(scored(model, batch, True), scored(model, batch, False), atol=2e-5, rtol=1e-5)


def test_texts_that_are_padded_on_the_left_run_as_they_are() -> None:
    model = student(ATTENDING)
    batch = {name: value.flip(1) for name, value in padded_batch().items()}
    assert torch.equal(scored(model, batch, True), scored(model, batch, False))


def known_small() -> Genotype:
    return Genotype(WIDTH, RANK, "first", known_architecture("bert_mini").genotype.nodes[:2])


def test_inputs_of_another_kind_run_as_they_are() -> None:
    model = student(BRANCHING)
    batch = swaps()
    with torch.inference_mode():
        embeds = model.get_input_embeddings()(batch.pop("input_ids"))
        whole = model(inputs_embeds=embeds, **batch).logits
        with replaced(lean(model)):
            assert torch.equal(model(inputs_embeds=embeds, **batch).logits, whole)
            states = model(**swaps(), output_hidden_states=True).hidden_states
    assert len(states) == 2 + len(BRANCHING.nodes)


def test_a_text_that_is_too_long_is_named_as_ever() -> None:
    model = student(known_small())
    with pytest.raises(ValueError, match=f"the student has {POSITIONS} positions"):
        scored(model, swaps(tokens=POSITIONS + 1), True)


def test_a_student_that_is_watched_and_another_model_are_left_alone() -> None:
    model = student(BRANCHING)
    assert student_of(model) is model.student and student_of(model.student) is None
    model.student.embeddings.word.register_forward_hook(lambda *_: None)
    assert student_of(model) is None
