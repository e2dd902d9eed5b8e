"""A distilled student and its teacher on the same rows: quality by split, the meaning that they tell apart, cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedModel

from rosearch.config.experiment import Experiment
from rosearch.data.tokens import tokenise
from rosearch.distil.record import Measured
from rosearch.evaluation.efficiency import measure_efficiency, teacher_cost
from rosearch.evaluation.quality import Logits, predict
from rosearch.materials.task import TaskMaterials, quality_of
from rosearch.measurements import Meaning, Quality, TeacherCost, Training
from rosearch.models.saved import load_classifier
from rosearch.progress import Progress, step
from rosearch.space.genotype import Genotype
from rosearch.student.configuration_rosearch import StudentConfig

_BATCH = 64  # rows at a time where nothing is trained
_Taught = tuple[dict[str, Quality], Meaning | None, TeacherCost]


def compare(
    experiment: Experiment,
    materials: TaskMaterials,
    student: PreTrainedModel,
    training: Training,
    splits: Sequence[str],
    progress: Progress,
) -> Measured:
    """Both models on the rows of the splits, `validation` first; FLOPs of a text no longer than the task's."""
    config = experiment.evaluation.efficiency
    tokens = min(config.tokens, materials.max_length)
    settings = config.model_copy(update={"tokens": tokens, "repeats": 0})
    if materials.soft is None:
        taught, meaning, cost = _of_teacher(materials, splits, tokens, progress)
    else:
        within = experiment.model_copy(
            update={"evaluation": experiment.evaluation.model_copy(update={"efficiency": settings})}
        )
        facts = {split: materials.measure_teacher(within, progress, split) for split in splits}
        taught, meaning, cost = {split: one.quality for split, one in facts.items()}, None, facts[splits[0]].cost
    quality = _qualities(student, materials.tokenizer, materials, splits, progress, "student")
    with step(progress, "meaning"):
        meanings = {"teacher": meaning, "student": materials.meaning(student, materials.tokenizer, splits[0])}
    efficiency = measure_efficiency(student, genotype_of(student), cost, settings, materials.device)
    return Measured(training, efficiency, quality, taught, cost, type(student).__name__, meanings)


def genotype_of(student: PreTrainedModel) -> Genotype | None:
    """The genotype of a student of ours; None for a model of transformers' own."""
    config = student.config
    return Genotype.from_dict(config.genotype) if isinstance(config, StudentConfig) else None


def _of_teacher(materials: TaskMaterials, splits: Sequence[str], tokens: int, progress: Progress) -> _Taught:
    with step(progress, "loading the teacher"):
        teacher, tokenizer = load_classifier(materials.teacher)
        teacher.to(materials.device)
    quality = _qualities(teacher, tokenizer, materials, splits, progress, "teacher")
    with step(progress, "meaning"):
        meaning = materials.meaning(teacher, tokenizer, splits[0])
    return quality, meaning, teacher_cost(teacher, tokens)


def _qualities(
    model: PreTrainedModel, tokenizer: Any, materials: TaskMaterials, splits: Sequence[str], told: Progress, who: str
) -> dict[str, Quality]:
    """By split; the temperature of the later ones is fitted on the rows of the first."""
    first: Logits | None = None
    found = {}
    for name in splits:
        rows = tokenise(materials.split(name), tokenizer, materials.max_length, materials.cache)
        logits = predict(model, rows, materials.device, _BATCH, _named(told, f"{who}, {name}"))
        found[name] = quality_of(logits, materials, name, first)
        first = logits if first is None else first
    return found


def _named(progress: Progress, stage: str) -> Progress:
    return lambda _, done, total: progress(stage, done, total)
