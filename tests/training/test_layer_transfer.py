from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from training.tiny_models import bert_config
from transformers import BertModel

from rosearch.errors import BadInput
from rosearch.training.layer_transfer import LayerTransfer, layer_positions, uniform_and_last

BATCH, TOKENS, STUDENT, TEACHER = 3, 7, 6, 10
MASK = (torch.arange(TOKENS) < torch.tensor([7, 2, 4]).unsqueeze(1)).long()


def states(layers: int, width: int, seed: int, *, grad: bool = False) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(BATCH, TOKENS, width, generator=generator).requires_grad_(grad) for _ in range(layers)]


def written_out(transfer: LayerTransfer, student: list[Tensor], teacher: list[Tensor], mask: Tensor) -> Tensor:
    """The equation, number by number."""
    own, theirs = len(student), len(teacher) - 1
    total, count = torch.zeros(()), 0
    for i in range(1, own + 1):
        first, second = i * theirs // own, theirs - own + i
        for row in range(BATCH):
            for token in range(TOKENS):
                if mask[row, token]:
                    mapped = transfer.project.weight @ student[i - 1][row, token] + transfer.project.bias
                    target = torch.cat([teacher[first][row, token], teacher[second][row, token]])
                    total = total + ((mapped - target) ** 2).mean()
                    count += 1
    return total / count


@pytest.mark.parametrize(
    ("own", "theirs", "expected"),
    [
        (3, 12, ((4, 10), (8, 11), (12, 12))),
        (4, 6, ((1, 3), (3, 4), (4, 5), (6, 6))),
        (10, 12, tuple(zip((1, 2, 3, 4, 6, 7, 8, 9, 10, 12), range(3, 13)))),
        (6, 6, tuple((layer, layer) for layer in range(1, 7))),
        (1, 1, ((1, 1),)),
    ],
)
def test_each_layer_learns_one_at_its_share_of_the_depth_and_one_of_the_last(
    own: int, theirs: int, expected: tuple[tuple[int, int], ...]
) -> None:
    assert uniform_and_last(own, theirs) == expected


@given(own=st.integers(1, 24), more=st.integers(0, 24))
def test_layers_of_the_map_exist_rise_and_end_with_the_teachers_last(own: int, more: int) -> None:
    pairs = uniform_and_last(own, own + more)
    for column in zip(*pairs):
        assert all(1 <= layer <= own + more for layer in column)
        assert list(column) == sorted(set(column))
    assert pairs[-1] == (own + more, own + more)


@pytest.mark.parametrize(("own", "theirs"), [(7, 6), (12, 1), (0, 6)])
def test_a_teacher_of_fewer_layers_than_the_student_is_one_clear_line(own: int, theirs: int) -> None:
    with pytest.raises(BadInput, match=rf"teacher\.model: expected .* the student's {own}, .*, got {theirs} layers"):
        LayerTransfer(own, theirs, STUDENT, TEACHER)


@pytest.mark.parametrize("own", [1, 3, 5])
def test_the_loss_is_that_of_the_equation(own: int) -> None:
    transfer = LayerTransfer(own, 5, STUDENT, TEACHER)
    torch.nn.init.normal_(transfer.project.bias)
    student, teacher = states(own, STUDENT, 1), states(6, TEACHER, 2)
    torch.testing.assert_close(transfer(student, teacher, MASK), written_out(transfer, student, teacher, MASK))
    whole = torch.ones_like(MASK)
    torch.testing.assert_close(transfer(student, teacher), written_out(transfer, student, teacher, whole))


def test_padding_has_no_say_in_value_or_gradient() -> None:
    transfer = LayerTransfer(2, 4, STUDENT, TEACHER)
    found = []
    for filler in (0.0, 1e30, float("nan")):
        student, teacher = states(2, STUDENT, 1), states(5, TEACHER, 2)
        pads = MASK == 0
        for tensor in (*student, *teacher):
            tensor[pads] = filler
        leaves = [tensor.requires_grad_() for tensor in student]
        loss = transfer(leaves, teacher, MASK)
        gradients = torch.autograd.grad(loss, [*leaves, transfer.project.weight])
        assert all(not gradient[pads].any() for gradient in gradients[:-1])
        found.append((loss.detach(), *gradients))
    for others in found[1:]:
        for first, other in zip(found[0], others):
            torch.testing.assert_close(first, other)


def test_gradients_reach_the_student_and_the_map_and_not_the_teacher() -> None:
    transfer = LayerTransfer(2, 4, STUDENT, TEACHER)
    student, teacher = states(2, STUDENT, 1, grad=True), states(5, TEACHER, 2, grad=True)
    transfer(student, teacher, MASK).backward()
    assert all(tensor.grad is not None and tensor.grad.any() for tensor in student)
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in transfer.parameters())
    assert all(tensor.grad is None for tensor in teacher)


def test_one_map_serves_all_layers_and_takes_the_hidden_states_of_transformers_as_they_come() -> None:
    config = bert_config(40, num_hidden_layers=4)
    with torch.inference_mode():
        teacher = BertModel(config).eval()(torch.arange(14).view(2, 7), output_hidden_states=True).hidden_states
    transfer = LayerTransfer(3, 4, STUDENT, config.hidden_size)
    assert {name: tuple(value.shape) for name, value in transfer.named_parameters()} == {
        "project.weight": (2 * config.hidden_size, STUDENT),
        "project.bias": (2 * config.hidden_size,),
    }
    student = [tensor[:2].requires_grad_() for tensor in states(3, STUDENT, 1)]
    transfer(student, teacher).backward()
    assert student[0].grad is not None


def test_the_loss_is_float32_whatever_the_states_are() -> None:
    transfer = LayerTransfer(2, 4, STUDENT, TEACHER)
    student = [tensor.bfloat16() for tensor in states(2, STUDENT, 1)]
    assert transfer(student, [tensor.bfloat16() for tensor in states(5, TEACHER, 2)], MASK).dtype == torch.float32


def test_states_of_another_number_of_layers_and_empty_masks_are_refused() -> None:
    transfer = LayerTransfer(2, 4, STUDENT, TEACHER)
    with pytest.raises(ValueError, match="2 states of the student and 5 of the teacher, got 2 and 4"):
        transfer(states(2, STUDENT, 1), states(4, TEACHER, 2))
    with pytest.raises(ValueError, match="without any token"):
        transfer(states(2, STUDENT, 1), states(5, TEACHER, 2), torch.zeros_like(MASK))


def graph(*nodes: tuple[str, list[int]]) -> dict[str, Any]:
    return {"nodes": [{"op": op, "inputs": inputs} for op, inputs in nodes]}


@pytest.mark.parametrize(
    ("genotype", "positions"),
    [
        (graph(("attention", [0]), ("ffn", [1]), ("attention", [2]), ("ffn", [3])), (2, 5)),
        (graph(("attention", [0]), ("ffn", [1])), (3,)),
        (graph(("ffn", [0]), ("attention", [1]), ("ffn", [2])), (1, 2, 4)),
        (graph(("attention", [0]), ("conv", [0]), ("ffn", [1, 2]), ("ffn", [2])), (2, 5)),
    ],
    ids=["encoder", "one layer", "chain that is no encoder", "branches"],
)
def test_layers_of_a_student_end_with_feed_forward_nodes_or_with_each_depth(
    genotype: dict[str, Any], positions: tuple[int, ...]
) -> None:
    assert layer_positions(genotype) == positions
