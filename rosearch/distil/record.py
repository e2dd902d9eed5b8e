"""The record of a distillation: `distillation.json`, and the facts of the model card."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from rosearch.config.distillation import DistillationConfig
from rosearch.config.experiment import Experiment
from rosearch.distil.inputs import FoundStudent
from rosearch.export.card_facts import CardFacts
from rosearch.export.markdown import as_code
from rosearch.materials.task import TaskMaterials
from rosearch.measurements import (
    BERT_BASE_ENCODER_PARAMETERS,
    BERT_BASE_PARAMETERS,
    Efficiency,
    Meaning,
    Measurements,
    Quality,
    TeacherCost,
    Training,
)
from rosearch.models.places import model_fingerprint
from rosearch.space.genotype import Genotype
from rosearch.training.own_source import function_digests
from rosearch.training.trainer import METHODS, own_settings

_FORMAT = 1


@dataclass(frozen=True)
class Measured:
    """Teacher and student on the same rows. The qualities are by split, `validation` first."""

    training: Training
    efficiency: Efficiency
    quality: Mapping[str, Quality]
    teacher_quality: Mapping[str, Quality]
    teacher_cost: TeacherCost
    architecture: str  # the class of the student
    meaning: Mapping[str, Meaning | None]  # of `teacher` and `student`, on the validation rows


def record_of(
    experiment: Experiment,
    found: FoundStudent,
    materials: TaskMaterials,
    measured: Measured,
    seed: int,
    seconds: Mapping[str, float],
    notes: tuple[str, ...],
) -> dict[str, Any]:
    """The record as plain data: settings and seeds to do it again, and results. It names no folder of this machine."""
    config, efficiency = experiment.distillation, measured.efficiency
    return {
        "format": _FORMAT,
        "date": datetime.date.today().isoformat(),
        "method": config.method,
        "config": _public(own_settings(config)),
        **({"functions": digests} if (digests := function_digests(config)) else {}),
        **({"reads": lists} if (lists := _lists(config)) else {}),
        "task": _task(materials),
        "seeds": {"experiment": experiment.seed, "student": seed},
        "teacher": {
            "model": public_name(experiment.teacher.base),
            "called": experiment.teacher.called,
            **_soft_labels(materials),
            "fingerprint": model_fingerprint(materials.teacher),
            "folder": materials.teacher_folder,
            "cost": asdict(measured.teacher_cost),
        },
        "student": _student(found, measured.architecture),
        "training": _training(measured.training),
        "quality": {
            split: {"teacher": asdict(measured.teacher_quality[split]), "student": asdict(measured.quality[split])}
            for split in measured.quality
        },
        "meaning": {who: None if meaning is None else asdict(meaning) for who, meaning in measured.meaning.items()},
        "efficiency": asdict(efficiency),
        "compression": {
            "teacher": efficiency.compression,
            "teacher_encoder": efficiency.encoder_compression,
            "bert_base": BERT_BASE_PARAMETERS / efficiency.parameters,
            "bert_base_encoder": BERT_BASE_ENCODER_PARAMETERS / efficiency.encoder_parameters,
        },
        "seconds": dict(seconds),
        "notes": list(notes),
        "versions": _versions(),
        "device": str(materials.device),
        "threads": torch.get_num_threads(),
    }


def _lists(config: DistillationConfig) -> dict[str, list[str]]:
    """The word lists and models of the resources that the training reads, by the setting that asks for them."""
    read = METHODS[config.method].reads(config)
    return {setting: list(names) for setting, names in read.items() if names}


def _training(training: Training) -> dict[str, Any]:
    return {name: value for name, value in asdict(training).items() if (name, value) != ("averaging", None)}


def _soft_labels(materials: TaskMaterials) -> dict[str, Any]:
    """The file in the place of a teacher; `model` is then the encoder whose tokenizer and words the student has."""
    soft = materials.soft
    return {} if soft is None else {"outputs": soft.path.name, "digest": soft.key, "answers": len(soft.outputs)}


def _task(materials: TaskMaterials) -> dict[str, Any]:
    task = materials.task
    return {
        "name": task.name,
        "fingerprint": task.fingerprint,
        "rows": {split: len(materials.split(split)) for split in ("train", "validation", "test")},
        "labels": list(task.labels),
        "metric": task.metric,
        "max_length": materials.max_length,
    }


def _student(found: FoundStudent, architecture: str) -> dict[str, Any]:
    return {
        "from": public_name(found.name),
        "architecture": architecture,
        "genotype": None if found.genotype is None else found.genotype.to_dict(),
        "started_from": found.content,
    }


def _origin(found: FoundStudent) -> str:
    layers = ", ".join(map(str, found.layers))
    return f"the teacher's layers {layers} (from 0)" if layers else "fresh weights"


def card_facts(
    experiment: Experiment,
    found: FoundStudent,
    measured: Measured,
    to: Path,
    genotype: Genotype | None,
    notes: tuple[str, ...],
) -> CardFacts:
    """The facts of the model card, with the figures of the last split: the test split if it was measured."""
    split, quality = list(measured.quality.items())[-1]
    task, method = experiment.require_task(), experiment.distillation.method
    begun = _origin(found) if found.folder is None else f"the weights of {as_code(public_name(found.name))}"
    return CardFacts(
        name=to.name,
        task=task.name,
        problem=task.problem,
        labels=tuple(task.labels),
        texts=2 if len(task.text) == 2 else 1,
        max_length=task.length,
        genotype=genotype,
        measurements=Measurements(quality, measured.efficiency, measured.training, meaning=measured.meaning["student"]),
        teacher=public_name(experiment.teacher.name),
        called=experiment.teacher.called,
        run="",
        date=datetime.date.today().isoformat(),
        split=split,
        origin=f"distilled from it (rosearch, method `{method}`), beginning with {begun}",
        architecture=f"{as_code(measured.architecture)} of transformers.",
        teacher_quality=measured.teacher_quality[split],
        notes=notes,
    )


def public_name(name: str) -> str:
    """A name without this machine's folders: the last part of a path, and of the run in RUN:ID."""
    run, colon, record = name.rpartition(":")
    if colon and run != "package":
        return f"{Path(run).name}:{record}"
    return Path(name).name if Path(name).expanduser().exists() else name


def _public(value: Any) -> Any:
    """The same data with public names in place of paths."""
    if isinstance(value, dict):
        return {key: _public(one) for key, one in value.items()}
    return public_name(value) if isinstance(value, str) and "/" in value else value


def _versions() -> dict[str, str]:
    packages = ("rosearch", "torch", "transformers", "tokenizers")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
