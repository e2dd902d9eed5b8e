from __future__ import annotations

from typing import Any

import pytest
import torch
from student.small_students import (
    BRANCHING,
    OPERATION_CASES,
    RANK,
    SOURCES,
    WIDTH,
    case_name,
    let_characters_speak,
    padded_batch,
    small_student,
)

from rosearch.space.genotype import Genotype
from rosearch.space.node import Node, Setting
from rosearch.student.build import build_student
from rosearch.student.inherit import inherit_operations, inherit_parent
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


CHAIN = (Node.of("attention", (0,), heads=4, conv=False), Node.of("ffn", (1,), ratio=2.0, activation="gelu"))


def trained(genotype: Genotype, **changes: Any) -> StudentForSequenceClassification:
    """A student in which every weight is another than at the start, as after a training."""
    student = let_characters_speak(small_student(genotype, **changes))
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return student


def logits(student: StudentForSequenceClassification) -> torch.Tensor:
    with torch.no_grad():
        return student(**padded_batch()).logits  # type: ignore[no-any-return]


def child_of(parent: Genotype, child: Genotype) -> tuple[torch.Tensor, torch.Tensor, float]:
    """The logits of a trained parent and of the child that takes them over, and the share."""
    old, new = trained(parent), small_student(child, seed=2)
    taken = inherit_parent(new, old)
    return logits(old), logits(new), taken.share


def wide(genotype: Genotype, width: int = 2 * WIDTH) -> Genotype:
    return genotype.with_(width=width)


def graph(*nodes: Node, pooling: str = "mean", **changes: Any) -> Genotype:
    return Genotype(WIDTH, RANK, pooling, nodes).with_(**changes)


@pytest.mark.parametrize(
    "genotype", [BRANCHING, *(BRANCHING.with_(source=SOURCES[name]) for name in ("cnn", "ngrams"))]
)
def test_a_child_of_the_same_architecture_is_its_parent(genotype: Genotype) -> None:
    old, new, share = child_of(genotype, genotype)
    assert torch.equal(old, new) and share == 1.0


@pytest.mark.parametrize("case", OPERATION_CASES[:-1], ids=case_name)
def test_a_new_node_changes_nothing_at_first_and_can_learn(case: tuple[str, dict[str, Setting]]) -> None:
    op, settings = case
    first, second = CHAIN
    old = trained(graph(first, second))
    new = small_student(graph(first, Node.of(op, (1,), **settings), second.with_(inputs=(2,))), seed=2)
    taken = inherit_parent(new, old)
    assert torch.allclose(logits(old), logits(new), atol=1e-5)
    assert taken.nodes.count(0) == 1 or op in ("attention", "ffn")
    new(**padded_batch()).logits.square().sum().backward()
    place = new.student.nodes[taken.nodes.index(0)]
    assert any(parameter.grad.abs().sum() > 0 for parameter in place.parameters())


@pytest.mark.parametrize("case", OPERATION_CASES, ids=case_name)
def test_a_child_of_twice_the_width_begins_with_its_parents_function(case: tuple[str, dict[str, Setting]]) -> None:
    op, settings = case
    parent = graph(Node.of(op, (0,), **settings), Node.of("ffn", (0, 1), "gate", ratio=1.0, activation="relu"))
    old, new, share = child_of(parent, wide(parent))
    assert torch.allclose(old, new, atol=1e-4) and share == 1.0


