"""The materials of a search for students of a task: the task, the teacher and its outputs.

The driver's call does the work (fine-tuning, tokenisation, forward passes) and leaves it in the cache, keyed by
content; a worker's call finds it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from rosearch.config.evaluation import SuiteConfig
from rosearch.config.experiment import Experiment
from rosearch.data.loading import load_task, task_seed
from rosearch.data.soft_labels import SoftLabels
from rosearch.data.tasks import Split, Task
from rosearch.data.tokens import TokenisedSplit, tokenise
from rosearch.encodings.purity import Judge
from rosearch.encodings.tokenizer import student_tokenizer
from rosearch.errors import BadInput, CandidateFailed, Problem
from rosearch.evaluation.attacks.victim import Victim
from rosearch.evaluation.calibration import measure_calibration
from rosearch.evaluation.collapse import collapse
from rosearch.evaluation.contrast import kept_pairs
from rosearch.evaluation.efficiency import teacher_cost
from rosearch.evaluation.quality import Logits, measure_quality, predict
from rosearch.evaluation.robustness import measure_robustness
from rosearch.evaluation.yardstick import kept_facts, yardstick_key
from rosearch.materials.class_weights import weight_doubts
from rosearch.materials.latency import teacher_latency
from rosearch.materials.lineage import check_inherited
from rosearch.materials.meaning import answers_of, measure_meaning, teacher_judge
from rosearch.materials.required_resources import attack_resources, fingerprints, word_lists
from rosearch.materials.soft_labels import given_outputs, open_soft_labels, soft_doubts, soft_facts
from rosearch.materials.suites import UnderAttack, as_suite, attack_seed, suite_of
from rosearch.materials.teacher_classes import class_doubts
from rosearch.measurements import Meaning, Quality, TeacherFacts
from rosearch.models.device import resolve_device
from rosearch.models.lengths import table_rows
from rosearch.models.places import model_fingerprint
from rosearch.models.saved import load_classifier, load_tokenizer
from rosearch.progress import Progress, silent, step
from rosearch.randomness import derive_seed
from rosearch.resources.resources import Resources
from rosearch.student.inherit import check_initial
from rosearch.training.outputs import TeacherOutputs, teacher_outputs
from rosearch.training.teacher import find_teacher, prepare_teacher
from rosearch.training.trainer import required_layers


@dataclass(frozen=True)
class TaskMaterials:
    """Everything that the candidates of one search for students of a task read and none changes."""

    task: Task
    teacher: Path
    tokenizer: Any
    transfer: Split  # all that students learn from; the teacher has answered the rows without labels
    train: TokenisedSplit  # its tokens
    outputs: TeacherOutputs
    device: torch.device
    cache: Path
    max_length: int
    resources: Resources  # of attacks
    lists: Resources  # of words, that encodings may read
    called: Mapping[str, str]  # by name: the recipes behind both suites, and what of the user's own is called
    notes: tuple[str, ...] = ()  # in words: rows that were left out, doubts about the order of the teacher's classes
    soft: SoftLabels | None = None  # in the place of a teacher, whose folder is then of the tokenizer's encoder

    def split(self, name: str) -> Split:
        """The texts and labels of `train`, `validation` or `test`."""
        split: Split = getattr(self.task, name)
        return split

    def tokenised(self, name: str) -> TokenisedSplit:
        """The tokens of a split (tokenised at the first call, then opened)."""
        return tokenise(self.split(name), self.tokenizer, self.max_length, self.cache)

    @property
    def identity(self) -> dict[str, str]:
        """Fingerprints of task, teacher and attacks. A run compares all its candidates on one yardstick."""
        return {
            "task": self.task.fingerprint,
            "teacher outputs": self.outputs.key,
            **self.called,
        }

    @property
    def teacher_folder(self) -> str:
        """The folder, below the cache, of a teacher that was fine-tuned or reordered; "" where it is used as it is."""
        return self.teacher.relative_to(self.cache).as_posix() if self.cache in self.teacher.parents else ""

    @property
    def outputs_of_students(self) -> int:
        """The classes of the task; 1 for a regression."""
        return len(self.task.labels) or 1

    def vocabulary(self, encoding: str) -> int:
        """The pieces of words that a student reads under an encoding: the rows of its word table."""
        return len(self.read_as(encoding).tokenizer)

    def teacher_logits(self, name: str) -> Logits:
        """The teacher's logits (rows, labels) of a split by its own tokenizer, computed at the first call."""
        theirs = tokenise(self.split(name), load_tokenizer(self.teacher), self.max_length, self.cache)
        logits: Logits = teacher_outputs(self.teacher, theirs, (), self.cache, self.device).logits
        return logits

    def read_as(self, encoding: str, progress: Progress = silent) -> TaskMaterials:
        """The same materials for students of a word encoding: its tokenizer, and the training rows tokenised by it."""
        words = (self.transfer.texts, self.lists, self.cache, self.judge(progress))
        with step(progress, f"encoding {encoding}"):
            tokenizer = student_tokenizer(self.tokenizer, encoding, *words)
        if tokenizer is self.tokenizer:
            return self
        train = tokenise(self.transfer, tokenizer, self.max_length, self.cache, progress)
        return replace(self, tokenizer=tokenizer, train=train)

    def judge(self, progress: Progress = silent) -> Judge | None:
        """The teacher as a judge of words. A regression has no answer that stays, a file none for other texts."""
        if self.task.problem == "regression" or self.soft is not None:
            return None
        return teacher_judge(self.teacher, self.max_length, self.device, progress)

    def meaning(
        self, model: PreTrainedModel, tokenizer: Any, split: str, *, of_teacher: bool = False
    ) -> Meaning | None:
        """The meaning that a classifier tells apart, on changes of a split's rows; None for a regression.

        `of_teacher`: the classifier is the teacher itself, which is then asked about a text once.
        """
        if self.task.problem == "regression":
            return None
        rows, judge = self.split(split), self.judge()
        answers = answers_of(model, tokenizer, self.max_length, self.device)
        asked = answers if of_teacher or judge is None else judge.answers
        pairs = [] if judge is None else kept_pairs(rows, asked, judge.key, self.cache)
        return measure_meaning(answers, pairs, len(rows.texts[0]), tokenizer)

    def measure_teacher(
        self, experiment: Experiment, progress: Progress = silent, split: str = "validation"
    ) -> TeacherFacts:
        """The teacher's quality, and robustness under the suite of a split; its cost, timed on the first.

        Of soft labels the quality alone is known. Raises `BadInput` where outputs are not finite, or no attack runs.
        """
        if self.soft is not None:
            facts = soft_facts(self.soft, self.task, split, self.teacher, experiment.evaluation.efficiency.tokens)
            return replace(facts, notes=(*facts.notes, *self.notes))
        try:
            return self._measure_teacher(experiment, progress, split)
        except CandidateFailed as failure:
            problem = Problem("experiment", "teacher.model", "a teacher that can be measured", str(failure))
            raise BadInput(problem) from None

    def _measure_teacher(self, experiment: Experiment, progress: Progress, split: str) -> TeacherFacts:
        facts = self.figures_of_teacher(experiment, progress, split)
        with step(progress, "meaning and latency"):
            timed = split == "validation"  # once: another timing would renew the machine's table in the middle of a run
            latency = teacher_latency(self.loaded_teacher, self.teacher, experiment, self.cache) if timed else None
        return replace(facts, latency_ms=latency, notes=self.notes, folder=self.teacher_folder)

    def figures_of_teacher(self, experiment: Experiment, progress: Progress, split: str) -> TeacherFacts:
        """All but its latency, from the cache where it was measured before."""
        # The yardstick is measured on all rows, however hopeless.
        suite = suite_of(experiment, split).model_copy(update={"hopeless": None})
        tokens, seed = experiment.evaluation.efficiency.tokens, attack_seed(experiment, split)
        key = self._yardstick_key(split, suite, seed, tokens)
        return kept_facts(self.cache, key, partial(self._teacher_facts, split, suite, seed, tokens, progress))

    def _yardstick_key(self, split: str, suite: SuiteConfig, seed: int, tokens: int) -> str:
        judge = self.judge()
        rows = (model_fingerprint(self.teacher), self.tokenised(split).key, self.split(split).fingerprint)
        task = (self.task.problem, self.task.metric, *self.task.labels)
        settings = (str(seed), str(tokens), str(self.max_length), "" if judge is None else judge.key)
        attacked = None if judge is None else as_suite(suite)
        return yardstick_key([*rows, *task, *settings], attacked, self.resources, self.device)

    def _teacher_facts(
        self, split: str, suite: SuiteConfig, seed: int, tokens: int, progress: Progress
    ) -> TeacherFacts:
        with step(progress, "loading the model"):
            model = self.loaded_teacher()
        logits = predict(model, self.tokenised(split), self.device, 64, progress)
        under = run_suite(model, self, split, suite, seed, progress)
        positions, token_types = table_rows(model.config)
        with step(progress, "meaning and latency"):
            meaning = self.meaning(model, self.tokenizer, split, of_teacher=True)
        return TeacherFacts(
            quality=quality_of(logits, self, split),
            cost=teacher_cost(model, tokens),
            positions=positions,
            token_types=token_types,
            robustness=under.robustness,
            attacks=under.attacks,
            single_swaps=under.single_swaps,
            meaning=meaning,
        )

    def loaded_teacher(self) -> PreTrainedModel:
        """On the device, in eval mode."""
        return load_classifier(self.teacher)[0].to(self.device).eval()


