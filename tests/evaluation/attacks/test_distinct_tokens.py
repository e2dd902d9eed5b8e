from __future__ import annotations

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

from rosearch.evaluation.attacks.distinct_tokens import distinct_forwards, skips_padding
from rosearch.evaluation.attacks.first_token import first_token_forwards
from rosearch.evaluation.attacks.forwards import replaced
from rosearch.space.genotype import Genotype, Node
from rosearch.space.known import known_architecture
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


def scored(model: StudentForSequenceClassification, batch: dict[str, Tensor], distinct: bool) -> Tensor:
    with torch.inference_mode(), replaced(distinct_forwards(model) if distinct else {}):
        logits: Tensor = model(**batch).logits
    return logits


@settings(deadline=None, max_examples=80)
@given(
    genotype=genotypes(("first", "mean", "attention"), sourced=True),
    tokens=st.sampled_from([9, 22]),
    padded=st.booleans(),
    named=st.sampled_from([(), ("token_type_ids",), ("attention_mask",)]),
)
def test_logits_of_any_student_are_the_same(
    genotype: Genotype, tokens: int, padded: bool, named: tuple[str, ...]
) -> None:
    model = student(genotype)
    batch = {name: value for name, value in swaps(tokens=tokens, padded=padded).items() if name not in named}
    torch.testing.assert_close(scored(model, batch, True), scored(model, batch, False), atol=2e-5, rtol=1e-5)


def seen(model: StudentForSequenceClassification, batch: dict[str, Tensor]) -> list[int]:
    """How many tokens embeddings, and the nodes' first linear maps, are given."""
    counts: list[int] = []
    forwards = distinct_forwards(model)
    parts: list[Any] = [model.student.embeddings.project]
    for node in model.student.nodes:
        operation: Any = node.operation.operation  # type: ignore[union-attr]
        parts += [getattr(operation, name) for name in ("up", "project") if hasattr(operation, name)]
    for part in parts:
        part.register_forward_hook(lambda _, given, __: counts.append(given[0].shape[:-1].numel()))
    with torch.inference_mode(), replaced(forwards):
        model(**batch)
    return counts


def test_what_stands_at_the_source_sees_each_token_once() -> None:
    model = student(
        Genotype(
            WIDTH,
            RANK,
            "first",
            (
                Node.of("ffn", (0,), ratio=2.0, activation="gelu"),
                Node.of("glu", (0, 1), "concat"),
                Node.of("attention", (2,), heads=4, conv=False),
                Node.of("ffn", (2, 3), ratio=2.0, activation="relu"),
            ),
        )
    )
    assert seen(model, swaps(padded=False)) == [14, 14, 14, 14, 54]  # 9 tokens and 5 swaps


@settings(deadline=None, max_examples=60)
@given(
    genotype=genotypes(("first", "mean", "attention"), sourced=True),
    lengths=st.lists(st.integers(1, 23), min_size=1, max_size=6),
)
def test_texts_of_any_lengths_in_any_order_are_the_same(genotype: Genotype, lengths: list[int]) -> None:
    model, batch = student(genotype), padded_batch(tuple(lengths), max(lengths) + 1)
    torch.testing.assert_close(scored(model, batch, True), scored(model, batch, False), atol=2e-5, rtol=1e-5)


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


def test_what_works_token_by_token_sees_no_padding() -> None:
    batch = padded_batch((20, 4, 7, 7), 24)
    assert seen(student(ATTENDING), batch) == [38, 38, 38, 64, 38]  # 64: with spare rows
    assert skips_padding(student(ATTENDING))


def test_behind_a_node_that_looks_at_neighbours_a_batch_is_padded_as_ever() -> None:
    nodes = (ATTENDING.nodes[0], Node.of("conv", (1,), kernel=3), Node.of("glu", (2,)))
    model, batch = student(Genotype(WIDTH, RANK, "mean", nodes)), padded_batch((20, 4, 7, 7), 24)
    assert seen(model, batch) == [38, 38, 4 * 24]
    assert not skips_padding(model)
    torch.testing.assert_close(scored(model, batch, True), scored(model, batch, False), atol=2e-5, rtol=1e-5)


def test_nodes_that_give_the_first_token_only_need_no_padding_whatever_they_are() -> None:
    nodes = (ATTENDING.nodes[0], Node.of("conv", (1,), kernel=3))
    model = student(Genotype(WIDTH, RANK, "first", nodes))
    assert skips_padding(model, first_token_forwards(model)) and not skips_padding(model)


def test_texts_that_are_padded_on_the_left_run_as_they_are() -> None:
    model = student(ATTENDING)
    batch = {name: value.flip(1) for name, value in padded_batch().items()}
    assert torch.equal(scored(model, batch, True), scored(model, batch, False))


def known_small() -> Genotype:
    return Genotype(WIDTH, RANK, "first", known_architecture("bert_mini").genotype.nodes[:2])


def test_what_is_given_otherwise_runs_as_it_is() -> None:
    model = student(BRANCHING)
    batch = swaps()
    with torch.inference_mode():
        embeds = model.get_input_embeddings()(batch.pop("input_ids"))
        whole = model(inputs_embeds=embeds, **batch).logits
        with replaced(distinct_forwards(model)):
            assert torch.equal(model(inputs_embeds=embeds, **batch).logits, whole)
            states = model(**swaps(), output_hidden_states=True).hidden_states
    assert len(states) == 2 + len(BRANCHING.nodes)


def test_a_text_that_is_too_long_is_named_as_ever() -> None:
    model = student(known_small())
    with pytest.raises(ValueError, match=f"the student has {POSITIONS} positions"):
        scored(model, swaps(tokens=POSITIONS + 1), True)


def test_a_student_that_is_watched_and_another_model_are_left_alone() -> None:
    model = student(BRANCHING)
    assert distinct_forwards(model) and not distinct_forwards(model.student)
    model.student.embeddings.word.register_forward_hook(lambda *_: None)
    assert not distinct_forwards(model)