@pytest.mark.parametrize("case", OPERATION_CASES, ids=case_name)
def test_a_narrower_child_takes_every_operation_over(case: tuple[str, dict[str, Setting]]) -> None:
    op, settings = case
    parent = graph(Node.of(op, (0,), **settings), Node.of("attention", (0, 1), "concat", heads=4, conv=True))
    old, new, share = child_of(parent, wide(parent, WIDTH // 2))
    assert share == 1.0 and new.isfinite().all() and not torch.equal(old, new)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Node.of("conv", (0,), kernel=3), Node.of("conv", (0,), kernel=5)),
        (Node.of("separable_conv", (0,), kernel=3), Node.of("separable_conv", (0,), kernel=7)),
        (Node.of("dilated_conv", (0,), kernel=3), Node.of("dilated_conv", (0,), kernel=5)),
        (Node.of("attention", (0,), heads=4, conv=False), Node.of("attention", (0,), heads=4, conv=True)),
        (CHAIN[1].with_(inputs=(0,)), Node.of("ffn", (0,), ratio=4.0, activation="gelu")),
    ],
)
def test_a_larger_setting_keeps_the_function(before: Node, after: Node) -> None:
    old, new, _ = child_of(graph(before), graph(after))
    assert torch.allclose(old, new, atol=1e-5)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("add", "gate"),
        ("add", "concat"),
        ("gate", "concat"),
        ("gate", "gate"),
        ("concat", "concat"),
        ("concat", "gate"),
    ],
)
def test_a_merge_becomes_another_that_can_do_the_same(before: str, after: str) -> None:
    def merged(kind: str) -> Genotype:
        return graph(*CHAIN, Node.of("glu", (1, 2), kind))

    old, new, share = child_of(merged(before), merged(after))
    assert torch.allclose(old, new, atol=1e-5) == ((before, after) != ("concat", "gate"))  # no gate can be any map
    assert (share == 1.0) == (before == after)


@pytest.mark.parametrize(("merge", "apart"), [("concat", 1e-5), ("gate", 0.2)])
def test_a_further_input_adds_nothing_or_little_at_first(merge: str, apart: float) -> None:
    one = graph(*CHAIN, Node.of("glu", (2,)))
    old, new, _ = child_of(one, graph(*CHAIN, Node.of("glu", (0, 2), merge)))
    assert (old - new).abs().max() <= apart


def test_pooling_by_attention_begins_as_the_mean() -> None:
    old, new, _ = child_of(graph(*CHAIN), graph(*CHAIN, pooling="attention"))
    assert torch.allclose(old, new, atol=1e-6)


@pytest.mark.parametrize("rank", [RANK + 8, RANK // 2])
def test_tables_of_another_rank_are_the_nearest_to_the_parents(rank: int) -> None:
    parent, child = trained(graph(*CHAIN)), small_student(graph(*CHAIN, rank=rank), seed=2)
    project = parent.student.embeddings.project.weight
    with torch.no_grad():
        project[:, RANK // 2 :] = project[:, : RANK - RANK // 2]  # of half the rank: nothing is lost by either
    inherit_parent(child, parent)
    assert torch.allclose(logits(parent), logits(child), atol=1e-4)


@pytest.mark.parametrize("sources", [("none", "cnn"), ("cnn", "none")])
def test_a_word_table_goes_on_beside_characters_and_without(sources: tuple[str, str]) -> None:
    before, after = (graph(*CHAIN, source=(("characters", name),)) for name in sources)
    old, new = trained(before), small_student(after, seed=2)
    inherit_parent(new, old)
    assert torch.equal(old.student.embeddings.word.weight, new.student.embeddings.word.weight)
    assert torch.allclose(logits(old), logits(new), atol=1e-5) == (sources[0] == "none")


def test_words_that_are_read_in_another_way_keep_their_own_embeddings() -> None:
    old, new = trained(graph(*CHAIN)), small_student(graph(*CHAIN, source=SOURCES["typos"]), seed=2)
    before = {name: value.clone() for name, value in new.student.embeddings.state_dict().items()}
    taken = inherit_parent(new, old)
    assert all(torch.equal(value, before[name]) for name, value in new.student.embeddings.state_dict().items())
    assert taken.parts == ("norm", "classifier") and taken.nodes == (1, 2)


def test_the_parent_stays_as_it_was_and_no_random_number_is_drawn() -> None:
    old, new = trained(BRANCHING), small_student(wide(BRANCHING, 24), seed=2)
    before, state = {name: value.clone() for name, value in old.state_dict().items()}, torch.get_rng_state()
    inherit_parent(new, old)
    with torch.no_grad():
        for parameter in new.parameters():
            parameter.add_(1)
    assert all(torch.equal(value, before[name]) for name, value in old.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_an_encoder_starts_with_its_parents_weights_too() -> None:
    old, new = trained(BRANCHING).student, small_student(BRANCHING, seed=2).student
    assert inherit_parent(new, old).share == 1.0
    assert all(torch.equal(a, b) for a, b in zip(old.parameters(), new.parameters(), strict=True))
