from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from student.small_students import (
    BRANCHING,
    POSITIONS,
    RANK,
    SOURCES,
    VOCABULARY,
    WIDTH,
    let_characters_speak,
    padded_batch,
    single,
    small_student,
)
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
)

from rosearch.evaluation.efficiency import count_model_parameters
from rosearch.space.cost import count_flops, count_parameters
from rosearch.space.encoder_space import EncoderChoice
from rosearch.space.genotype import Genotype
from rosearch.space.known import KNOWN
from rosearch.space.loading import load_space
from rosearch.space.node import Node
from rosearch.space.rules import MERGES, POOLINGS
from rosearch.student import modeling_rosearch
from rosearch.student.configuration_rosearch import StudentConfig
from rosearch.student.modeling_rosearch import StudentForSequenceClassification, StudentModel
from rosearch.student.poolings import MeanLessPc1Pooling

SPACE = Path(__file__).parents[2] / "search_spaces" / "robust_dag.yaml"


def sampled(seed: int) -> Genotype:
    return load_space(SPACE).sample(random.Random(seed))


KD_NAS = load_space(SPACE.parent / "kd_nas.yaml")
ENCODER = EncoderChoice(2, 2, WIDTH, 3 * WIDTH - 1, "silu")
ENCODERS = [(3, 2, 384, 512, "gelu"), (4, 12, 768, 576, "relu"), (3, 3, 384, 2048, "silu")]

WITH_SOURCES = {name: BRANCHING.with_(source=source) for name, source in SOURCES.items()}
GENOTYPES = (
    {"branching": BRANCHING, "encoder": KD_NAS.genotype(ENCODER)}
    | {f"sampled {seed}": sampled(seed) for seed in range(6)}
    | {"purified": BRANCHING.with_(pooling="mean_less_pc1")}
    | WITH_SOURCES
)

every_shape = pytest.mark.parametrize("genotype", GENOTYPES.values(), ids=GENOTYPES)
every_source = pytest.mark.parametrize("genotype", WITH_SOURCES.values(), ids=WITH_SOURCES)


def test_torch_and_the_rules_know_the_same_poolings() -> None:
    assert set(modeling_rosearch.POOLINGS) == set(POOLINGS)


ARCHITECTURES = {name: known.genotype for name, known in KNOWN.items()} | {
    "-".join(map(str, choice)): KD_NAS.genotype(EncoderChoice(*choice)) for choice in ENCODERS
}


@pytest.mark.parametrize("genotype", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_known_architectures_and_encoders_build_with_the_cost_that_is_counted(genotype: Genotype) -> None:
    student = small_student(genotype)
    counted = count_parameters(genotype, vocabulary=VOCABULARY, positions=POSITIONS)
    assert sum(parameter.numel() for parameter in student.parameters()) == counted.total
    batch = padded_batch((8,), 8)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        logits = student(**batch, output_hidden_states=True).logits  # of all tokens
    assert counter.get_total_flops() == count_flops(genotype, 8)
    assert logits.shape == (1, 2) and logits.isfinite().all()


@every_source
def test_every_source_builds_with_the_cost_that_is_counted(genotype: Genotype) -> None:
    genotype = genotype.with_(pooling="mean")
    student = small_student(genotype)
    counted = count_parameters(genotype, vocabulary=VOCABULARY, positions=POSITIONS)
    assert count_model_parameters(student) == (counted.total, counted.encoder)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        student(torch.arange(8).unsqueeze(0))  # tokens that all differ
    assert counter.get_total_flops() == count_flops(genotype, 8)


def test_the_pooling_without_the_first_component_has_the_cost_that_is_counted() -> None:
    genotype = single("ffn", {"ratio": 1.0, "activation": "gelu"}, "mean_less_pc1")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        small_student(genotype)(**padded_batch((8,), 8), output_hidden_states=True)  # of all tokens
    assert counter.get_total_flops() == count_flops(genotype, 8)


@every_source
def test_a_student_in_bfloat16_is_finite(genotype: Genotype) -> None:
    student, batch = let_characters_speak(small_student(genotype)), padded_batch()
    with torch.no_grad():
        exact = student(**batch).logits
        low = student.bfloat16()(**batch).logits
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), exact, rtol=0.1, atol=0.1)


@every_shape
def test_any_genotype_trains(genotype: Genotype) -> None:
    student = let_characters_speak(small_student(genotype, dropout=0.0)).train()
    labels = torch.tensor([0, 1, 1])
    for low in (False, True):
        student.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            loss = student(**padded_batch(), labels=labels).loss
        loss.backward()
        assert loss.isfinite()
        for name, parameter in student.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().sum() > 0, name


