from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from training.tiny_models import make_auto_student, make_student
from transformers import AlbertConfig, AlbertModel, XLMRobertaConfig, XLMRobertaModel

from rosearch.errors import BadInput
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from rosearch.student.build import build_student
from rosearch.training.projections import Projections, last_attention
from rosearch.training.relations import Projected, relation_loss

VOCABULARY = 30
IDS = torch.arange(5, 19).view(2, 7)
MASK = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])


def xlm_roberta() -> XLMRobertaModel:
    torch.manual_seed(1)
    sizes = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
    return XLMRobertaModel(XLMRobertaConfig(vocab_size=VOCABULARY, max_position_embeddings=40, pad_token_id=0, **sizes))


def student_of(*nodes: Node) -> Any:
    return build_student(
        Genotype(16, 8, "mean", nodes),
        labels=("no", "yes"),
        problem="classification",
        vocabulary=VOCABULARY,
        positions=32,
        token_types=2,
        pad_token_id=0,
        dropout=0.0,
        seed=1,
    )


def attention_of(read: Projected, heads: int) -> Tensor:
    """softmax(Q K^T / sqrt(d)) on real tokens, (B, heads, T, T)."""
    query, key = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (read.queries, read.keys))
    scores = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5
    return scores.masked_fill(MASK[:, None, None] == 0, float("-inf")).softmax(-1)


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", "xlm-roberta"])
@pytest.mark.parametrize("layer", [1, 2, -1])
def test_projections_are_those_that_the_model_s_own_attention_follows_from(kind: str, layer: int) -> None:
    model = xlm_roberta() if kind == "xlm-roberta" else make_auto_student(kind, VOCABULARY)
    model.eval().set_attn_implementation("eager")
    with Projections(model, layer) as projections, torch.no_grad():
        output = model(IDS, attention_mask=MASK, output_attentions=True)
        read = projections.take()
    number = layer - 1 if layer > 0 else layer
    expected = output.attentions[number]
    real = MASK.bool()[:, None].expand(-1, expected.shape[1], -1)  # what padding attends to is nobody's
    torch.testing.assert_close(attention_of(read, expected.shape[1])[real], expected[real])
    assert read.values.shape == read.queries.shape == (2, 7, 32)


@pytest.mark.parametrize("conv", [False, True])
def test_a_student_s_are_those_of_its_last_attention_node(conv: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from rosearch.student import operations

    seen: list[tuple[Tensor, ...]] = []
    own = operations.F.scaled_dot_product_attention

    def spy(query: Tensor, key: Tensor, value: Tensor, **settings: Any) -> Tensor:
        seen.append((query, key, value))
        return own(query, key, value, **settings)

    monkeypatch.setattr(operations.F, "scaled_dot_product_attention", spy)
    ffn = Node.of("ffn", (1,), ratio=2.0, activation="gelu")
    student = student_of(
        Node.of("attention", (0,), heads=2, conv=False), ffn, Node.of("attention", (2,), heads=4, conv=conv)
    )
    with Projections(student) as projections:
        student(IDS, attention_mask=MASK)
        read = projections.take()
    assert len(seen) == 2
    for ours, theirs in zip(read, seen[-1]):
        torch.testing.assert_close(ours[MASK.bool()], theirs.transpose(1, 2).flatten(2)[MASK.bool()])


def test_the_loss_of_relations_trains_the_student_up_to_that_node_and_not_the_teacher() -> None:
    teacher, student = make_auto_student("bert", VOCABULARY).eval(), make_student(VOCABULARY)
    with Projections(teacher) as theirs, Projections(student) as ours:
        with torch.no_grad():
            teacher(IDS, attention_mask=MASK)
        student(IDS, attention_mask=MASK)
        relation_loss(ours.take(), theirs.take(), 8, MASK).backward()
    moved = {name for name, value in student.named_parameters() if value.grad is not None and value.grad.any()}
    assert {"student.nodes.0.operation.operation.project.weight", "student.embeddings.word.weight"} <= moved
    assert not any(name.startswith(("student.nodes.1", "classifier")) for name in moved)
    assert all(value.grad is None for value in teacher.parameters())


def test_hooks_are_gone_afterwards_and_leave_the_output_as_it_is() -> None:
    model = make_auto_student("bert", VOCABULARY).eval()
    before = model(IDS).logits
    with Projections(model) as projections:
        torch.testing.assert_close(model(IDS).logits, before, rtol=0, atol=0)
        projections.take()
        with pytest.raises(RuntimeError, match="has not run"):
            projections.take()
    assert not any(module._forward_hooks for module in model.modules())


def test_another_family_is_one_clear_line_that_names_hidden_states() -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    model = AlbertModel(AlbertConfig(vocab_size=VOCABULARY, embedding_size=16, **sizes))
    with pytest.raises(
        BadInput, match=r"expected a model with a list of layers, .*, got albert\. hidden states"
    ) as caught:
        Projections(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("layer", [0, 3, -3])
def test_a_layer_that_the_teacher_has_not_is_refused(layer: int) -> None:
    with pytest.raises(BadInput, match=rf"with the layer {layer} for relations, got 2 layers"):
        Projections(make_auto_student("bert", VOCABULARY), layer)


def test_a_student_without_attention_is_refused() -> None:
    with pytest.raises(BadInput, match="expected an attention node"):
        Projections(student_of(Node.of("ffn", (0,), ratio=2.0, activation="gelu")))


def test_the_deepest_attention_node_is_read() -> None:
    nodes = [{"op": "attention", "inputs": [0]}, {"op": "attention", "inputs": [1]}, {"op": "attention", "inputs": [0]}]
    assert last_attention({"nodes": nodes}) == 2
    assert last_attention({"nodes": [*nodes, {"op": "attention", "inputs": [3]}]}) == 4
