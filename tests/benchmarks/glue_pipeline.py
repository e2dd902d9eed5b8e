"""What users write today, for the same student: transformers' `Trainer` and TextAttack, in two forms.

- *brief*: a forward pass of the teacher in each step, every text padded to the longest that the task allows, and
  TextAttack's `Attacker` around its `HuggingFaceModelWrapper`, unchanged;
- *tuned*: the teacher's logits computed once, texts grouped by length and padded to the longest of a batch, and
  sequential TextAttack with padding to the longest, inference mode and a memory for words (`attack_rivals.Tuned`).

Both train the student that rosearch builds, from the same initial weights, on the same rows, for as many steps of the
same batch size, learning rate, schedule, decay, clipping and loss, and attack the same rows. `search_throughput` times
them beside rosearch.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainingArguments

from rosearch.evaluation.attacks.prepared import prepare_attack
from rosearch.evaluation.attacks.victim import Victim
from rosearch.evaluation.quality import inference
from rosearch.evaluation.robustness import sample_rows, summarise
from rosearch.materials.life import TaskLife
from rosearch.materials.task import quality_of
from rosearch.measurements import Quality, Robustness
from rosearch.models.saved import load_classifier
from rosearch.training.kd import LabelLoss
from rosearch.training.method import schedule_of
from rosearch.training.outputs import TeacherRows
from tests.benchmarks.attack_rivals import Engine, Stock, Tuned

_BY_LENGTH = ({"train_sampling_strategy": "group_by_length"}, {"group_by_length": True})  # transformers 5, and 4


@dataclass
class Spent:
    """Processor seconds by stage, for all steps and rows that were asked for, and what came out."""

    seconds: dict[str, float] = field(default_factory=dict)
    quality: Quality | None = None
    robustness: Robustness | None = None  # of the tuned form alone

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    @contextmanager
    def stage(self, name: str, share: float = 1.0) -> Iterator[None]:
        """Times what is inside, which is `share` of the whole."""
        start = time.process_time()
        yield
        self.seconds[name] = (time.process_time() - start) / share


def run_pipeline(life: TaskLife, scratch: Path, *, tuned: bool, steps: int | None = None, rows: int = 0) -> Spent:
    """Train, evaluate and attack the student of `life` as users do.

    The first `steps` steps and `rows` attacked rows stand for all of them in the seconds; None and 0: all are done.
    """
    student, spent = life.build(), Spent()
    schedule = schedule_of(life.job.experiment.distillation)
    whole = schedule.steps(len(life.materials.train))
    done = min(whole, steps or whole)
    trainer = _trainer(student, life, scratch, done, tuned)
    with spent.stage("train", done / whole):
        trainer.train()
    with spent.stage("quality"):
        spent.quality = _quality(trainer, life)
    _attack(student.eval(), life, spent, tuned, rows)
    return spent


class _Distillation(Trainer):  # type: ignore[misc]
    """`Trainer` with rosearch's loss; `teacher` answers each batch where no answers come with it."""

    label_loss: LabelLoss
    teacher: PreTrainedModel | None = None

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
        """See transformers."""
        labels, answers = inputs.pop("labels"), inputs.pop("answers", None)
        if answers is None and self.teacher is not None:
            with torch.no_grad():
                answers = self.teacher(**inputs).logits
        output = model(**inputs)
        batch: Any = _Labelled(labels)
        loss = output.logits.sum() * 0 if answers is None else self.label_loss(output.logits, batch, _rows(answers))
        return (loss, output) if return_outputs else loss


@dataclass
class _Labelled:
    labels: Tensor


def _rows(answers: Tensor) -> TeacherRows:
    return TeacherRows(answers.float(), None)


