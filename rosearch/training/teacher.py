"""The teacher: a folder with a classifier for the task; given, fine-tuned, or with its labels put in our order."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoModelForSequenceClassification

from rosearch.config.teacher import TeacherConfig
from rosearch.data.tasks import Task
from rosearch.errors import BadInput, Problem
from rosearch.files import content_key, made_once
from rosearch.models.device import resolve_precision
from rosearch.models.heads import has_head, label_names, label_order, reorder_head
from rosearch.models.lengths import ids_without_words, text_positions
from rosearch.models.places import folder_fingerprint, locate_weights
from rosearch.models.saved import asked_by, load_classifier, open_model, save_model
from rosearch.progress import Progress, silent, step
from rosearch.training.checkpoint import Checkpoint
from rosearch.training.fine_tuning import FineTuning, fine_tune

_FORMAT = "1"  # part of every key: raise it when fine-tuning or the files change
_TEACHERS = "teachers"  # a folder of the cache
_FACTS = "teacher.json"  # written last; without it a folder is not whole


def prepare_teacher(
    config: TeacherConfig,
    task: Task,
    max_length: int,
    cache: Path,
    device: torch.device,
    seed: int,
    progress: Progress = silent,
) -> Path:
    """A folder with a sequence classifier whose outputs are in the order of `task.labels`, and its tokenizer.

    A model with a classification head is used as it is; where its labels stand in another order, a reordered copy is
    kept in the cache. Pretrained weights are fine-tuned once, and kept under a key of weights, training split and
    settings. Raises `MissingResource` where the weights are not there, `BadInput` where they do not fit the task.
    """
    with step(progress, "loading the teacher"):
        found = find_teacher(config, task, max_length)
    if not found.has_head:
        asked = FineTuning(found.weights, config.fine_tune, task, max_length, device, seed)
        return _fine_tuned(asked, config.model, cache, progress)
    order = found.label_order
    if order is None:
        return found.weights
    key = _key(folder_fingerprint(found.weights), *task.labels)
    return _kept(cache, key, lambda folder: _save_reordered(found.weights, order, task, folder))


@dataclass(frozen=True)
class FoundTeacher:
    """The model that the experiment names; `label_order` is None where its outputs stand in the task's order.

    Beside soft labels it is the encoder whose tokenizer and words students have; nothing of it is trained.
    """

    weights: Path
    has_head: bool  # without one, it is fine-tuned at the first run
    label_order: tuple[int, ...] | None = None


def find_teacher(config: TeacherConfig, task: Task, max_length: int) -> FoundTeacher:
    """Locates a teacher, looks whether it is whole, and checks it against the task; its weights are not loaded.

    Raises `MissingResource` where it is not there, `BadInput` where a part of it is missing or damaged (only a model
    that was saved without a head may lack it) or where its positions or labels do not fit.
    """
    weights, soft = locate_weights(config.base, config.key), config.outputs is not None
    with asked_by("experiment", config.key):
        kind = AutoModel if soft else AutoModelForSequenceClassification
        teacher, tokenizer = open_model(kind, weights, trains_head=not soft)
    if faults := ids_without_words(tokenizer):
        raise BadInput([Problem("experiment", config.key, *fault) for fault in faults])
    if tokenizer.pad_token_id is None:
        raise BadInput(Problem("experiment", config.key, "a tokenizer that pads", f"{weights} has no pad token"))
    _check_positions(teacher, weights, max_length, config.key)
    if soft:
        return FoundTeacher(weights, has_head=True)
    if not has_head(teacher):
        return FoundTeacher(weights, has_head=False)
    advice = "weights without a classification head are fine-tuned for the task"
    return FoundTeacher(weights, has_head=True, label_order=label_order(teacher, task, config.model, advice))


def _fine_tuned(asked: FineTuning, name: str, cache: Path, progress: Progress) -> Path:
    """The folder of the fine-tuned weights, from the cache where they are there; `name` is the model's.

    After Ctrl-C, a kill or a full disk the same call goes on with the training, whose state lies beside the folder.
    """
    task = asked.task
    key = _key(
        folder_fingerprint(asked.weights),
        asked.config.model_dump_json(),
        task.problem,
        *task.labels,
        task.train.fingerprint,
        str(asked.max_length),
        str(asked.seed),
        resolve_precision(asked.device, "auto"),
    )

    checkpoint = Checkpoint(cache / _TEACHERS / f"{key}.unfinished", disposable=True)

    def make(folder: Path) -> dict[str, Any]:
        start = time.perf_counter()
        model, tokenizer, training = fine_tune(asked, cache, progress, checkpoint)
        save_model(model, tokenizer, folder)
        return {
            "model": name,
            "task": task.name,
            "rows": len(task.train),
            "max_length": asked.max_length,
            "seed": asked.seed,
            "fine_tune": asked.config.model_dump(),
            "steps": training.steps,
            "final_loss": training.final_loss,
            "precision": training.precision,
            "device": str(asked.device),
            "threads": torch.get_num_threads(),
            "seconds": round(time.perf_counter() - start, 1),
        }

    teacher = _kept(cache, key, make)
    checkpoint.remove()
    return teacher


def _check_positions(teacher: Any, weights: Path, max_length: int, key: str = "teacher.model") -> None:
    if (positions := text_positions(teacher)) is None:
        expected = "a model with max_position_embeddings"
        raise BadInput(Problem("experiment", key, expected, f"{weights.name} ({teacher.model_type})"))
    if max_length > positions:
        expected = f"at most {positions}, the positions of the teacher ({weights.name})"
        raise BadInput(Problem("experiment", "task.max_length", expected, str(max_length)))


def _save_reordered(weights: Path, order: tuple[int, ...], task: Task, folder: Path) -> dict[str, Any]:
    model, tokenizer = load_classifier(weights)
    reorder_head(model, order, weights.name)
    model.config.update(label_names(task))
    save_model(model, tokenizer, folder)
    return {"model": str(weights), "label_order": list(order)}


def _key(*parts: str) -> str:
    return content_key((_FORMAT, *parts))


def _kept(cache: Path, key: str, make: Callable[[Path], dict[str, Any]]) -> Path:
    """The folder `cache/teachers/KEY`. Where it is absent or torn, `make` fills it and returns the facts about it."""

    def fill(draft: Path) -> None:
        facts = make(draft)
        facts["files"] = {path.name: path.stat().st_size for path in sorted(draft.iterdir())}
        (draft / _FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    return made_once(cache / _TEACHERS / key, lambda folder: folder if _is_whole(folder) else None, fill)


def _is_whole(folder: Path) -> bool:
    try:
        sizes = json.loads((folder / _FACTS).read_text(encoding="utf-8"))["files"]
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError):
        return False
