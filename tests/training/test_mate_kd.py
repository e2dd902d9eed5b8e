"""MATE-KD: its equations, its schedule, and what each of its steps must leave alone."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from training.tiny_models import (
    CPU,
    config_of,
    make_auto_student,
    make_inputs,
    make_student,
    make_task,
    make_tokenizer,
    same_weights,
    save_model,
)
from transformers import PreTrainedModel

from rosearch.config.distillation import MateKdConfig
from rosearch.data.batches import Batch, collate
from rosearch.data.tokens import tokenise
from rosearch.errors import BadInput, CandidateFailed
from rosearch.training.fitting import private_generator
from rosearch.training.generator import accepted
from rosearch.training.mate_kd import MateKd, gumbel_noise, straight_through, word_table
from rosearch.training.method import TrainingInputs
from rosearch.training.outputs import teacher_outputs
from rosearch.training.perturbation import with_embeddings
from rosearch.training.trainer import distil

SMALL = {
    "generator_layers": 1,
    "generator_steps_before": 2,
    "generator_steps": 2,
    "student_steps": 3,
    "tokens_at_once": 1024,
}


def training_inputs(inputs: TrainingInputs, *, precision: str = "float32", **settings: Any) -> TrainingInputs:
    return replace(inputs, config=config_of("mate_kd", precision=precision, mate_kd={**SMALL, **settings}))


def make(inputs: TrainingInputs, student: PreTrainedModel, **settings: Any) -> MateKd:
    return MateKd.make(training_inputs(inputs, **settings), student)


def state_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items() if isinstance(tensor, Tensor)}


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture
def student(tokenizer: Any) -> PreTrainedModel:
    return make_student(len(tokenizer))


@pytest.fixture
def batch(inputs: TrainingInputs) -> Batch:
    return collate(inputs.tokenised, np.array([3, 0, 17, 40, 5]))


class TestGumbel:
    @pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
    def test_noise_is_finite_and_float32_at_both_ends(self, kind: torch.dtype) -> None:
        noise = gumbel_noise(torch.tensor([0.0, 1e-30, 0.5, 0.999, 1.0], dtype=kind))
        assert noise.dtype == torch.float32 and noise.isfinite().all()
        assert (noise.diff() >= 0).all()

    def test_noise_is_minus_log_minus_log_u(self) -> None:
        uniform = torch.rand(1000)
        expected = -torch.log(-torch.log(uniform.clone()))
        torch.testing.assert_close(gumbel_noise(uniform), expected)

    def test_the_largest_is_drawn_as_often_as_softmax_says(self) -> None:
        logits = torch.tensor([0.0, 1.0, 2.0])
        drawn = (logits + gumbel_noise(torch.rand(40000, 3))).argmax(-1)
        torch.testing.assert_close(torch.bincount(drawn) / 40000, logits.softmax(0), atol=0.015, rtol=0)


class TestStraightThrough:
    drawn, tables = torch.randn(4, 7), (torch.randn(7, 3), torch.randn(7, 5))

    def test_forwards_it_is_the_row_of_the_table_to_the_bit(self) -> None:
        for written, table in zip(straight_through(self.drawn, 1.0, *self.tables), self.tables, strict=True):
            assert torch.equal(written, table[self.drawn.argmax(-1)])

    @pytest.mark.parametrize("temperature", [1.0, 0.5])
    def test_backwards_it_is_the_published_equation(self, temperature: float) -> None:
        weights = [torch.randn(4, 3), torch.randn(4, 5)]
        gradients = []
        for ours in (True, False):
            drawn = self.drawn.clone().requires_grad_()
            if ours:
                written = straight_through(drawn, temperature, *self.tables)
            else:
                y = (drawn / temperature).softmax(-1)
                hard = F.one_hot(y.argmax(-1), 7).float()
                written = tuple((y + (hard - y).detach()) @ table for table in self.tables)
            sum((w * e).sum() for w, e in zip(weights, written, strict=True)).backward()
            gradients.append(drawn.grad)
        torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize("kind", ["ours", "bert", "distilbert", "roberta"])
def test_embeddings_stand_for_ids_in_every_model(kind: str, inputs: TrainingInputs, tokenizer: Any) -> None:
    """On right-padded rows, where RoBERTa counts positions of ids and of embeddings in two ways."""
    size = len(tokenizer)
    model = (make_student(size) if kind == "ours" else make_auto_student(kind, size)).eval()
    if kind == "roberta":
        model.config.pad_token_id = 0
    batch = collate(inputs.tokenised, np.arange(12))
    assert len(set(inputs.tokenised.lengths[batch.rows])) > 1
    words = word_table(model, size)[batch.input_ids]
    inputs = {**batch.inputs, "token_type_ids": torch.zeros_like(batch.input_ids)}
    by_ids = model(**accepted(model, inputs)).logits
    torch.testing.assert_close(model(**accepted(model, with_embeddings(inputs, words))).logits, by_ids)


def test_a_word_table_that_is_computed_is_that_of_every_id(tokenizer: Any) -> None:
    class Doubled(nn.Embedding):
        def forward(self, ids: Tensor) -> Tensor:
            return 2 * super().forward(ids)

    student = make_student(len(tokenizer))
    student.set_input_embeddings(Doubled(len(tokenizer), 8))
    table = word_table(student, len(tokenizer))
    assert torch.equal(table, 2 * student.get_input_embeddings().weight) and not table.requires_grad


class TestDivergence:
    student = torch.randn(6, 3)

    def test_ce_and_kl_are_the_published_ones(self, inputs: TrainingInputs) -> None:
        teacher = torch.randn(6, 3)
        model = make_student(len(inputs.tokenizer))
        ce = make(inputs, model, divergence="ce").divergence(self.student, teacher)
        kl = make(inputs, model, divergence="kl").divergence(self.student, teacher)
        p = teacher.softmax(-1)
        torch.testing.assert_close(ce, -(p * self.student.log_softmax(-1)).sum(-1).mean())
        torch.testing.assert_close(ce - kl, -(p * p.log()).sum(-1).mean())

    def test_they_pull_the_generator_apart_but_the_student_alike(self, inputs: TrainingInputs) -> None:
        """The teacher's entropy is constant for the student, not for who writes its text."""
        model = make_student(len(inputs.tokenizer))
        gradients = {}
        for kind in ("ce", "kl"):
            student, teacher = self.student.clone().requires_grad_(), torch.ones(6, 3).cumsum(1).requires_grad_()
            make(inputs, model, divergence=kind).divergence(student, teacher).backward()
            gradients[kind] = (student.grad, teacher.grad)
        torch.testing.assert_close(gradients["ce"][0], gradients["kl"][0])
        assert not torch.allclose(gradients["ce"][1], gradients["kl"][1])

    def test_of_scores_is_the_mean_squared_error(self, inputs: TrainingInputs) -> None:
        method = make(replace(inputs, problem="regression"), make_student(len(inputs.tokenizer)))
        scores = torch.tensor([[1.0], [3.0]])
        assert method.divergence(scores, torch.zeros(2, 1)).item() == 5.0