def _trainer(student: Any, life: TaskLife, scratch: Path, steps: int, tuned: bool) -> _Distillation:
    config, materials = life.job.experiment.distillation, life.materials
    collate = _Collate(materials.tokenizer, materials.max_length, to_longest=tuned)
    trainer = _Distillation(
        student,
        arguments(life, scratch, steps, tuned),
        data_collator=collate,
        train_dataset=training_rows(life, answered=tuned),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.label_loss = LabelLoss(config, materials.task.problem)
    trainer.teacher = None if tuned else load_classifier(materials.teacher)[0].eval()
    return trainer


def arguments(life: TaskLife, scratch: Path, steps: int, tuned: bool) -> TrainingArguments:
    """The settings of rosearch's training, as transformers names them."""
    schedule = schedule_of(life.job.experiment.distillation)
    shared: dict[str, Any] = {
        "output_dir": str(scratch),
        "per_device_train_batch_size": schedule.batch_size,
        "per_device_eval_batch_size": schedule.batch_size,
        "learning_rate": schedule.learning_rate,
        "max_steps": steps,
        "warmup_steps": round(schedule.warmup_share * steps),
        "weight_decay": schedule.weight_decay,
        "max_grad_norm": schedule.clip_norm,
        "lr_scheduler_type": "linear",
        "seed": life.job.seed % 2**32,
        "use_cpu": True,
        "remove_unused_columns": False,
        "report_to": "none",
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
    }
    if not tuned:
        return TrainingArguments(**shared)
    try:
        return TrainingArguments(**shared, **_BY_LENGTH[0])
    except TypeError:
        return TrainingArguments(**shared, **_BY_LENGTH[1])


def training_rows(life: TaskLife, *, answered: bool) -> list[dict[str, Any]]:
    """The rows as tokens and labels, with the teacher's logits where they were computed before."""
    train, outputs = life.materials.train, life.materials.outputs
    rows = [{"input_ids": train.row(row).tolist(), "labels": train.labels[row].item()} for row in range(len(train))]
    return [row | {"answers": outputs.logits[at].tolist()} for at, row in enumerate(rows)] if answered else rows


@dataclass
class _Collate:
    """Rows to a batch by the tokenizer's own padding."""

    tokenizer: Any
    max_length: int
    to_longest: bool

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        padding = "longest" if self.to_longest else "max_length"
        texts = [{"input_ids": row["input_ids"]} for row in rows]
        made = self.tokenizer.pad(texts, padding=padding, max_length=self.max_length, return_tensors="pt")
        more = {name: torch.tensor([row[name] for row in rows]) for name in ("labels", "answers") if name in rows[0]}
        return {**made, **more}


def _quality(trainer: _Distillation, life: TaskLife) -> Quality:
    rows = life.materials.tokenised(life.job.split)
    dataset = [{"input_ids": rows.row(row).tolist(), "labels": rows.labels[row].item()} for row in range(len(rows))]
    trainer.teacher = None  # the loss of these rows is not asked for
    return quality_of(trainer.predict(dataset).predictions, life.materials, life.job.split)


def _attack(student: Any, life: TaskLife, spent: Spent, tuned: bool, rows: int) -> None:
    materials, job = life.materials, life.job
    (name,) = job.suite.attacks  # one attack: the worst case of several is rosearch's own idea
    split = materials.split(job.split)
    chosen = sample_rows(len(split), job.suite.rows, job.attack_seed)
    tokenizer = copy.deepcopy(materials.tokenizer)
    tokenizer.model_max_length = materials.max_length  # stock TextAttack pads to it; by default that is 512
    victim = Victim(student, tokenizer, materials.max_length, materials.device)
    texts, labels = [split.texts[row] for row in chosen], [int(split.labels[row]) for row in chosen]
    prepared = prepare_attack(name, texts, job.attack_seed, victim, materials.resources, materials.cache)
    places = range(min(rows or len(chosen), len(chosen)))
    engine, share = Engine(prepared, places, labels), len(places) / len(chosen)
    with inference(student, materials.device):
        rival = Tuned(engine, victim) if tuned else Stock(engine, victim, job.attack_seed % 2**32)
        with spent.stage("attack", share):
            found = rival.run()
    if tuned:
        summary = summarise(prepared.recipe.name, job.attack_seed, found, labels[: len(places)], 0.0)
        spent.robustness = replace(summary, seconds=spent.seconds["attack"])