def prepare_materials(experiment: Experiment, cache: Path, progress: Progress = silent) -> TaskMaterials:
    """Load the task, fine-tune the teacher where needed, tokenise, and compute the teacher's outputs.

    Raises `BadInput` for data or a teacher that do not fit; `MissingResource` for missing resources, those of the
    attacks first.
    """
    resources = attack_resources(experiment)
    materials = gather_materials(experiment, cache, progress, called=fingerprints(experiment, resources))
    if experiment.fitness.reward is not None:
        materials.teacher_logits("validation")  # computed once, here: a reward compares candidates with them
    return materials


def gather_materials(
    experiment: Experiment,
    cache: Path,
    progress: Progress = silent,
    *,
    called: Mapping[str, str] | None = None,
    task: Task | None = None,
    tokenizer: Any = None,
) -> TaskMaterials:
    """Prepare the materials without a look at the attacks: they are resolved already, or none is run.

    `task` is the experiment's task if it is loaded already. `tokenizer` is the student's if it is not the teacher's:
    rows are then tokenised by both, and the teacher's outputs are for its own tokens, row by row.
    """
    device = resolve_device(experiment.execution.own_device)
    with step(progress, "loading data"):
        task = task or load_task(experiment.require_task(), task_seed(experiment))
    weighed = weight_doubts(experiment.distillation, task)
    max_length, seed = experiment.require_task().length, derive_seed(experiment.seed, "teacher")
    if (soft := open_soft_labels(experiment, task)) is not None:
        folder = find_teacher(experiment.teacher, task, max_length).weights
    else:
        folder = prepare_teacher(experiment.teacher, task, max_length, cache, device, seed, progress)
    theirs = load_tokenizer(folder)
    if experiment.distillation.initial is not None:
        check_initial(experiment.distillation.initial, len(theirs))
    check_inherited(experiment.distillation, folder)
    train = tokenise(task.transfer, theirs, max_length, cache, progress)
    if soft is not None:
        outputs, doubts = given_outputs(soft, task), soft_doubts(soft, task)
    else:
        outputs = teacher_outputs(folder, train, required_layers(experiment.distillation), cache, device, progress)
        doubts = class_doubts(folder, outputs, task)
    notes = (*dropped_rows(task), *doubts, *weighed)
    transfer = task.answered(outputs.logits)
    train = tokenise(transfer, tokenizer or theirs, max_length, cache, progress)
    read = (transfer, train, outputs, device, cache, max_length, attack_resources(experiment), word_lists(experiment))
    return TaskMaterials(task, folder, tokenizer or theirs, *read, called or {}, notes, soft)


