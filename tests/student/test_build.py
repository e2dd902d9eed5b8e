from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from student.small_students import BRANCHING, POSITIONS, RANK, SOURCES, VOCABULARY, WIDTH, padded_batch, small_student
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedModel,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from rosearch.errors import BadInput
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from rosearch.student.build import inherit_embeddings
from rosearch.student.modeling_rosearch import StudentForSequenceClassification

FEATURES = 12  # of the small teachers


def renumbered() -> tuple[Genotype, Genotype]:
    """One architecture, its parallel branches numbered in two ways; the second with no-ops in between."""
    conv, ffn = Node.of("conv", (0,), kernel=3), Node.of("ffn", (0,), ratio=2.0, activation="silu")
    last = Node.of("attention", (1, 2), "add", heads=4, conv=False)
    tail = Node.of("glu", (2,))
    one = Genotype(WIDTH, RANK, "mean", (conv, ffn, last, tail))
    other = Genotype(
        WIDTH,
        RANK,
        "mean",
        (
            Node.of("identity", (0,)),
            ffn.with_(inputs=(1,)),
            Node.of("identity", (2,)),
            tail.with_(inputs=(3,)),
            conv,
            last.with_(inputs=(3, 5)),
        ),
    )
    return one, other


def weights(student: StudentForSequenceClassification) -> dict[str, Tensor]:
    return dict(student.state_dict())


def same_weights(a: StudentForSequenceClassification, b: StudentForSequenceClassification) -> bool:
    ours, theirs = weights(a), weights(b)
    return list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_equal_genotypes_and_seeds_build_bit_identical_students() -> None:
    one, other = renumbered()
    assert one == other and one.nodes != other.nodes
    a, b = small_student(one), small_student(other)
    assert same_weights(a, b)
    with torch.no_grad():
        assert torch.equal(a(**padded_batch()).logits, b(**padded_batch()).logits)


def test_another_seed_builds_another_student() -> None:
    a, b = small_student(seed=1), small_student(seed=2)
    assert not same_weights(a, b)
    assert same_weights(a, small_student(seed=1))
    assert same_weights(a, small_student(seed=1, dropout=0.5))


def test_the_largest_derived_seed_is_accepted() -> None:
    assert same_weights(small_student(seed=2**63 - 1), small_student(seed=2**63 - 1))


def test_building_and_inheriting_leave_all_generators_as_they_were() -> None:
    teacher = bert()
    torch.manual_seed(3)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    inherit_embeddings(small_student(seed=1), teacher)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]


def test_the_state_of_the_generators_does_not_reach_a_student() -> None:
    torch.manual_seed(1)
    first = small_student()
    torch.manual_seed(2)
    assert same_weights(first, small_student())


def test_a_classifier_knows_its_labels_and_its_loss() -> None:
    student = small_student(labels=("entailment", "not_entailment", "neutral"))
    assert student.config.id2label == {0: "entailment", 1: "not_entailment", 2: "neutral"}
    assert student.config.label2id == {"entailment": 0, "not_entailment": 1, "neutral": 2}
    assert student.config.problem_type == "single_label_classification"
    assert student(**padded_batch()).logits.shape == (3, 3)


def test_a_regression_has_one_output_and_the_squared_error() -> None:
    student, targets = small_student(labels=(), problem="regression"), torch.tensor([0.1, 2.0, -1.0])
    outputs = student(**padded_batch(), labels=targets)
    assert outputs.logits.shape == (3, 1)
    torch.testing.assert_close(outputs.loss, (outputs.logits[:, 0] - targets).square().mean())


def test_a_teacher_without_token_types_gives_a_student_of_one_type() -> None:
    student = small_student(token_types=0)
    batch = padded_batch()
    batch["token_type_ids"] = torch.zeros_like(batch["input_ids"])
    assert student(**batch).logits.isfinite().all()


def test_every_structural_problem_is_told() -> None:
    nodes = (Node.of("conv", kernel=2), Node.of("attention", (1,), heads=5, conv=False))
    with pytest.raises(ValueError, match=r"node 1: conv\.kernel.*node 2: attention\.heads"):
        small_student(Genotype(WIDTH, RANK, "mean", nodes))


def bert(vocabulary: int = VOCABULARY, positions: int = POSITIONS) -> BertForSequenceClassification:
    return teacher_of(BertConfig, BertForSequenceClassification, vocabulary, positions)


def roberta() -> RobertaForSequenceClassification:
    return teacher_of(RobertaConfig, RobertaForSequenceClassification, VOCABULARY, POSITIONS + 2)


def teacher_of(config: type, model: type, vocabulary: int, positions: int) -> PreTrainedModel:
    """A small teacher with large embeddings, so that nothing hides below a tolerance."""
    torch.manual_seed(11)
    teacher = model(
        config(
            vocab_size=vocabulary,
            hidden_size=FEATURES,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=positions,
        )
    )
    for module in teacher.modules():
        if isinstance(module, torch.nn.Embedding):
            torch.nn.init.normal_(module.weight)
    return teacher


