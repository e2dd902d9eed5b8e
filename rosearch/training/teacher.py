"""The teacher: a folder with a classifier for the task; given, fine-tuned, or with its labels put in our
order.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel

from rosearch.config.experiment import TeacherConfig
from rosearch.data.tasks import Task
from rosearch.errors import BadInput, Problem
from rosearch.models.device import resolve_precision
from rosearch.models.lengths import text_positions
from rosearch.models.weights import folder_fingerprint, locate_weights
from rosearch.progress import Progress, silent
from rosearch.training.fine_tuning import fine_tune, label_names

_FORMAT = "1"  # part of every key: raise it when fine-tuning or what is written changes
_UNNAMED = re.compile(r"LABEL_\d+")  # what transformers calls a label that nobody named
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

    A model that has a classification head is used as it is (a copy in the cache where its labels stand in
    another order); pretrained weights are fine-tuned once and kept under a key of weights, training split,
    settings. Raises `MissingResource` where the weights are not there and `BadInput` where they do not fit
    the task.
    """
    found = find_teacher(config, task, max_length)
    if not found.has_head:
        return _fine_tuned(found.weights, config, task, max_length, cache, device, seed, progress)
    order = found.label_order
    if order is None:
        return found.weights
    key = _key(folder_fingerprint(found.weights), *task.labels)
    return _kept(cache, key, lambda folder: _save_reordered(found.weights, order, task, folder))


@dataclass(frozen=True)
class FoundTeacher:
    """What lies at the place that the experiment names; `label_order` is None where the outputs stand in our order."""

    weights: Path
    has_head: bool  # otherwise it is fine-tuned at the first run
    label_order: tuple[int, ...] | None = None