@every_shape
def test_the_logits_of_a_text_do_not_depend_on_its_batch(genotype: Genotype) -> None:
    student, batch = let_characters_speak(small_student(genotype)), padded_batch()
    batch["input_ids"] = batch["input_ids"] + 5 * (1 - batch["attention_mask"])  # whatever stands at the pads
    with torch.no_grad():
        together = student(**batch).logits
        for row, length in enumerate(batch["attention_mask"].sum(1)):
            alone = student(
                batch["input_ids"][row : row + 1, :length],
                token_type_ids=batch["token_type_ids"][row : row + 1, :length],
            ).logits
            torch.testing.assert_close(together[row], alone[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pooling", ["first", "mean", "attention"])
def test_a_pooling_is_what_its_name_says(pooling: str) -> None:
    student = small_student(single("ffn", {"ratio": 1.0, "activation": "gelu"}, pooling)).student
    batch = padded_batch()
    with torch.no_grad():
        outputs = student(**batch)
    for row, length in enumerate(batch["attention_mask"].sum(1)):
        last = outputs.last_hidden_state[row, :length]
        if pooling == "attention":
            expected = student.pooling.score(last).softmax(0).T @ last
        else:
            expected = last[:1] if pooling == "first" else last.mean(0, keepdim=True)
        torch.testing.assert_close(outputs.pooler_output[row], expected[0], rtol=1e-4, atol=1e-5)


def like_tokens(*shape: int) -> Tensor:
    """States (B, T, W) as a final norm gives them, whose tokens share the most of what they are."""
    generator = torch.Generator().manual_seed(1)
    states, shared = (
        torch.randn(*shape, generator=generator),
        1.5 * torch.randn(*shape[:1], 1, *shape[2:], generator=generator),
    )
    return torch.nn.functional.layer_norm(states + shared, shape[2:])


@pytest.mark.parametrize("lengths", [None, (9, 4)])
def test_the_first_component_that_goes_is_that_of_the_real_tokens(lengths: tuple[int, ...] | None) -> None:
    states = like_tokens(2, 9, WIDTH)
    keep = None if lengths is None else torch.arange(9) < torch.tensor(lengths).unsqueeze(1)
    pooled = MeanLessPc1Pooling(WIDTH)(states, keep)
    for row, length in enumerate(lengths or (9, 9)):
        real = states[row, :length]
        first = torch.linalg.svd(real, full_matrices=False).Vh[0]
        expected = (real - real @ torch.outer(first, first)).mean(0)
        torch.testing.assert_close(pooled[row], expected, rtol=1e-3, atol=1e-4)
        assert expected.norm() > 0.02  # the tolerance is far below


def test_of_two_tokens_that_point_apart_their_difference_goes_and_their_mean_stays() -> None:
    shared, own = torch.zeros(2, 1, WIDTH)
    shared[:, 0], own[:, 1] = 1.0, 3.0
    pooled = MeanLessPc1Pooling(WIDTH)(torch.stack([shared + own, shared - own], dim=1), None)
    torch.testing.assert_close(pooled, shared, rtol=0, atol=1e-4)


@pytest.mark.parametrize("tokens", [1, 5])
def test_of_equal_tokens_nothing_is_left_without_their_first_component(tokens: int) -> None:
    token = torch.randn(1, 1, WIDTH, generator=torch.Generator().manual_seed(1))
    states = token.expand(2, tokens, -1).clone().requires_grad_()
    pooled = MeanLessPc1Pooling(WIDTH)(states, None)
    pooled.sum().backward()
    torch.testing.assert_close(pooled, torch.zeros(2, WIDTH), rtol=0, atol=1e-5)
    assert states.grad is not None and states.grad.isfinite().all()


def test_tokens_that_cancel_out_leave_their_mean_and_a_finite_gradient() -> None:
    token = torch.randn(1, 1, WIDTH, generator=torch.Generator().manual_seed(1))
    states = torch.cat([token, -token], dim=1).requires_grad_()
    pooled = MeanLessPc1Pooling(WIDTH)(states, None)
    pooled.sum().backward()
    assert pooled.abs().max() == 0
    assert states.grad is not None and states.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_what_is_left_is_nearly_the_same_in_half_precision(dtype: torch.dtype) -> None:
    states = like_tokens(3, 24, 512)
    pooling = MeanLessPc1Pooling(512)
    low = pooling(states.to(dtype), None)
    assert low.dtype == dtype
    torch.testing.assert_close(low.float(), pooling(states, None), rtol=0.1, atol=0.02)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_text_without_a_token_is_finite(pooling: str) -> None:
    student = small_student(single("attention", {"heads": 4, "conv": True}, pooling))
    batch = padded_batch((5, 0))
    loss = student(**batch, labels=torch.tensor([0, 1])).loss
    loss.backward()
    assert loss.isfinite()
    assert all(parameter.grad.isfinite().all() for parameter in student.parameters())


@every_source
def test_embeddings_as_input_give_exactly_what_their_ids_give(genotype: Genotype) -> None:
    student, batch = let_characters_speak(small_student(genotype)), padded_batch()
    ids = batch.pop("input_ids")
    words = student.get_input_embeddings()(ids)
    assert words.shape == (*ids.shape, RANK)
    with torch.no_grad():
        assert torch.equal(student(ids, **batch).logits, student(inputs_embeds=words, **batch).logits)
        student.train()  # what is drawn in training is drawn alike
        torch.manual_seed(1)
        by_ids = student(ids, **batch).logits
        torch.manual_seed(1)
        assert torch.equal(by_ids, student(inputs_embeds=words, **batch).logits)


def test_the_gradient_of_the_input_embeddings_is_that_of_the_word_table() -> None:
    student, batch = small_student(), padded_batch()
    ids = batch.pop("input_ids")
    words = student.get_input_embeddings()(ids).detach().requires_grad_()
    labels = torch.tensor([0, 1, 0])
    student(inputs_embeds=words, labels=labels, **batch).loss.backward()
    student(ids, labels=labels, **batch).loss.backward()
    assert words.grad is not None
    summed = torch.zeros(VOCABULARY, RANK).index_add_(0, ids.flatten(), words.grad.flatten(0, 1))
    torch.testing.assert_close(student.get_input_embeddings().weight.grad, summed)
    assert torch.equal(words.grad[batch["attention_mask"] == 0].abs().sum(), torch.tensor(0.0))


def test_what_is_left_out_has_the_defaults_of_bert() -> None:
    student, ids = small_student(), padded_batch((11, 11), 11)["input_ids"]
    with torch.no_grad():
        bare = student(ids).logits
        zeros, ones = torch.zeros_like(ids), torch.ones_like(ids)
        assert torch.equal(bare, student(ids, token_type_ids=zeros).logits)
        assert torch.equal(bare, student(ids, position_ids=torch.arange(11).expand_as(ids)).logits)
        torch.testing.assert_close(bare, student(ids, attention_mask=ones).logits)
        assert not torch.allclose(bare, student(ids, token_type_ids=ones).logits)
        assert not torch.allclose(bare, student(ids, position_ids=1 + torch.arange(11)[None]).logits)


def test_pads_without_a_mask_are_words_as_in_bert() -> None:
    student = small_student()
    with torch.no_grad():
        short = student(torch.tensor([[5, 6]])).logits
        assert not torch.allclose(short, student(torch.tensor([[5, 6, 0, 0]])).logits)


def test_wrong_inputs_are_told_in_words() -> None:
    student, ids = small_student(), torch.ones(1, 3, dtype=torch.long)
    for arguments in ({}, {"input_ids": ids, "inputs_embeds": torch.zeros(1, 3, RANK)}):
        with pytest.raises(ValueError, match="exactly one of input_ids and inputs_embeds"):
            student(**arguments)
    with pytest.raises(ValueError, match="25 tokens is too long: the student has 24 positions"):
        student(torch.ones(1, POSITIONS + 1, dtype=torch.long))


def test_hidden_states_are_the_source_every_node_and_the_normed_output() -> None:
    student, batch = small_student(), padded_batch()
    nodes = student.config.genotype["nodes"]
    with torch.no_grad():
        outputs = student(**batch, output_hidden_states=True)
        assert student(**batch).hidden_states is None
    assert len(outputs.hidden_states) == len(nodes) + 2
    assert all(state.shape == (*batch["input_ids"].shape, WIDTH) for state in outputs.hidden_states)
    read = {source for node in nodes for source in node["inputs"]}
    sinks = [state for p, state in enumerate(outputs.hidden_states[:-1]) if p not in read]
    assert len(sinks) == 3
    normed = student.student.norm(torch.stack(sinks).mean(0))
    torch.testing.assert_close(outputs.hidden_states[-1], normed)
    pooled = student.student.pooling(outputs.hidden_states[-1], batch["attention_mask"].bool())
    torch.testing.assert_close(student.classifier(pooled), outputs.logits)


def test_tuples_hold_what_the_output_object_holds_as_in_bert() -> None:
    student, bert, batch = small_student(), small_bert(), padded_batch()
    labels = torch.tensor([0, 1, 1])
    for extra in ({}, {"labels": labels}, {"output_hidden_states": True, "labels": labels}):
        with torch.no_grad():
            values = student(**batch, **extra, return_dict=False)
            named = student(**batch, **extra)
            theirs = bert(**batch, **extra, return_dict=False)
        assert isinstance(values, tuple) and len(values) == len(theirs) == len(named.to_tuple())
        assert list(named.keys()) == list(bert(**batch, **extra).keys())
        for value, other in zip(values[:2], named.to_tuple()[:2]):
            assert torch.equal(value, other) if isinstance(value, Tensor) else len(value) == len(other)
    student.config.return_dict = False
    assert isinstance(student(**batch), tuple)


LOSSES: dict[str, tuple[int, str | None, Tensor]] = {
    "regression": (1, "regression", torch.tensor([0.5, -1.0, 2.0])),
    "regression of a column": (1, "regression", torch.tensor([[0.5], [-1.0], [2.0]])),
    "regression of several": (2, "regression", torch.tensor([[0.5, 1.0], [-1.0, 0.0], [2.0, 3.0]])),
    "one class": (3, "single_label_classification", torch.tensor([2, 0, 1])),
    "one class with rows left out": (3, "single_label_classification", torch.tensor([2, -100, 1])),
    "several": (2, "multi_label_classification", torch.tensor([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])),
    "guessed regression": (1, None, torch.tensor([0.5, -1.0, 2.0])),
    "guessed one class": (2, None, torch.tensor([1, 0, 1])),
    "guessed several": (2, None, torch.tensor([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])),
}


@pytest.mark.parametrize(("labels", "problem", "targets"), LOSSES.values(), ids=LOSSES)
def test_the_loss_of_equal_logits_is_that_of_bert(labels: int, problem: str | None, targets: Tensor) -> None:
    config = StudentConfig(BRANCHING.to_dict(), VOCABULARY, POSITIONS, num_labels=labels, problem_type=problem)
    student, bert = StudentForSequenceClassification(config).eval(), small_bert(labels, problem)
    for classifier in (student.classifier, bert.classifier):  # logits that hang on nothing else
        nn.init.zeros_(classifier.weight)
        with torch.no_grad():
            classifier.bias.copy_(torch.tensor([0.7, -0.3, 1.9])[:labels])
    ours, theirs = student(**padded_batch(), labels=targets), bert(**padded_batch(), labels=targets)
    assert torch.equal(ours.logits, theirs.logits)
    assert torch.equal(ours.loss, theirs.loss)
    assert student.config.problem_type == bert.config.problem_type is not None


def small_bert(labels: int = 2, problem: str | None = None) -> BertForSequenceClassification:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=POSITIONS,
        num_labels=labels,
        problem_type=problem,
    )
    return BertForSequenceClassification(config).eval()


def test_weights_that_a_file_lacks_leave_a_trained_character_network_as_it_was(tmp_path: Path) -> None:
    encoder = let_characters_speak(small_student(WITH_SOURCES["cnn"])).student
    encoder.save_pretrained(tmp_path)
    loaded, info = StudentForSequenceClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert set(info["missing_keys"]) == {"classifier.weight", "classifier.bias"}
    for name, value in encoder.state_dict().items():
        assert torch.equal(loaded.student.state_dict()[name], value)


@every_shape
def test_a_saved_student_loads_with_equal_logits(genotype: Genotype, tmp_path: Path) -> None:
    student, batch = let_characters_speak(small_student(genotype)), padded_batch()
    student.save_pretrained(tmp_path)
    with torch.no_grad():
        logits = student(**batch).logits
        for loader in (StudentForSequenceClassification, AutoModelForSequenceClassification):
            loaded, info = loader.from_pretrained(tmp_path, output_loading_info=True)
            assert not info["missing_keys"] and not info["unexpected_keys"]
            assert not loaded.training
            assert type(loaded) is StudentForSequenceClassification
            assert torch.equal(loaded(**batch).logits, logits)
    config = AutoConfig.from_pretrained(tmp_path)
    assert Genotype.from_dict(config.genotype) == genotype
    assert (config.num_labels, config.id2label) == (2, {0: "no", 1: "yes"})
    assert (config.vocab_size, config.max_position_embeddings) == (VOCABULARY, POSITIONS)
    assert (config.hidden_size, config.pad_token_id) == (genotype.width, 0)
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".json", ".safetensors"]


