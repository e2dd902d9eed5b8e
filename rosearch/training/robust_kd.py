"""Robust distillation (ours): the student learns the teacher's outputs for a clean text on its perturbations too.

loss = clean label loss + weight tau^2 KL(teacher(clean) || student(perturbed)) + consistency between the student's two.
Where a perturbation changes the meaning, the teacher is asked about the perturbed text, and consistency is left out.

Random perturbations alone are known to help little (9.9 % for random typos against 71.3 % for robust encodings,
arXiv 2005.01229). Therefore a gradient, or a table of n-grams, chooses the worst replacements of words (`guided`), and
the student learns texts that attacks find against its present weights (online adversarial training, arXiv 2104.05062).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from rosearch.config.distillation import DistillationConfig
from rosearch.data.batches import Batch, batch_of_texts
from rosearch.errors import BadInput, Problem
from rosearch.measurements import Averaging
from rosearch.randomness import derive_seed
from rosearch.training.averaging import RunningMean, Snapshots, evaluated
from rosearch.training.checkpoint import State
from rosearch.training.embedding_sources import EMBEDDING_SOURCES, EmbeddingSource
from rosearch.training.generator import accepted
from rosearch.training.guided import Guide
from rosearch.training.kd import LabelLoss
from rosearch.training.losses import symmetric_loss
from rosearch.training.method import Method, Text, TrainingInputs
from rosearch.training.ngrams import Rarest
from rosearch.training.outputs import TeacherRows
from rosearch.training.own_source import function_digests, own_sources
from rosearch.training.sources import TEXT_SOURCES, lists_of, open_sources
from rosearch.training.text_sources import Listed, Source


class RobustKd(Method):
    """See the module. One source, drawn at random, perturbs a batch; perturbed text is tokenised for the student.

    `found` holds texts that broke the student when it was last attacked, each with its row.
    """

    def __init__(
        self,
        inputs: TrainingInputs,
        texts: Mapping[str, Source],
        embeddings: dict[str, EmbeddingSource],
        mean: RunningMean | None,
        teacher: tuple[PreTrainedModel, Any] | None = None,
    ) -> None:
        """`teacher` is a model in eval mode and its tokenizer, for sources that ask it."""
        super().__init__()
        self.inputs = inputs
        self.config = inputs.config.robust_kd
        self.label_loss = LabelLoss.of(inputs)
        self.texts = texts
        self.embeddings = embeddings
        self.mean = mean
        self.snapshots = None if self.config.snapshots is None else Snapshots(self.config, inputs.steps)
        self.teacher = teacher  # in a tuple, so that it is no submodule and no part of a checkpoint
        self.guide = Guide(inputs.tokenizer) if self.config.guide == "gradient" else Rarest(inputs.texts)
        self.found: list[tuple[int, Text]] = []
        self.step = 0

    @classmethod
    def reads(cls, config: DistillationConfig) -> dict[str, tuple[str, ...]]:
        """The word lists of the configured sources."""
        return {"distillation.robust_kd.sources": lists_of(config.robust_kd.sources)}

    @classmethod
    def check(cls, config: DistillationConfig) -> None:
        """Tries each source of the user's own on two texts. Raises `BadInput` with all that is wrong."""
        own_sources(config, tried=True)

    @classmethod
    def make(cls, inputs: TrainingInputs, student: PreTrainedModel) -> Self:
        """The method with its sources opened.

        Raises `BadInput` for attacks without an adversary, and for a source that asks a teacher without one;
        `MissingResource` for missing word lists.
        """
        config = inputs.config.robust_kd
        for name, key in config.run_attacks.items() if inputs.adversary is None else ():
            raise BadInput(Problem("experiment", f"distillation.robust_kd.{key}", "none: nobody attacks here", name))
        listed = [name for name in config.sources if name in TEXT_SOURCES]
        texts = {**open_sources(listed, inputs), **own_sources(inputs.config)}
        teacher = inputs.load_teacher() if any(source.asks_teacher for source in texts.values()) else None
        embeddings: dict[str, EmbeddingSource] = {
            name: EMBEDDING_SOURCES[name](inputs, student) for name in config.sources if name in EMBEDDING_SOURCES
        }
        mean = None if config.average is None else RunningMean(config.average)
        return cls(inputs, texts, embeddings, mean, teacher)

    def content(self) -> dict[str, str]:
        """Digests of the user's own sources and attacks, and of the masked LM; and the differences from rosearch 0.1.0.

        There the running mean began untrained, and stop words changed.
        """
        own = {f"function {name}": digest for name, digest in function_digests(self.inputs.config).items()}
        if "refill" in self.config.sources:
            own["masked LM"] = self.inputs.lists.fingerprint(lists_of(["refill"]))
        mean = {} if self.mean is None else {"running mean": "begins after the first step"}
        return {"perturbed words": "no stop words", **mean, **own}

    def before_step(self, student: PreTrainedModel, step: int) -> None:
        """Updates the running mean, and attacks the student every `attack_every` steps."""
        self.step = step
        if self.mean is not None and step:
            self.mean.update(student)
        if self.snapshots is not None:
            self.snapshots.before_step(student, step)
        if self.config.attacks and step and step % self.config.attack_every == 0:
            self._attack(student)

    def losses(self, student: PreTrainedModel, batch: Batch, teacher: TeacherRows) -> Iterator[Tensor]:
        """The loss on the clean rows, then that on perturbed ones: other words, or moved input embeddings."""
        rng = np.random.default_rng(derive_seed(self.inputs.seed, "perturbation", replicate=self.step))
        embeddings = student.get_input_embeddings()(batch.input_ids)
        embeddings.retain_grad()
        others = {name: value for name, value in batch.inputs.items() if name != "input_ids"}
        logits = student(**others, inputs_embeds=embeddings).logits
        clean = logits.detach()
        yield self.label_loss(logits, batch, teacher)
        name = self.config.sources[int(rng.integers(len(self.config.sources)))]
        if name in self.embeddings:
            moved = self.embeddings[name](student, batch, teacher, self._strength())
            yield self._perturbed_loss(student(**moved).logits, clean, teacher.logits)
            return
        # By now the clean loss was propagated back, so the gradient of the embeddings costs nothing more.
        perturbed, targets, own = self._perturbed_batch(student, batch, teacher, name, embeddings.grad, rng)
        yield self._perturbed_loss(student(**perturbed.inputs).logits, clean, targets, own)

    def _perturbed_loss(self, logits: Tensor, clean: Tensor, targets: Tensor, own: Tensor | None = None) -> Tensor:
        """The loss on perturbed rows. `own` (B,) is False for rows of other texts, which consistency leaves out."""
        total = self.config.weight * self.label_loss.soft(logits, targets)
        own = torch.ones(len(logits), dtype=torch.bool, device=logits.device) if own is None else own
        if self.config.consistency and own.any():
            total = total + self.config.consistency * symmetric_loss(logits[own], clean[own], self.inputs.problem)
        return total

    def _strength(self) -> float:
        """The strength of the perturbations, 0 to 1, which rises over the ramp."""
        ramp = self.config.ramp * self.inputs.steps
        return 1.0 if ramp == 0 else min(1.0, (self.step + 1) / ramp)

    def _perturbed_batch(
        self,
        student: PreTrainedModel,
        batch: Batch,
        teacher: TeacherRows,
        name: str,
        gradient: Tensor | None,
        rng: np.random.Generator,
    ) -> tuple[Batch, Tensor, Tensor]:
        """The perturbed batch, the teacher's clean logits of its rows, and a mask (B,) of the rows from `batch`."""
        rows, share = np.asarray(batch.rows), self.config.words * self._strength()
        source, clean = self.texts[name], [self.inputs.texts[row] for row in batch.rows.tolist()]
        texts = source.perturb(clean, share, rng)
        if self.config.guided and gradient is not None and isinstance(source, Listed):
            if isinstance(self.guide, Rarest):
                guided = self.guide.perturb(clean, source, share, rng)
            else:
                ids, embed = batch.input_ids.cpu().numpy(), student.get_input_embeddings()
                guided = self.guide.perturb(clean, ids, gradient, embed, source, share, rng)
            at_random = rng.random(len(rows)) >= self.config.guided
            texts = [
                text if made is None or chance else made
                for text, made, chance in zip(texts, guided, at_random.tolist(), strict=True)
            ]
        targets, own = teacher.logits, np.full(len(rows), not source.asks_teacher)
        if source.asks_teacher:
            targets = self._asked(texts, rows).to(targets)
        elif self.found:
            own = rng.random(len(rows)) >= self.config.attack_share
            rows = rows.copy()
            for place in np.flatnonzero(~own):
                rows[place], texts[place] = self.found[int(rng.integers(len(self.found)))]
            targets = torch.from_numpy(np.asarray(self.inputs.outputs.logits[rows])).to(targets)
        return self._batch(texts, rows), targets, torch.from_numpy(own).to(targets.device)

    def _batch(self, texts: list[Text], rows: Any, tokenizer: Any = None) -> Batch:
        labels = self.inputs.tokenised.labels[rows]
        batch = batch_of_texts(texts, rows, labels, tokenizer or self.inputs.tokenizer, self.inputs.max_length)
        return batch.to(self.inputs.device)

    @torch.no_grad()
    def _asked(self, texts: list[Text], rows: Any) -> Tensor:
        """The teacher's logits of perturbed rows."""
        assert self.teacher is not None
        model, tokenizer = self.teacher
        logits: Tensor = model(**accepted(model, self._batch(texts, rows, tokenizer).inputs)).logits
        return logits

    def _attack(self, student: PreTrainedModel) -> None:
        assert self.inputs.adversary is not None
        seed = derive_seed(self.inputs.seed, "adversary", replicate=self.step)
        # Rows are drawn in proportion to their length: a phrase of two words has little to attack.
        lengths = self.inputs.tokenised.lengths.astype(np.float64)
        count = min(self.config.attack_rows, len(lengths))
        rows = np.random.default_rng(seed).choice(len(lengths), count, replace=False, p=lengths / lengths.sum())
        with evaluated(student):
            found = self.inputs.adversary.find(student, rows, self.config.attacks, seed)
        keep = self.config.attack_rows * len(self.config.attacks)  # most texts kept from earlier attacks
        self.found = [*found, *self.found[:keep]]

    def kept(self) -> Mapping[str, State]:
        """The snapshots so far."""
        return {} if self.snapshots is None else self.snapshots.kept()

    def take_kept(self, kept: Mapping[str, State]) -> None:
        """Loads snapshots."""
        if self.snapshots is not None:
            self.snapshots.take_kept(kept)

    def finish(self, student: PreTrainedModel) -> Averaging | None:
        """Gives the student the greedy mean of the snapshots, or the running mean if that is the more robust."""
        if self.mean is not None:  # whose last weights are still to come
            self.mean.update(student)
            self.mean.choose(student, self.inputs)
        return None if self.snapshots is None else self.snapshots.choose(student, self.inputs, self.step + 1)

    def get_extra_state(self) -> dict[str, Any]:
        """The state for a resume: the found texts and the running mean."""
        mean = {} if self.mean is None else {"updates": self.mean.updates, "weights": self.mean.weights}
        found = [[row, list(text)] for row, text in self.found]
        return {"found": found, "mean": mean, "step": self.step}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Loads the state of `get_extra_state`."""
        self.found = [(row, tuple(text)) for row, text in state["found"]]
        self.step = state.get("step", 0)  # a training that is at its end has no step to come
        if self.mean is not None:
            self.mean.updates, self.mean.weights = state["mean"]["updates"], state["mean"]["weights"]
