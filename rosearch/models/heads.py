"""The classification head of a model: is there one, what are its outputs called, and in which order do they stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import nn
from transformers import PreTrainedModel

from rosearch.errors import BadInput, Problem

_UNNAMED = re.compile(r"LABEL_\d+")  # transformers' name of a label that nobody named


class Labelled(Protocol):
    """A task, as far as a head depends on it. `labels` are in the order of its integers; none for regression."""

    @property
    def problem(self) -> str:
        """`classification` or `regression`."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes."""

    @property
    def num_labels(self) -> int:
        """The number of outputs."""


def has_head(config: Any) -> bool:
    """True where a configuration says that its model was saved with a classification head."""
    return any(name.endswith("ForSequenceClassification") for name in config.architectures or [])


def labels_of(config: Any) -> tuple[str, ...]:
    """The names of a classifier's outputs, in their order."""
    return tuple(str(config.id2label[index]) for index in range(config.num_labels))


def are_named(labels: Sequence[str]) -> bool:
    """False where every label is one that transformers made up, as `LABEL_0`."""
    return not all(_UNNAMED.fullmatch(label) for label in labels)


def label_names(task: Labelled) -> dict[str, Any]:
    """The part of a transformers configuration that names the labels of a task; for regression, none."""
    if task.problem == "regression":
        return {"problem_type": "regression"}
    return {
        "problem_type": "single_label_classification",
        "id2label": dict(enumerate(task.labels)),
        "label2id": {name: index for index, name in enumerate(task.labels)},
    }


def label_order(config: Any, task: Labelled, where: str, advice: str) -> tuple[int, ...] | None:
    """For each label of the task, the classifier's output that stands for it.

    None where both have the same order, or where the classifier names no labels. Raises `BadInput` with `advice` where
    its labels are others.
    """
    theirs = labels_of(config)
    if len(theirs) != task.num_labels:
        expected = f"{task.num_labels} outputs ({', '.join(task.labels) or 'a score'})"
        raise BadInput(Problem(where, "id2label", expected, f"{len(theirs)} ({', '.join(theirs)})", advice))
    if task.problem == "regression" or not are_named(theirs):
        return None
    ours = [name.casefold() for name in task.labels]
    names = [name.casefold() for name in theirs]
    if names == ours:
        return None
    if sorted(names) != sorted(ours):
        raise BadInput(Problem(where, "id2label", ", ".join(task.labels), ", ".join(theirs), advice))
    return tuple(names.index(name) for name in ours)


def reorder_head(model: PreTrainedModel, order: tuple[int, ...], where: str) -> None:
    """Makes output i of a classifier what output `order[i]` was.

    The rows of the layer that gives the logits are permuted, whatever it is called; a forward pass before and after
    proves it. Raises `BadInput` for a head that cannot be permuted so.
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