def test_the_encoder_alone_loads_from_a_saved_classifier(tmp_path: Path) -> None:
    student, batch = small_student(), padded_batch()
    student.save_pretrained(tmp_path)
    encoder = AutoModel.from_pretrained(tmp_path)
    assert type(encoder) is StudentModel
    with torch.no_grad():
        last, pooled = encoder(**batch, return_dict=False)
        assert torch.equal(student.classifier(pooled), student(**batch).logits)
        assert torch.equal(last, student(**batch, output_hidden_states=True).hidden_states[-1])


def test_weights_that_a_file_lacks_start_as_in_a_fresh_student(tmp_path: Path) -> None:
    encoder = small_student(Genotype(WIDTH, RANK, "mean", (Node.of("identity", (0, 0), "gate"),))).student
    encoder.save_pretrained(tmp_path)
    loaded, info = StudentForSequenceClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert set(info["missing_keys"]) == {"classifier.weight", "classifier.bias"}
    assert torch.equal(loaded.classifier.bias, torch.zeros(2))
    assert 0.01 < loaded.classifier.weight.std() < 0.03
    for name, parameter in encoder.named_parameters():
        assert torch.equal(loaded.student.get_parameter(name), parameter)


def test_fresh_weights_are_scaled_by_what_each_output_reads() -> None:
    student = small_student(
        Genotype(
            256,
            64,
            "mean",
            (
                Node.of("separable_conv", (0,), kernel=3),
                Node.of("light_conv", (1,), kernel=15),
                Node.of("conv", (1, 2), "gate", kernel=3),
                Node.of("ffn", (2, 3), "concat", ratio=4.0, activation="relu"),
            ),
        )
    )
    scaled = [module for module in student.student.modules() if isinstance(module, nn.Linear | nn.Conv1d)]
    inputs = [module.weight[0].numel() for module in scaled]
    assert sorted(inputs) == [3, 64, *[256] * 6, 512, 3 * 256, 1024]
    for module, reads in zip(scaled, inputs):
        assert module.weight.std().item() * reads**0.5 == pytest.approx(1.0, abs=0.12), module
        assert torch.equal(module.bias, torch.zeros_like(module.bias))
    for module in student.modules():
        if isinstance(module, nn.LayerNorm):
            assert torch.equal(module.weight, torch.ones(256)) and torch.equal(module.bias, torch.zeros(256))
        if isinstance(module, nn.Embedding):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.2)
    assert student.classifier.weight.std().item() == pytest.approx(0.02, rel=0.2)
    taps, gate = student.student.nodes[1].operation.operation.taps, student.student.nodes[2].merge.weight
    assert taps.std().item() * 15**0.5 == pytest.approx(1.0, abs=0.3)
    assert torch.equal(gate, torch.zeros(2, 256))


