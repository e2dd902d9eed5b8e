"""The classification head of a model: is there one, what are its outputs called, and in which order do they stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from rosearch.errors import BadInput, Problem

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_UNNAMED = re.compile(r"LABEL_\d+")  # transformers' name of a label that nobody named
_SHOWN = 5  # names that one problem shows at most


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


def output_names(config: Any, where: str) -> tuple[str, ...]:
    """The names of a classifier's outputs, as `labels_of`.

    Raises `BadInput` where `id2label` does not name each output once, or `label2id` says otherwise.
    """
    found = dict(config.id2label or {})
    if sorted(map(str, found)) != sorted(map(str, range(config.num_labels))) or len(set(found.values())) < len(found):
        got = ", ".join(f"{output}: {name}" for output, name in list(found.items())[:_SHOWN]) or "none"
        fix = "give each output a name of its own in its config.json"
        raise BadInput(Problem(where, "id2label", f"names of the outputs 0 to {config.num_labels - 1}", got, fix))
    names = labels_of(config)
    other = {str(name): str(output) for name, output in (config.label2id or {}).items()}
    agree = all(other.get(name) == str(place) for place, name in enumerate(names))  # it may hold further spellings
    if other and are_named(tuple(other)) and not agree:
        got = ", ".join(f"{name}: {output}" for name, output in list(other.items())[:_SHOWN])
        fix = "id2label and label2id of its config.json contradict: correct the one that is wrong"
        raise BadInput(Problem(where, "label2id", f"the inverse of id2label ({', '.join(names[:_SHOWN])})", got, fix))
    return names


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
    theirs = output_names(config, where)
    if len(theirs) != task.num_labels:
        expected = f"{task.num_labels} outputs ({', '.join(task.labels) or 'a score'})"
        raise BadInput(Problem(where, "id2label", expected, f"{len(theirs)} ({', '.join(theirs)})", advice))
    if task.problem == "regression" or not are_named(theirs):
        return None
    order = [_place(name, theirs) for name in task.labels]
    if sorted(order) != list(range(len(theirs))):
        raise BadInput(Problem(where, "id2label", ", ".join(task.labels), ", ".join(theirs), advice))
    return None if order == sorted(order) else tuple(order)


def _place(name: str, names: Sequence[str]) -> int:
    """The place of a name, exact or in another case; -1 where none, or not one alone, is meant."""
    same = [place for place, other in enumerate(names) if other.casefold() == name.casefold()]
    return names.index(name) if name in names else same[0] if len(same) == 1 else -1


def reorder_head(model: PreTrainedModel, order: tuple[int, ...], where: str) -> None:
    """Makes output i of a classifier what output `order[i]` was.

    The rows of the layer that gives the logits are permuted, whatever it is called; a forward pass before and after
    proves it. Raises `BadInput` for a head that cannot be permuted so.
    """
    import torch  # late: the labels of a folder are read without it
    from torch import nn

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
