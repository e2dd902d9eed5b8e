from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from student.small_students import (
    OPERATION_CASES,
    WIDTH,
    case_name,
    genotypes,
    padded_batch,
    small_student,
)
from torch import Tensor, nn
from torch.export import Dim

from rosearch.models.graphs import Logits
from rosearch.space.genotype import Genotype
from rosearch.space.known import known_architecture
from rosearch.space.node import Setting
from rosearch.student.leading_tokens import ALL, leading, needed_tokens, reach_of
from rosearch.student.modeling_rosearch import StudentForSequenceClassification
from rosearch.student.operations import build_operation


def test_needs_are_counted_back_from_the_sinks() -> None:
    reads, reaches = [[0], [1], [2], [2, 3], [3]], [0, ALL, 4, 1, ALL]
    assert needed_tokens(reads[:4], reaches[:4], [4]) == [ALL, ALL, 6, 2, 1]
    assert needed_tokens(reads[:3], reaches[:3], [3]) == [ALL, ALL, 5, 1]
    assert needed_tokens(reads, reaches, [4, 5]) == [ALL, ALL, ALL, ALL, 1, 1]


@pytest.mark.parametrize("case", [*OPERATION_CASES, ("identity", {})], ids=case_name)
def test_an_operation_looks_as_far_to_the_right_as_it_says(case: tuple[str, dict[str, Setting]]) -> None:
    torch.manual_seed(1)  # with some weights a gradient vanishes
    operation = build_operation(*case, WIDTH, 0.0, 1e-5).eval()
    for parameter in operation.parameters():  # some are not initialised
        torch.nn.init.normal_(parameter, std=0.3)
    x = torch.randn(1, 40, WIDTH, generator=torch.Generator().manual_seed(1), requires_grad=True)
    operation(x, None)[:, 3].square().sum().backward()
    assert x.grad is not None
    last = int(x.grad.abs().sum((0, 2)).nonzero().max())
    assert last == min(39, 3 + reach_of(operation))


def test_an_operation_that_is_not_known_may_look_anywhere() -> None:
    assert reach_of(torch.nn.Linear(2, 2)) == ALL


def test_where_a_graph_is_recorded_missing_tokens_are_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.ones(2, 3, WIDTH)
    assert leading(x, 5).shape == x.shape and leading(x, 2).shape == (2, 2, WIDTH)
    monkeypatch.setattr(torch.jit, "is_tracing", lambda: True)
    assert leading(x, 5).shape == (2, 5, WIDTH)
    assert leading(x, 5)[:, :3].equal(x) and not leading(x, 5)[:, 3:].any()
    assert leading(torch.ones(2, 3, dtype=torch.bool), 4).tolist() == [[True, True, True, False]] * 2


def all_tokens(student: StudentForSequenceClassification, batch: dict[str, Tensor]) -> Tensor:
    """The logits from all tokens of every node."""
    logits: Tensor = student.classifier(student.student(**batch).pooler_output)
    return logits


@settings(max_examples=40)
@given(genotype=genotypes(("first",)))
def test_logits_are_those_of_all_tokens_at_any_length(genotype: Genotype) -> None:
    student = small_student(genotype, pieces=None)
    with torch.no_grad():
        student.classifier.weight.mul_(30)  # so that differences show
        for lengths in ((9, 4, 1), (24, 24), (2, 1), (1,)):
            batch = padded_batch(lengths, max(lengths))
            torch.testing.assert_close(student(**batch).logits, all_tokens(student, batch), rtol=1e-4, atol=1e-5)


def recorded(student: StudentForSequenceClassification, how: str) -> Any:
    """The graph of a student, recorded on two texts of 8 tokens, as a function from ids and mask to logits."""
    batch = padded_batch((8, 3), 8)
    example, function = (batch["input_ids"], batch["attention_mask"]), Logits(student)
    if how == "trace":
        return torch.jit.trace(function, example)
    dynamic = {0: Dim.DYNAMIC, 1: Dim.DYNAMIC}
    program = torch.export.export(
        function, example, dynamic_shapes=((dynamic, dynamic),), prefer_deferred_runtime_asserts_over_guards=True
    )
    return program.module()


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch.jit",
    "ignore:Converting a tensor",
    "ignore:.is_gradient_checkpointing. is deprecated:FutureWarning",  # of transformers 5, asked for by torch's trace
)
@pytest.mark.parametrize("how", ["trace", "export"])
def test_a_graph_recorded_at_one_size_answers_at_any_other(how: str) -> None:
    student = small_student(known_architecture("nas_bert_10m").genotype, pieces=None, token_types=1)
    with torch.no_grad():
        graph = recorded(student, how)
        for lengths in ((2, 1), (24, 2, 1), (5, 5)):
            ids, mask = (padded_batch(lengths, max(lengths))[key] for key in ("input_ids", "attention_mask"))
            torch.testing.assert_close(graph(ids, mask), student(ids, mask).logits, rtol=1e-4, atol=1e-5)


def lengths_seen(student: StudentForSequenceClassification, **more: bool) -> list[int]:
    """The number of tokens that each node gives for a text of 12."""
    seen: list[int] = []

    def note(module: nn.Module, inputs: object, output: Tensor) -> None:
        seen.append(output.shape[1])

    hooks = [node.register_forward_hook(note) for node in student.student.nodes]
    student(**padded_batch((12,), 12), **more)
    for hook in hooks:
        hook.remove()
    return seen


def test_a_served_student_computes_what_its_first_token_needs_and_training_computes_all() -> None:
    student = small_student(known_architecture("nas_bert_10m").genotype, pieces=None)
    count = len(student.student.nodes)
    assert lengths_seen(student) == [12] * (count - 2) + [2, 1]
    assert lengths_seen(student, output_hidden_states=True) == [12] * count
    assert lengths_seen(student.train()) == [12] * count
    assert student.eval().student(**padded_batch((12,), 12)).last_hidden_state.shape[1] == 12