def test_the_word_table_can_grow_as_in_transformers() -> None:
    student = small_student()
    before = student.get_input_embeddings().weight.detach().clone()
    student.resize_token_embeddings(VOCABULARY + 4, mean_resizing=False)
    assert student.get_input_embeddings() is student.student.embeddings.word
    assert torch.equal(student.get_input_embeddings().weight[:VOCABULARY], before)
    assert student.config.vocab_size == VOCABULARY + 4
    assert student(torch.tensor([[VOCABULARY + 3]])).logits.isfinite().all()


@pytest.mark.parametrize("name", ["cnn", "ngrams"])
def test_a_vocabulary_that_is_read_by_characters_cannot_grow(name: str) -> None:
    student = small_student(WITH_SOURCES[name])
    words, before = student.get_input_embeddings(), student(**padded_batch()).logits
    assert student.resize_token_embeddings() is student.resize_token_embeddings(VOCABULARY) is words
    with pytest.raises(ValueError, match="a student that reads characters keeps its vocabulary"):
        student.resize_token_embeddings(VOCABULARY + 4)
    student.tie_weights()
    assert torch.equal(student(**padded_batch()).logits, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": {"characters": "lstm"}}, "unknown characters 'lstm': known are none, cnn, ngrams"),
        ({"pooling": "max"}, "unknown pooling 'max': known are first, mean, attention, mean_less_pc1"),
        ({"nodes": [{"op": "glu", "inputs": [0, 0], "merge": "sum"}]}, "unknown merge 'sum'"),
        ({"nodes": [{"op": "gru", "inputs": [0]}]}, "unknown operation 'gru'"),
    ],
)
def test_a_configuration_that_cannot_be_built_is_told_in_words(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StudentModel(StudentConfig(BRANCHING.to_dict() | change))


def test_all_merges_and_poolings_are_among_the_tested_shapes() -> None:
    merges = {n.merge for genotype in GENOTYPES.values() for n in genotype.nodes if len(n.inputs) > 1}
    assert merges == set(MERGES)
    assert {genotype.pooling for genotype in GENOTYPES.values()} == set(POOLINGS)