def find_teacher(config: TeacherConfig, task: Task, max_length: int) -> FoundTeacher:
    """Locate a teacher and hold its configuration against the task, without loading its weights.

    Raises `MissingResource` where it is not there and `BadInput` where its positions or labels do not fit.
    """
    weights = locate_weights(config.model)
    try:
        teacher = AutoConfig.from_pretrained(weights, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(weights, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        expected = "a folder with the configuration, weights and tokenizer of a transformers model"
        raise BadInput(Problem("experiment", "teacher.model", expected, f"{weights}: {_one_line(error)}")) from None
    if tokenizer.pad_token_id is None:
        raise BadInput(Problem("experiment", "teacher.model", "a tokenizer that pads", f"{weights} has no pad token"))
    _check_positions(teacher, weights, max_length)
    if not has_head(teacher):
        return FoundTeacher(weights, has_head=False)
    advice = "weights without a classification head are fine-tuned for the task"
    return FoundTeacher(weights, has_head=True, label_order=label_order(teacher, task, config.model, advice))


def load_teacher(folder: Path) -> tuple[PreTrainedModel, Any]:
    """The classifier in eval mode, frozen, in float32 on the CPU, and its tokenizer."""
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
    )
    model.eval().requires_grad_(False)
    return model, AutoTokenizer.from_pretrained(folder, local_files_only=True)


def _fine_tuned(
    weights: Path,
    config: TeacherConfig,
    task: Task,
    max_length: int,
    cache: Path,
    device: torch.device,
    seed: int,
    progress: Progress,
) -> Path:
    """The folder of the fine-tuned weights, from the cache where they are there."""
    key = _key(
        folder_fingerprint(weights),
        config.fine_tune.model_dump_json(),
        task.problem,
        *task.labels,
        task.train.fingerprint,
        str(max_length),
        str(seed),
        resolve_precision(device, "auto"),
    )

    def make(folder: Path) -> dict[str, Any]:
        start = time.perf_counter()
        model, tokenizer, training = fine_tune(
            weights, config.fine_tune, task, max_length, cache, device, seed, progress
        )
        save_whole(model, tokenizer, folder)
        return {
            "model": config.model,
            "task": task.name,
            "rows": len(task.train),
            "max_length": max_length,
            "seed": seed,
            "fine_tune": config.fine_tune.model_dump(),
            "steps": training.steps,
            "final_loss": training.final_loss,
            "precision": training.precision,
            "device": str(device),
            "threads": torch.get_num_threads(),
            "seconds": round(time.perf_counter() - start, 1),
        }

    return _kept(cache, key, make)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _check_positions(teacher: Any, weights: Path, max_length: int) -> None:
    if (positions := text_positions(teacher)) is None:
        expected = "a model with max_position_embeddings"
        raise BadInput(Problem("experiment", "teacher.model", expected, f"{weights.name} ({teacher.model_type})"))
    if max_length > positions:
        expected = f"at most {positions}, the positions of the teacher ({weights.name})"
        raise BadInput(Problem("experiment", "task.max_length", expected, str(max_length)))


def has_head(config: Any) -> bool:
    """Whether a model's configuration says that it was saved with a classification head."""
    return any(name.endswith("ForSequenceClassification") for name in config.architectures or [])


def label_order(config: Any, task: Task, where: str, advice: str) -> tuple[int, ...] | None:
    """Which of a classifier's outputs is the task's i-th label; None where the order is the same or it names none.

    Raises `BadInput` with `advice` where its labels are others.
    """
    theirs = [str(config.id2label[index]) for index in range(config.num_labels)]
    if len(theirs) != task.num_labels:
        expected = f"{task.num_labels} outputs ({', '.join(task.labels) or 'a score'})"
        raise BadInput(Problem(where, "id2label", expected, f"{len(theirs)} ({', '.join(theirs)})", advice))
    if task.problem == "regression" or all(_UNNAMED.fullmatch(name) for name in theirs):
        return None
    ours = [name.casefold() for name in task.labels]
    names = [name.casefold() for name in theirs]
    if names == ours:
        return None
    if sorted(names) != sorted(ours):
        raise BadInput(Problem(where, "id2label", ", ".join(task.labels), ", ".join(theirs), advice))
    return tuple(names.index(name) for name in ours)


def _save_reordered(weights: Path, order: tuple[int, ...], task: Task, folder: Path) -> dict[str, Any]:
    model, tokenizer = load_teacher(weights)
    reorder_head(model, order, weights.name)
    model.config.update(label_names(task))
    save_whole(model, tokenizer, folder)
    return {"model": str(weights), "label_order": list(order)}


def reorder_head(model: PreTrainedModel, order: tuple[int, ...], where: str) -> None:
    """Makes the i-th output of a classifier what `order[i]` was.

    Permutes the rows of the layer that gives the logits, whatever it is called, and makes sure by a
    forward.
    """
    probe = torch.arange(8).unsqueeze(0) % model.config.vocab_size
    with torch.inference_mode():
        before = model(input_ids=probe, attention_mask=torch.ones_like(probe)).logits
        layers = [m for m in model.modules() if isinstance(m, nn.Linear) and m.out_features == len(order)]
        for layer in layers[-1:]:
            layer.weight.copy_(layer.weight[list(order)].clone())
            if layer.bias is not None:
                layer.bias.copy_(layer.bias[list(order)].clone())
        after = model(input_ids=probe, attention_mask=torch.ones_like(probe)).logits
    if not torch.allclose(after, before[:, list(order)], rtol=1e-4, atol=1e-5):
        fix = "name the labels of the task in the teacher's order"
        raise BadInput(Problem(where, "id2label", "a linear layer that gives the logits", "another head", fix))


def _key(*parts: str) -> str:
    return hashlib.blake2b("\x1f".join((_FORMAT, *parts)).encode(), digest_size=16).hexdigest()


def _kept(cache: Path, key: str, make: Callable[[Path], dict[str, Any]]) -> Path:
    """The folder `cache/teachers/KEY`; where it is absent or torn, `make` fills it and gives the facts about
    it.
    """
    target = cache / "teachers" / key
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.parent / f"{key}.lock"):
        if not _is_whole(target):
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unfinished-") as name:
                unfinished = Path(name) / key
                unfinished.mkdir()
                facts = make(unfinished)
                facts["files"] = {path.name: path.stat().st_size for path in sorted(unfinished.iterdir())}
                (unfinished / _FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
                shutil.rmtree(target, ignore_errors=True)  # only ever a damaged one
                unfinished.replace(target)
    return target


def _is_whole(folder: Path) -> bool:
    try:
        sizes = json.loads((folder / _FACTS).read_text(encoding="utf-8"))["files"]
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError):
        return False


def save_whole(model: PreTrainedModel, tokenizer: Any, folder: Path) -> None:
    """The model as safetensors and its tokenizer, readable by all whom the umask lets."""
    if getattr(tokenizer, "is_fast", False):  # some are published with truncation or padding switched on
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()
    model.save_pretrained(folder)  # as safetensors
    tokenizer.save_pretrained(folder)
    mask = os.umask(0)
    os.umask(mask)
    for path in folder.iterdir():
        path.chmod(0o666 & ~mask)  # safetensors makes files that only their owner reads