def heir(teacher: PreTrainedModel, rank: int, **changes: object) -> StudentForSequenceClassification:
    student = small_student(Genotype(WIDTH, rank, "mean", BRANCHING.nodes), **changes)
    inherit_embeddings(student, teacher)
    return student


def tables(student: StudentForSequenceClassification) -> tuple[Tensor, Tensor, Tensor]:
    embeddings = student.student.embeddings
    return tuple(getattr(embeddings, name).weight.detach() for name in ("word", "position", "token_type"))


def test_at_full_rank_all_inner_products_of_the_teachers_embeddings_survive() -> None:
    teacher = bert()
    ours = torch.cat(tables(heir(teacher, FEATURES)))
    theirs = teacher.bert.embeddings
    table = torch.cat(
        [
            theirs.word_embeddings.weight,
            theirs.position_embeddings.weight,
            theirs.token_type_embeddings.weight,
        ]
    )
    torch.testing.assert_close(ours @ ours.T, table @ table.T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rank", [1, 5, 11])
def test_at_a_lower_rank_the_word_table_is_the_best_approximation(rank: int) -> None:
    teacher = bert()
    table = teacher.get_input_embeddings().weight.detach().double().numpy()
    left, values, right = np.linalg.svd(table, full_matrices=False)
    best = (left[:, :rank] * values[:rank]) @ right[:rank]
    ours = tables(heir(teacher, rank))[0].double().numpy()
    np.testing.assert_allclose(ours @ ours.T, best @ best.T, rtol=1e-4, atol=1e-4)
    coordinates = np.linalg.lstsq(ours, table, rcond=None)[0]
    assert np.linalg.norm(ours @ coordinates - table) == pytest.approx(np.linalg.norm(best - table), rel=1e-5)


def test_at_a_lower_rank_positions_and_types_share_the_basis_of_the_words() -> None:
    teacher, rank = bert(), 5
    embeddings = teacher.bert.embeddings
    words = embeddings.word_embeddings.weight.detach().double().numpy()
    basis = np.linalg.svd(words, full_matrices=False)[2][:rank].T
    ours = [table.double().numpy() for table in tables(heir(teacher, rank))]
    for table, name in zip(ours[1:], ("position_embeddings", "token_type_embeddings")):
        theirs = getattr(embeddings, name).weight.detach().double().numpy()
        expected = (theirs @ basis) @ (words @ basis).T
        np.testing.assert_allclose(table @ ours[0].T, expected, rtol=1e-4, atol=1e-4)


def test_a_rank_above_the_teachers_features_is_filled_with_zeros() -> None:
    teacher = bert()
    words = tables(heir(teacher, FEATURES + 4))[0]
    assert torch.equal(words[:, FEATURES:], torch.zeros(VOCABULARY, 4))
    table = teacher.get_input_embeddings().weight
    torch.testing.assert_close(words @ words.T, table @ table.T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rank", [FEATURES, WIDTH])
def test_the_map_to_the_width_keeps_lengths_and_angles_at_first(rank: int) -> None:
    project = heir(bert(), rank).student.embeddings.project
    torch.testing.assert_close(project.weight.T @ project.weight, torch.eye(rank), rtol=1e-5, atol=1e-5)
    assert torch.equal(project.bias, torch.zeros(WIDTH))


def test_the_positions_of_roberta_start_behind_its_padding_index() -> None:
    teacher = roberta()
    table = teacher.roberta.embeddings.position_embeddings
    assert table.padding_idx == 1
    ours = tables(heir(teacher, FEATURES))[1]
    theirs = table.weight[2:]
    assert len(theirs) == POSITIONS
    torch.testing.assert_close(ours @ ours.T, theirs @ theirs.T, rtol=1e-4, atol=1e-4)


def test_rows_beyond_the_teachers_stay_fresh() -> None:
    fresh = small_student(Genotype(WIDTH, FEATURES, "mean", BRANCHING.nodes))
    before, after = tables(fresh)[1], tables(heir(bert(positions=10), FEATURES))[1]
    assert torch.equal(after[10:], before[10:])
    assert not torch.equal(after[:10], before[:10])


def test_a_teacher_without_token_types_leaves_the_students_fresh() -> None:
    torch.manual_seed(1)
    config = DistilBertConfig(
        vocab_size=VOCABULARY,
        dim=FEATURES,
        n_layers=1,
        n_heads=2,
        hidden_dim=16,
        max_position_embeddings=POSITIONS,
    )
    teacher = DistilBertForSequenceClassification(config)
    fresh = small_student(Genotype(WIDTH, FEATURES, "mean", BRANCHING.nodes))
    words, positions, types = tables(heir(teacher, FEATURES))
    assert torch.equal(types, tables(fresh)[2])
    theirs = teacher.distilbert.embeddings
    for ours, table in ((words, theirs.word_embeddings), (positions, theirs.position_embeddings)):
        torch.testing.assert_close(ours @ ours.T, table.weight @ table.weight.T, rtol=1e-4, atol=1e-5)


def test_rows_that_the_tokenizer_does_not_use_are_left_out() -> None:
    teacher = bert(vocabulary=VOCABULARY + 4)
    words = tables(heir(teacher, FEATURES))[0]
    table = teacher.get_input_embeddings().weight[:VOCABULARY]
    torch.testing.assert_close(words @ words.T, table @ table.T, rtol=1e-4, atol=1e-4)


def test_a_teacher_that_knows_fewer_words_is_bad_input() -> None:
    with pytest.raises(BadInput, match=rf"teacher: word embeddings: .*{VOCABULARY} words, got 50 rows"):
        heir(bert(vocabulary=50), RANK)


def test_tables_longer_than_a_chunk_are_inherited_whole() -> None:
    teacher = bert(vocabulary=9000)
    ours = tables(heir(teacher, FEATURES, vocabulary=9000))[0]
    rows = torch.tensor([0, 4095, 4096, 8191, 8192, 8999])
    table = teacher.get_input_embeddings().weight.detach()[rows]
    torch.testing.assert_close(ours[rows] @ ours[rows].T, table @ table.T, rtol=1e-3, atol=1e-3)


def test_inheriting_changes_neither_the_teacher_nor_the_rest_of_the_student() -> None:
    teacher, fresh = bert(), small_student(Genotype(WIDTH, FEATURES, "mean", BRANCHING.nodes))
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    student = heir(teacher, FEATURES)
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    changed = {name for name, value in weights(student).items() if not torch.equal(value, weights(fresh)[name])}
    tables_and_map = {"word.weight", "position.weight", "token_type.weight", "project.weight"}
    assert changed == {f"student.embeddings.{name}" for name in tables_and_map}
    assert all(parameter.requires_grad for parameter in student.parameters())


def source_heir(
    name: str, teacher: PreTrainedModel, rank: int = FEATURES
) -> tuple[StudentForSequenceClassification, float]:
    student = small_student(Genotype(WIDTH, rank, "mean", BRANCHING.nodes, SOURCES[name]))
    return student, inherit_embeddings(student, teacher)


def test_a_student_with_a_character_network_inherits_exactly_what_a_plain_one_does() -> None:
    teacher, ids = bert(), torch.arange(VOCABULARY).unsqueeze(0)
    student, share = source_heir("cnn", teacher)
    assert share == 1.0
    assert torch.equal(student.get_input_embeddings()(ids)[0], tables(heir(teacher, FEATURES))[0])


def test_a_student_of_ngrams_inherits_what_its_buckets_can_hold_and_says_how_much_that_is() -> None:
    teacher, ids = bert(), torch.arange(VOCABULARY).unsqueeze(0)
    student, share = source_heir("ngrams", teacher)
    plain = heir(teacher, FEATURES)
    table, words = tables(plain)[0], student.get_input_embeddings()(ids)[0].detach()
    left = (words - table).square().sum() / (table - table.mean(0)).square().sum()
    assert share == pytest.approx(1 - left.item(), abs=1e-5)
    assert 0.9 < share < 1.0  # [unused0] and [unused1] have one bucket
    for ours, theirs in zip(tables(student)[1:], tables(plain)[1:]):
        assert torch.equal(ours, theirs)


def test_after_inheritance_pieces_that_share_ngrams_are_nearer_than_others() -> None:
    """A teacher in which inflections of a stem are alike, as in real ones: half a row is the stem's, half its own."""
    stems, endings = 200, ("", "s", "ed", "ing")
    generator = torch.Generator().manual_seed(4)
    letters = torch.randint(26, (stems, 6), generator=generator)
    pieces = ["".join(chr(97 + letter) for letter in row) + ending for row in letters.tolist() for ending in endings]
    teacher = bert(vocabulary=len(pieces))
    with torch.no_grad():
        meaning = torch.randn(stems, FEATURES, generator=generator).repeat_interleave(len(endings), 0)
        teacher.get_input_embeddings().weight.add_(meaning)
    genotype = Genotype(WIDTH, FEATURES, "mean", BRANCHING.nodes, SOURCES["ngrams"])
    student = small_student(genotype, vocabulary=len(pieces), pieces=pieces)
    inherit_embeddings(student, teacher)
    with torch.no_grad():
        words = student.get_input_embeddings()(torch.arange(len(pieces)).unsqueeze(0))[0]
    words = nn.functional.normalize(words - words.mean(0), dim=1).reshape(stems, len(endings), FEATURES)
    same_stem = (words * words.roll(1, 1)).sum(-1).mean()
    unrelated = (words * words.roll(1, 0)).sum(-1).mean()
    assert same_stem > 0.4
    assert abs(unrelated) < 0.1


def test_rows_that_the_tokenizer_does_not_use_are_left_out_of_the_fit_of_ngrams() -> None:
    _, share = source_heir("ngrams", bert())
    larger = bert(vocabulary=VOCABULARY + 4)
    larger.get_input_embeddings().weight.data[VOCABULARY:] = 1e6
    assert source_heir("ngrams", larger)[1] == pytest.approx(share, abs=0.05)
    with pytest.raises(BadInput, match=rf"teacher: word embeddings: .*{VOCABULARY} words, got 50 rows"):
        source_heir("ngrams", bert(vocabulary=50))
