from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from training.tiny_models import CPU, FILLERS, GOOD, save_model
from transformers import PreTrainedModel

from rosearch.config.corpus import CorpusConfig, CorpusSource
from rosearch.config.distillation import DistillationConfig
from rosearch.data.corpus import Corpus, prepare_corpus
from rosearch.errors import BadInput, CandidateFailed
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from rosearch.student.build import build_student
from rosearch.training.checkpoint import Checkpoint
from rosearch.training.encoder import EncoderInputs, distil_encoder, held_out_loss, load_encoder, make_objective


def encoder_of(layers: int, width: int = 16) -> Genotype:
    nodes = []
    for layer in range(layers):
        nodes.append(Node.of("attention", (2 * layer,), heads=2, conv=False))
        nodes.append(Node.of("ffn", (2 * layer + 1,), ratio=2.0, activation="gelu"))
    return Genotype(width, width, "first", tuple(nodes))


def make_encoder(tokenizer: Any, layers: int = 2, width: int = 16) -> PreTrainedModel:
    whole = build_student(
        encoder_of(layers, width),
        labels=("0", "1"),
        problem="classification",
        vocabulary=len(tokenizer),
        positions=32,
        token_types=2,
        pad_token_id=0,
        dropout=0.1,
        seed=1,
    )
    student: PreTrainedModel = whole.student
    return student


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    rng = random.Random(0)
    lines = [" ".join(rng.choices([*FILLERS, *GOOD], k=30)) for _ in range(120)]
    (folder / "text.txt").write_text("\n\n".join(lines))
    sources = [CorpusSource(path=str(folder / "text.txt"))]
    config = CorpusConfig(sources=sources, block_length=16, proxy_share=0.5, held_out_blocks=12)
    return prepare_corpus(config, tokenizer, len(tokenizer), folder / "cache")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    return save_model(tmp_path_factory.mktemp("encoder"), tokenizer, initializer_range=0.3)


def training_inputs(corpus: Corpus, teacher: Path, **settings: Any) -> EncoderInputs:
    own = {"batch_size": 16, "epochs": 1, "learning_rate": 5e-3, "precision": "float32", **settings}
    return EncoderInputs(DistillationConfig(target="encoder", **own), corpus, "proxy", teacher, CPU, seed=3)


OBJECTIVES = [{"objective": "hidden_states"}, {"objective": "relations", "relation_heads": 2}]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda config: config["objective"])
class TestDistilEncoder:
    def test_lowers_the_loss_on_blocks_that_it_never_saw(
        self, objective: dict[str, Any], corpus: Corpus, teacher: Path, tokenizer: Any
    ) -> None:
        student = make_encoder(tokenizer)
        inputs = training_inputs(corpus, teacher, encoder=objective, epochs=6)
        fresh = make_objective(inputs, student.eval(), load_encoder(teacher))
        before = held_out_loss(fresh, inputs)
        fresh.close()
        training, after = distil_encoder(student, inputs)
        assert after < 0.9 * before
        assert training.rows_seen == 6 * corpus.size("proxy")
        assert not student.training

    def test_leaves_the_teacher_and_the_models_hooks_as_they_were(
        self, objective: dict[str, Any], corpus: Corpus, teacher: Path, tokenizer: Any
    ) -> None:
        files = {path.name: path.read_bytes() for path in teacher.iterdir()}
        student = make_encoder(tokenizer)
        distil_encoder(student, training_inputs(corpus, teacher, encoder=objective, max_steps=2))
        assert {path.name: path.read_bytes() for path in teacher.iterdir()} == files
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in student.modules())

    def test_goes_on_where_it_was_stopped_to_the_same_bits(
        self, objective: dict[str, Any], corpus: Corpus, teacher: Path, tokenizer: Any, tmp_path: Path
    ) -> None:
        inputs = training_inputs(corpus, teacher, encoder=objective, epochs=3)
        whole = make_encoder(tokenizer)
        _, expected = distil_encoder(whole, inputs)

        def stop(step: int, steps: int, loss: float) -> None:
            raise KeyboardInterrupt

        checkpoint = Checkpoint(tmp_path / "checkpoint", every=0)
        with pytest.raises(KeyboardInterrupt):
            distil_encoder(make_encoder(tokenizer), inputs, checkpoint, stop)
        notes: list[str] = []
        again = make_encoder(tokenizer)
        _, found = distil_encoder(again, inputs, Checkpoint(tmp_path / "checkpoint", note=notes.append))
        assert any("goes on at step" in note for note in notes)
        assert found == expected
        states = zip(whole.state_dict().values(), again.state_dict().values(), strict=True)
        assert all(torch.equal(first, second) for first, second in states)

    def test_is_finite_in_bfloat16(
        self, objective: dict[str, Any], corpus: Corpus, teacher: Path, tokenizer: Any
    ) -> None:
        inputs = training_inputs(corpus, teacher, encoder=objective, precision="bfloat16", max_steps=3)
        training, loss = distil_encoder(make_encoder(tokenizer), inputs)
        assert training.precision == "bfloat16" and 0 < loss < 100

    def test_a_run_that_diverges_fails_as_such(
        self, objective: dict[str, Any], corpus: Corpus, teacher: Path, tokenizer: Any
    ) -> None:
        student = make_encoder(tokenizer)
        with torch.no_grad():
            student.embeddings.project.weight.fill_(float("nan"))
        with pytest.raises(CandidateFailed, match="nan at step 1"):
            distil_encoder(student, training_inputs(corpus, teacher, encoder=objective))


def test_a_teacher_with_fewer_layers_than_the_student_is_refused(corpus: Corpus, teacher: Path, tokenizer: Any) -> None:
    with pytest.raises(BadInput, match="2 layers"):
        distil_encoder(make_encoder(tokenizer, layers=3), training_inputs(corpus, teacher))


def test_relation_heads_that_do_not_divide_a_width_are_refused_by_their_key(
    corpus: Corpus, teacher: Path, tokenizer: Any
) -> None:
    config = {"objective": "relations", "relation_heads": 5}
    with pytest.raises(BadInput, match=r"distillation\.encoder\.relation_heads"):
        distil_encoder(make_encoder(tokenizer), training_inputs(corpus, teacher, encoder=config))


def test_relations_take_students_of_more_layers_than_the_teacher(corpus: Corpus, teacher: Path, tokenizer: Any) -> None:
    config = {"objective": "relations", "relation_heads": 4}
    inputs = training_inputs(corpus, teacher, encoder=config, max_steps=2)
    assert distil_encoder(make_encoder(tokenizer, layers=3), inputs)[1] > 0
