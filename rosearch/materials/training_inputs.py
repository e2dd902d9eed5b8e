"""A fresh student and the inputs of its training: shared by a search and `rosearch distil`."""

from __future__ import annotations

from pathlib import Path

from rosearch.config.distillation import DistillationConfig
from rosearch.evaluation.adversary import StudentAdversary
from rosearch.materials.class_weights import class_weights
from rosearch.materials.task import TaskMaterials
from rosearch.materials.word_table import word_table
from rosearch.progress import Progress, silent
from rosearch.randomness import derive_seed
from rosearch.space.genotype import Genotype
from rosearch.student.build import build_student, inherit_embeddings
from rosearch.student.inherit import inherit_operations, load_initial
from rosearch.student.modeling_rosearch import StudentForSequenceClassification
from rosearch.training.encoder import load_encoder
from rosearch.training.method import Adversary, TrainingInputs


def fresh_student(
    genotype: Genotype,
    materials: TaskMaterials,
    config: DistillationConfig,
    *,
    seed: int,
    positions: int,
    token_types: int,
) -> StudentForSequenceClassification:
    """An untrained student for the task of the materials, on their device, with the weights that it inherits.

    `positions` and `token_types` are the sizes of the teacher's tables. Equal seeds give equal students.
    """
    tokenizer = materials.tokenizer
    student = build_student(
        genotype,
        labels=materials.task.labels,
        problem=materials.task.problem,
        vocabulary=len(tokenizer),
        positions=positions,
        token_types=token_types,
        pad_token_id=tokenizer.pad_token_id,
        dropout=config.dropout,
        seed=derive_seed(seed, "weights"),
        pieces=tokenizer.convert_ids_to_tokens(range(len(tokenizer))),
    )
    if config.inherit_embeddings:
        teacher = load_encoder(materials.teacher)
        if (words := word_table(materials, config)) is not None:
            words.lend(teacher)
        inherit_embeddings(student, teacher, getattr(tokenizer, "source_ids", None))
    if config.initial is not None:
        inherit_operations(student, load_initial(config.initial))
    student.to(materials.device)
    return student


def training_inputs(
    materials: TaskMaterials,
    config: DistillationConfig,
    *,
    seed: int,
    resources: Path | None = None,
    progress: Progress = silent,
) -> TrainingInputs:
    """The inputs of a method of distillation, on the training rows of the materials."""
    return TrainingInputs(
        config=config,
        problem=materials.task.problem,
        tokenised=materials.train,
        outputs=materials.outputs,
        texts=materials.transfer.texts,
        labels=materials.transfer.labels,
        tokenizer=materials.tokenizer,
        max_length=materials.max_length,
        teacher=materials.teacher if materials.soft is None else None,
        cache=materials.cache,
        device=materials.device,
        seed=derive_seed(seed, "training"),
        resources=resources,
        adversary=_adversary(materials, derive_seed(seed, "adversary")),
        progress=progress,
        class_weights=class_weights(config.class_weights, materials.task),
    )


def _adversary(materials: TaskMaterials, seed: int) -> Adversary | None:
    """The adversary of a student in training; none for a regression, which has no class to flip."""
    if materials.task.problem == "regression":
        return None
    return StudentAdversary(
        train=materials.transfer,
        held_out=materials.task.validation,
        tokenizer=materials.tokenizer,
        max_length=materials.max_length,
        device=materials.device,
        resources=materials.resources,
        cache=materials.cache,
        seed=seed,
    )
