from __future__ import annotations

from typing import Any

import pytest
import torch
from training.tiny_models import make_auto_student

from rosearch.errors import BadInput
from rosearch.training.cutting import cut_student

WORDS = 30


def teacher(kind: str) -> Any:
    return make_auto_student(kind, WORDS, dropout=0.0).eval()


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta"])
def test_a_student_of_all_layers_and_words_is_the_teacher(kind: str) -> None:
    model = teacher(kind)
    student = cut_student(model, [0, 1], None, 0).eval()
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(student(input_ids=ids).logits, model(input_ids=ids).logits)
    student.get_input_embeddings().weight.data.zero_()
    assert model.get_input_embeddings().weight.abs().sum() > 0  # nothing is shared


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta"])
def test_the_layers_that_are_named_are_kept(kind: str) -> None:
    model = teacher(kind)
    student = cut_student(model, [1], None, 0)
    theirs = {name: value for name, value in model.state_dict().items() if "layer.1." in name}
    ours = {name: value for name, value in student.state_dict().items() if "layer.0." in name}
    assert ours and not any("layer.1." in name for name in student.state_dict())
    for name, value in ours.items():
        assert torch.equal(value, theirs[name.replace("layer.0.", "layer.1.")])
    assert all(parameter.requires_grad for parameter in student.parameters())


def test_words_are_renumbered_with_their_rows() -> None:
    model = teacher("bert")
    kept = [0, 4, 7, 9, 20]
    student = cut_student(model, [0, 1], kept, 0).eval()
    assert student.config.vocab_size == 5
    ids = torch.tensor([[1, 3, 4, 2]])
    theirs = torch.tensor([[kept[index] for index in ids[0]]])
    assert torch.equal(student(input_ids=ids).logits, model(input_ids=theirs).logits)


@pytest.mark.parametrize("layers", [[2], [1, 0], [0, 0], [-1]])
def test_layers_that_are_not_there_or_not_rising_are_refused(layers: list[int]) -> None:
    with pytest.raises(BadInput, match="0 to 1, each once and rising"):
        cut_student(teacher("bert"), layers, None, 0)