class TestStudentStep:
    def test_weighs_three_losses_alike(self, inputs: TrainingInputs, batch: Batch, student: PreTrainedModel) -> None:
        method = make(inputs, student.eval())
        rows = inputs.outputs.rows(inputs.tokenised, batch)
        with private_generator(CPU, 5):
            parts = list(method.losses(student, batch, rows))
        with private_generator(CPU, 5):
            inputs = method.rewritten(batch)
        logits = student(**batch.inputs).logits
        clean = F.cross_entropy(logits, batch.labels) + method.divergence(logits, rows.logits)
        torch.testing.assert_close(parts[0], clean / 3)
        relabelled = method.teacher(**inputs).logits
        torch.testing.assert_close(parts[1], method.divergence(student(**inputs).logits, relabelled) / 3)

    def test_adds_up_the_same_whatever_passes_at_once(
        self, inputs: TrainingInputs, batch: Batch, student: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(MateKd, "rewritten", lambda method, rows: rows.inputs)
        rows = inputs.outputs.rows(inputs.tokenised, batch)
        whole = list(make(inputs, student.eval()).losses(student, batch, rows))
        two_rows = 3 * batch.input_ids.shape[1] - 1
        pieces = list(make(inputs, student, tokens_at_once=two_rows).losses(student, batch, rows))
        assert (len(whole), len(pieces)) == (2, 6)
        torch.testing.assert_close(torch.stack(pieces).sum(), torch.stack(whole).sum())

    def test_rewrites_hidden_tokens_alone_with_words_alone(
        self, inputs: TrainingInputs, batch: Batch, student: PreTrainedModel, tokenizer: Any
    ) -> None:
        method = make(inputs, student, mask_share=0.5)
        special = torch.tensor(tokenizer.all_special_ids)
        fixed = torch.isin(batch.input_ids, special)
        changed = 0
        for _ in range(20):
            ids = method.rewritten(batch)["input_ids"]
            assert torch.equal(ids[fixed], batch.input_ids[fixed])
            assert not torch.isin(ids[~fixed], special).any()
            changed += int((ids != batch.input_ids).sum())
        assert changed / (20 * int((~fixed).sum())) == pytest.approx(0.5, abs=0.15)

    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    def test_trains_the_student_and_neither_generator_nor_teacher(
        self, precision: str, inputs: TrainingInputs, student: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept: list[MateKd] = []
        states = []

        def before(method: MateKd, model: PreTrainedModel, step: int) -> None:
            kept.append(method)
            states.append((state_of(method.generator), state_of(method.teacher)))

        monkeypatch.setattr(MateKd, "before_step", before)
        was = state_of(student)
        training = distil(student, training_inputs(inputs, precision=precision))
        assert training.steps == 8 and np.isfinite(training.final_loss)
        assert not equal(was, state_of(student))
        for model, state in zip((kept[0].generator, kept[0].teacher), states[0], strict=True):
            assert equal(state, state_of(model))
            assert all(parameter.grad is None for parameter in model.parameters())


class TestGeneratorStep:
    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    def test_trains_the_generator_and_neither_student_nor_teacher(
        self, precision: str, inputs: TrainingInputs, student: PreTrainedModel, batch: Batch
    ) -> None:
        student.train()
        method = make(inputs, student, precision=precision)
        student(**batch.inputs).logits.sum().backward()
        gradients = [parameter.grad.clone() for parameter in student.parameters()]
        states = [state_of(model) for model in (student, method.teacher, method.generator)]
        method.before_step(student, 0)
        assert equal(states[0], state_of(student)) and equal(states[1], state_of(method.teacher))
        assert all(torch.equal(p.grad, g) for p, g in zip(student.parameters(), gradients, strict=True))
        assert all(parameter.grad is None for parameter in method.teacher.parameters())
        assert all(module.training for module in student.modules())
        moved = [not torch.equal(tensor, states[2][name]) for name, tensor in state_of(method.generator).items()]
        assert sum(moved) > 0.8 * len(moved)
        assert all(tensor.isfinite().all() for tensor in state_of(method.generator).values())

    @pytest.mark.parametrize("problem", ["classification", "regression"])
    @pytest.mark.parametrize("divergence", ["ce", "kl"])
    def test_makes_student_and_teacher_differ_more(
        self, problem: str, divergence: str, tokenizer: Any, tmp_path: Path
    ) -> None:
        kind = {"classification": "sentence", "regression": "score"}[problem]
        labels = 2 if problem == "classification" else 1
        task = make_task(kind, train=64)
        folder = save_model(tmp_path / "t", tokenizer, head=True, initializer_range=0.5, num_labels=labels)
        tokenised = tokenise(task.train, tokenizer, 16, tmp_path)
        outputs = teacher_outputs(folder, tokenised, (), tmp_path, CPU)
        settings = {**SMALL, "divergence": divergence, "mask_share": 0.8}
        settings |= {"generator_steps": 20, "generator_learning_rate": 2e-2}
        config = config_of("mate_kd", mate_kd=settings)
        inputs = make_inputs(config, tokenised, outputs, task.train, tokenizer, folder, tmp_path, problem=problem)
        student = make_student(len(tokenizer), problem=problem).eval()
        with torch.no_grad():
            student.classifier.weight.mul_(50)  # a fresh one says the same of every text
        with private_generator(CPU, 3):
            method = MateKd.make(inputs, student)
            before = _divergence_of_rewritten(method, student)
            method.before_step(student, 0)
            after = _divergence_of_rewritten(method, student)
            assert after > 1.1 * before

    def test_does_not_depend_on_how_many_tokens_pass_at_once(
        self, inputs: TrainingInputs, student: PreTrainedModel
    ) -> None:
        gradients = []
        for tokens_at_once in (1024, 60):
            method = make(inputs, student.train(), tokens_at_once=tokens_at_once, generator_steps=1)
            method.optimiser.step = lambda: None  # type: ignore[method-assign, assignment, return-value]
            method.optimiser.zero_grad = lambda: None  # type: ignore[method-assign]
            with private_generator(CPU, 5):
                method.before_step(student, 0)
            gradients.append([parameter.grad for parameter in method.generator.parameters()])
        for first, second in zip(*gradients, strict=True):
            torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-6)

    def test_stops_where_the_gradient_is_not_finite(self, inputs: TrainingInputs, student: PreTrainedModel) -> None:
        method = make(inputs, student)
        with torch.no_grad():
            next(method.generator.parameters()).fill_(float("nan"))
        with pytest.raises(CandidateFailed, match="not finite"):
            method.before_step(student, 0)


@torch.no_grad()
def _divergence_of_rewritten(method: MateKd, student: PreTrainedModel) -> float:
    batch = collate(method.inputs.tokenised, np.arange(64))
    values = []
    for _ in range(10):
        inputs = method.rewritten(batch)
        values.append(method.divergence(student(**inputs).logits, method.teacher(**inputs).logits).item())
    return float(np.mean(values))


def test_the_schedule_is_ten_generator_steps_before_every_hundred(
    inputs: TrainingInputs, student: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (MateKdConfig().generator_steps, MateKdConfig().student_steps) == (10, 100)
    order: list[str] = []
    monkeypatch.setattr(MateKd, "_maximise", lambda method, readers, batch: order.append("G"))
    losses = MateKd.losses
    monkeypatch.setattr(MateKd, "losses", lambda *args: (order.append("S"), losses(*args))[1])
    distil(student, training_inputs(inputs, generator_steps=2, student_steps=3))
    assert "".join(order) == "GGSSSGGSSSGGSS"


def test_the_generator_reads_the_rows_in_an_order_of_its_own(
    inputs: TrainingInputs, student: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(MateKd, "_maximise", lambda method, readers, batch: seen.extend(batch.rows.tolist()))
    method = make(inputs, student, generator_steps=3)
    for turn in range(3):
        method.before_step(student, 3 * turn)
    assert len(seen) == 9 * 32
    assert sorted(seen[:256]) == list(range(256))  # an epoch, then another
    assert seen[256:] != seen[:32]


def test_equal_seeds_give_equal_students_whatever_the_cache_holds(inputs: TrainingInputs, tokenizer: Any) -> None:
    students = [make_student(len(tokenizer)) for _ in range(3)]
    for student, seed in zip(students, (1, 1, 2), strict=True):
        distil(student, replace(training_inputs(inputs, generator_learning_rate=1e-2), seed=seed))
    assert same_weights(students[0], students[1]) and not same_weights(students[0], students[2])


def test_a_generator_goes_on_to_the_same_bits(inputs: TrainingInputs, tokenizer: Any) -> None:
    student = make_student(len(tokenizer))
    first, second = (make(inputs, student, generator_learning_rate=1e-2) for _ in range(2))
    first.before_step(student, 0)
    state, random = copy.deepcopy(first.state_dict()), torch.get_rng_state()
    first.before_step(student, 3)
    second.load_state_dict(state)
    torch.set_rng_state(random)
    second.before_step(student, 3)
    assert same_weights(first.generator, second.generator)
    assert first.batches_seen == second.batches_seen == 4
    assert not any(name.startswith("_teacher") for name in state)


def test_nothing_of_it_is_trained_by_the_students_optimiser(inputs: TrainingInputs, student: PreTrainedModel) -> None:
    assert make(inputs, student).trained() == ()


def test_a_teacher_of_another_vocabulary_is_refused(
    inputs: TrainingInputs, student: PreTrainedModel, tmp_path: Path
) -> None:
    other = save_model(tmp_path / "other", make_tokenizer(("other",)), head=True)
    with pytest.raises(BadInput, match=r"teacher\.model: expected the student's vocabulary of \d+ tokens, got one of"):
        make(replace(inputs, teacher=other), student)


def test_inputs_without_a_teacher_is_refused(inputs: TrainingInputs, student: PreTrainedModel) -> None:
    with pytest.raises(BadInput, match="a teacher, which mate_kd asks about texts that are new, got none"):
        make(replace(inputs, teacher=None), student)
