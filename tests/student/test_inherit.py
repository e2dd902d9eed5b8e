from __future__ import annotations

from typing import Any

import pytest
import torch

from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from rosearch.student.build import build_student
from rosearch.student.inherit import inherit_operations
from rosearch.student.modeling_rosearch import StudentForSequenceClassification


def layers(count: int, ratio: float = 2.0) -> tuple[Node, ...]:
    nodes = []
    for layer in range(count):
        nodes.append(Node.of("attention", (2 * layer,), heads=2, conv=False))
        nodes.append(Node.of("ffn", (2 * layer + 1,), ratio=ratio, activation="gelu"))
    return tuple(nodes)


def make(nodes: tuple[Node, ...], seed: int, width: int = 16, rank: int = 16) -> StudentForSequenceClassification:
    return build_student(
        Genotype(width, rank, "first", nodes),
        labels=("no", "yes"),
        problem="classification",
        vocabulary=40,
        positions=12,
        token_types=2,
        pad_token_id=0,
        dropout=0.0,
        seed=seed,
    )


def states(model: Any) -> torch.Tensor:
    ids = torch.arange(8).unsqueeze(0)
    with torch.no_grad():
        return model.eval()(input_ids=ids).last_hidden_state  # type: ignore[no-any-return]


def test_the_same_architecture_becomes_the_encoder_with_a_head() -> None:
    encoder, student = make(layers(2), seed=1).student, make(layers(2), seed=2)
    share = inherit_operations(student, encoder)
    assert torch.equal(states(student.student), states(encoder))
    head = sum(parameter.numel() for parameter in student.classifier.parameters())
    assert share == pytest.approx(1 - head / sum(parameter.numel() for parameter in student.parameters()))


def test_a_shallower_student_gets_the_encoders_first_layers_in_their_order() -> None:
    encoder, student = make(layers(3), seed=1).student, make(layers(2), seed=2)
    inherit_operations(student, encoder)
    for mine, given in zip(student.student.nodes, encoder.nodes):
        assert all(torch.equal(a, b) for a, b in zip(mine.parameters(), given.parameters(), strict=True))


def test_what_the_encoder_lacks_keeps_its_fresh_weights() -> None:
    encoder, student = make(layers(1), seed=1).student, make(layers(2), seed=2)
    second = {name: tensor.clone() for name, tensor in student.student.nodes[2].state_dict().items()}
    inherit_operations(student, encoder)
    assert all(torch.equal(tensor, second[name]) for name, tensor in student.student.nodes[2].state_dict().items())


def test_other_settings_are_another_operation() -> None:
    encoder, student = make(layers(1, ratio=2.0), seed=1).student, make(layers(1, ratio=4.0), seed=2)
    fresh = {name: tensor.clone() for name, tensor in student.student.nodes[1].state_dict().items()}
    assert 0 < inherit_operations(student, encoder) < 0.9
    assert all(torch.equal(tensor, fresh[name]) for name, tensor in student.student.nodes[1].state_dict().items())


def test_embeddings_of_another_rank_stay_and_operations_come() -> None:
    encoder, student = make(layers(1), seed=1).student, make(layers(1), seed=2, rank=8)
    before = student.student.embeddings.word.weight.clone()
    assert inherit_operations(student, encoder) > 0
    assert torch.equal(student.student.embeddings.word.weight, before)
    assert torch.equal(next(student.student.nodes[0].parameters()), next(encoder.nodes[0].parameters()))


def test_of_another_width_nothing_is_inherited() -> None:
    assert inherit_operations(make(layers(1), seed=2, width=24, rank=16), make(layers(1), seed=1).student) == 0.0


def test_the_encoder_stays_as_it_was() -> None:
    encoder, student = make(layers(1), seed=1).student, make(layers(1), seed=2)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    inherit_operations(student, encoder)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())