def dropped_rows(task: Task) -> tuple[str, ...]:
    """In words, how many rows of each split were left out; nothing where none was."""
    counts = ", ".join(f"{rows:,} of {split}" for split, rows in task.dropped.items())
    return (f"rows without a text or a label were left out (task.on_bad_rows: drop): {counts}",) if counts else ()


def quality_of(logits: Logits, materials: TaskMaterials, split: str, validation: Logits | None = None) -> Quality:
    """Quality from the logits (rows, labels) of a split, with a warning on constant predictors and lost classes.

    `validation` are the same model's logits of the validation rows, for the temperature of another split.
    """
    task, labels = materials.task, materials.split(split).labels
    quality = measure_quality(logits, labels, task.problem, task.metric)
    if task.problem == "regression":
        return quality
    fitted = None if validation is None else (validation, materials.split("validation").labels)
    given_up = collapse(logits.argmax(axis=1), labels, task.labels).warning
    return replace(quality, collapse=given_up, calibration=measure_calibration(logits, labels, fitted))


def run_suite(
    model: Any, materials: TaskMaterials, split: str, config: SuiteConfig, seed: int, progress: Progress
) -> UnderAttack:
    """Attack a teacher or student with a suite on a split. A regression has no class to flip: it gets no results."""
    if materials.task.problem == "regression":
        return UnderAttack()
    rows = materials.split(split)
    found = measure_robustness(
        Victim(model, materials.tokenizer, materials.max_length, materials.device),
        rows.texts,
        rows.labels,
        as_suite(config),
        seed=seed,
        resources=materials.resources,
        cache=materials.cache,
        progress=progress,
    )
    return UnderAttack(found.worst, found.attacks, found.single_swaps)
