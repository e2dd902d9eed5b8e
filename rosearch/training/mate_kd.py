"""MATE-KD: a masked LM rewrites texts so that student and teacher differ most, and the student learns from them.

MATE-KD: Masked Adversarial TExt, a Companion to Knowledge Distillation (Rashid et al., ACL 2021, arXiv 2105.05912).
docs/methods/mate_kd.md tells the paper's choices from ours. B is the batch, T the tokens, N the hidden tokens of a
batch, V the vocabulary, D the width of a word table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

from rosearch.config.distillation import DistillationConfig
from rosearch.data.batches import Batch, batch_count, training_batches
from rosearch.errors import CandidateFailed
from rosearch.models.device import autocast, resolve_precision
from rosearch.randomness import derive_seed
from rosearch.training.generator import (
    Generator,
    accepted,
    check_vocabulary,
    find_generator,
    open_generator,
    part_of,
    pieces,
)
from rosearch.training.kd import LabelLoss
from rosearch.training.losses import soft_label_loss
from rosearch.training.method import Method, TrainingInputs
from rosearch.training.outputs import TeacherRows
from rosearch.training.perturbation import with_embeddings

_CLIP_NORM = 5.0  # of the generator's gradient, as published
_ROWS = 4096  # rows per pass of a word table that must be computed


class MateKd(Method):
    """loss = (CE(S(x), y) + div(S(x), T(x)) + div(S(x'), T(x'))) / 3, where x' is a text rewritten by the generator.

    Every `student_steps` steps the generator takes `generator_steps` steps of its own, which raise div(S(x'), T(x')).
    """

    one_tokenizer = True

    def __init__(self, inputs: TrainingInputs, generator: Generator, teacher: PreTrainedModel) -> None:
        """Both models must be on the device of the inputs, in eval mode and without gradients."""
        super().__init__()
        self.inputs = inputs
        self.config = inputs.config.mate_kd
        self.label_loss = LabelLoss.of(inputs)
        self.generator = generator
        self._teacher = (teacher,)  # in a tuple, so that it is no submodule and no part of a checkpoint
        rate = self.config.generator_learning_rate
        self.optimiser = torch.optim.AdamW(generator.parameters(), lr=rate, weight_decay=0.0, fused=True)
        self.batches_seen = 0

    @classmethod
    def learns_labels(cls, config: DistillationConfig) -> bool:
        """True: its losses have weights of their own."""
        return True

    @classmethod
    def check(cls, config: DistillationConfig) -> None:
        """See `Method`. Headers are read, no weights."""
        if config.mate_kd.generator is not None:
            find_generator(config.mate_kd.generator)

    @classmethod
    def make(cls, inputs: TrainingInputs, student: PreTrainedModel) -> Self:
        """The method with its generator and the teacher in memory.

        Raises `BadInput` without a teacher, without a mask token, or if the three models have different vocabularies;
        `MissingResource` if the configured generator is missing.
        """
        teacher, tokenizer = inputs.load_teacher()
        check_vocabulary(inputs.tokenizer, tokenizer, "teacher.model", teacher)
        return cls(inputs, open_generator(inputs), teacher)

    @property
    def teacher(self) -> PreTrainedModel:
        """The teacher: frozen, in eval mode."""
        return self._teacher[0]

    def trained(self) -> tuple[nn.Parameter, ...]:
        """No parameters: the generator has an optimiser of its own."""
        return ()

    def losses(self, student: PreTrainedModel, batch: Batch, teacher: TeacherRows) -> Iterator[Tensor]:
        """See the class. The student runs on clean rows, then on the same rows rewritten, piece by piece."""
        for piece in pieces(batch, self.config.tokens_at_once):
            rows = part_of(batch, piece)
            weight = len(rows) / len(batch) / 3
            logits = student(**rows.inputs).logits
            hard = self.label_loss.hard(logits, rows.labels)
            yield weight * (hard + self.divergence(logits, teacher.logits[piece]))
            rewritten = self.rewritten(rows)
            with torch.no_grad():
                answer = self.teacher(**accepted(self.teacher, rewritten)).logits
            yield weight * self.divergence(student(**rewritten).logits, answer)

    def before_step(self, student: PreTrainedModel, step: int) -> None:
        """Trains the generator every `student_steps` steps; gradients pass through student and teacher unchanged."""
        if step % self.config.student_steps:
            return
        size = self.generator.vocabulary
        with _held_still(student), _learning(self.generator):
            readers = [(model, word_table(model, size)) for model in (student, self.teacher)]
            for batch in self._batches():
                self._maximise(readers, batch.to(self.inputs.device))

    def divergence(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Cross-entropy or KL of (B, labels) logits at temperature 1, the mean over rows; MSE for regression."""
        if self.config.divergence == "ce" and self.inputs.problem != "regression":
            return F.cross_entropy(student.float(), teacher.float().softmax(-1))
        return soft_label_loss(student, teacher, self.inputs.problem, 1.0)

    @torch.no_grad()
    def rewritten(self, batch: Batch) -> dict[str, Tensor]:
        """The model inputs of a batch, with the generator's tokens at the masked positions."""
        hidden = self.generator.masking.draw(batch)
        ids = batch.input_ids.clone()
        ids[hidden] = self._drawn(batch, hidden).argmax(-1)
        return {**batch.inputs, "input_ids": ids}

    def get_extra_state(self) -> dict[str, Any]:
        """The state from which the generator's training resumes."""
        return {"optimiser": self.optimiser.state_dict(), "batches_seen": self.batches_seen}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Loads the state of `get_extra_state`."""
        self.optimiser.load_state_dict(state["optimiser"])
        self.batches_seen = state["batches_seen"]

    def _batches(self) -> Iterator[Batch]:
        """The next `generator_steps` batches of the generator's own order of the rows."""
        tokenised, size = self.inputs.tokenised, self.inputs.config.batch_size
        seed = derive_seed(self.inputs.seed, "generator batches")
        epoch, first = divmod(self.batches_seen, batch_count(len(tokenised), size))
        later = (training_batches(tokenised, size, seed, after) for after in count(epoch + 1))
        stream = chain(training_batches(tokenised, size, seed, epoch, first), chain.from_iterable(later))
        for _ in range(self.config.generator_steps):
            self.batches_seen += 1
            yield next(stream)

    def _maximise(self, readers: list[tuple[PreTrainedModel, Tensor]], batch: Batch) -> None:
        """One step of the generator; its gradient is summed over pieces of the batch to bound the memory."""
        device = self.inputs.device
        precision = resolve_precision(device, self.inputs.config.precision)
        hidden = self.generator.masking.draw(batch)
        for piece in pieces(batch, self.config.tokens_at_once):
            rows = part_of(batch, piece)
            with autocast(device, precision, training=True):
                gain = self._gain(readers, rows, hidden[piece])
            (-gain * len(rows) / len(batch)).backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.generator.parameters(), _CLIP_NORM)
        if not norm.isfinite():
            raise CandidateFailed("nan", "the gradient of MATE-KD's generator is not finite", "distil")
        self.optimiser.step()
        self.optimiser.zero_grad()

    def _gain(self, readers: list[tuple[PreTrainedModel, Tensor]], batch: Batch, hidden: Tensor) -> Tensor:
        """div(S(x'), T(x')) with a gradient for the generator."""
        drawn = self._drawn(batch, hidden)
        tables = [table for _, table in readers]
        answers = []
        for (model, table), written in zip(readers, straight_through(drawn, self.config.temperature, *tables)):
            words = table[batch.input_ids]
            words[hidden] = written
            answers.append(model(**accepted(model, with_embeddings(batch.inputs, words))).logits)
        return self.divergence(*answers)

    def _drawn(self, batch: Batch, hidden: Tensor) -> Tensor:
        """Logits with Gumbel noise, (N, V) float32: their argmax is a draw from the generator's distribution.

        Special tokens get -inf: a text holds none, and padding inside a text would shift RoBERTa's positions. The paper
        adds the noise to the log-softmax, which differs by one constant per row: argmax and softmax are the same.
        """
        logits = self.generator(batch.inputs, hidden)
        noise = gumbel_noise(torch.rand_like(logits))
        noise[:, list(self.generator.masking.special)] = -torch.inf
        return noise.add_(logits)


def straight_through(drawn: Tensor, temperature: float, *tables: Tensor) -> tuple[Tensor, ...]:
    """y_ST W (N, D) for each table W (V, D), where y_ST = stopgrad(onehot(argmax y) - y) + y, y = softmax(drawn / tau).

    The forward value is exactly a row of W; the gradient is that of y W. `drawn` is (N, V). Only its gradient and y
    have the same size, and they exist in the backward pass only.
    """
    written: tuple[Tensor, ...] = _StraightThrough.apply(drawn, temperature, *tables)  # type: ignore[no-untyped-call]
    return written


class _StraightThrough(torch.autograd.Function):
    """See `straight_through`."""

    @staticmethod
    def forward(ctx: Any, drawn: Tensor, temperature: float, *tables: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(drawn, *tables)
        ctx.temperature = temperature
        chosen = drawn.argmax(-1)
        return tuple(table[chosen] for table in tables)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        drawn, *tables = ctx.saved_tensors
        of_y = gradients[0] @ tables[0].T
        for gradient, table in zip(gradients[1:], tables[1:], strict=True):
            of_y.addmm_(gradient, table.T)
        y = (drawn / ctx.temperature).softmax(-1)
        of_y -= (y * of_y).sum(-1, keepdim=True)
        return (of_y.mul_(y).div_(ctx.temperature), None, *(None for _ in tables))


def gumbel_noise(uniform: Tensor) -> Tensor:
    """-log(-log U) for U in [0, 1] of any shape, in float32, finite at both ends; a float32 input is overwritten.

    In lower precision U is often exactly 0 or rounded to 1, for which the noise would be infinite.
    """
    kind = torch.finfo(torch.float32)
    u = uniform.float().clamp_(kind.tiny, 1 - kind.eps / 2)
    return u.log_().neg_().log_().neg_()


@torch.no_grad()
def word_table(model: PreTrainedModel, size: int) -> Tensor:
    """W (size, D), detached: the first rows of a model's word table, computed if the embedding is no plain table."""
    table = model.get_input_embeddings()
    if type(table) is nn.Embedding:
        return table.weight.detach()[:size]
    ids = torch.arange(size, device=next(model.parameters()).device).unsqueeze(0)
    return torch.cat([table(ids[:, start : start + _ROWS])[0] for start in range(0, size, _ROWS)])


@contextmanager
def _learning(generator: Generator) -> Iterator[None]:
    """Gives the generator gradients inside the context only; without them, autocast keeps no copies of its weights."""
    generator.requires_grad_(True)
    try:
        yield
    finally:
        generator.requires_grad_(False)


@contextmanager
def _held_still(model: PreTrainedModel) -> Iterator[None]:
    """Switches off the gradients of the model's weights and its dropout, so that pieces of a batch add up to it."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    running = [module for module in model.modules() if module.training]
    model.eval()
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
        for module in running:
            module.training = True
