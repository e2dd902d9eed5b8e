"""A student that starts with the weights of another: of its parent in a search, or of a distilled encoder.

>>> taken = inherit_parent(child, parent)  # as much as can be, and the parent's function as nearly as can be
>>> taken.share, taken.nodes
(0.97, (1, 2, 0, 3))
>>> inherit_operations(student, encoder)  # what both have, whole, and nothing else
0.81
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import AutoModel, PreTrainedModel

from rosearch.errors import BadInput, Problem
from rosearch.models.saved import asked_by, load_model, open_config
from rosearch.student.configuration_rosearch import StudentConfig
from rosearch.student.modeling_rosearch import GraphNode, StudentForSequenceClassification, StudentModel
from rosearch.student.node_pairs import matched_nodes
from rosearch.student.takeover import Takeover

_INITIAL = "distillation.initial"
_Shapes = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class Taken:
    """The part that a student took over: a share of its parameters, the other's node for each of its own, other parts.

    A node that took nothing over has 0; the others are counted from 1, as are the layers of a teacher.
    """

    share: float
    nodes: tuple[int, ...]
    parts: tuple[str, ...] = ()


@torch.no_grad()
def inherit_parent(student: PreTrainedModel, parent: PreTrainedModel) -> Taken:
    """Gives a student the weights of its parent, a student of ours with a head of the same labels, or one without.

    Nodes are matched by their place in the graph (`node_pairs`). A narrower layer takes the most important channels, a
    wider one copies of them (`channels`). New nodes begin as if they were not there. So the student's function begins
    as the parent's, but for what a mean over other sinks or inputs, another pooling, or fewer channels change. The
    parent is left as it was, and no random number is drawn.
    """
    ours, theirs = getattr(student, "student", student), getattr(parent, "student", parent)
    matched = matched_nodes(ours.config.genotype["nodes"], theirs.config.genotype["nodes"])
    over = Takeover(ours, theirs, matched)
    over.embeddings()
    over.nodes()
    over.merges()
    over.still()
    over.norm()
    over.pooling()
    if isinstance(student, StudentForSequenceClassification) and isinstance(parent, StudentForSequenceClassification):
        over.head(student, parent)
    return Taken(over.share(student), matched, tuple(over.parts))


@torch.no_grad()
def inherit_operations(student: StudentForSequenceClassification, encoder: StudentModel) -> float:
    """Copies weights of the encoder into a student of the same width; returns the inherited share of its parameters.

    In the order of the graph, each node of the student takes the weights of the encoder's next unused node with the
    same operation, settings and shapes. The embeddings are copied if their tables have the same shapes, the final norm
    always. From an encoder of another width nothing is copied, and the share is 0.
    """
    ours, theirs = student.student, encoder
    if ours.config.genotype["width"] != theirs.config.genotype["width"]:
        return 0.0
    over = Takeover(ours, theirs, _in_order(ours, theirs))
    over.norm()
    if _shapes(ours.embeddings) == _shapes(theirs.embeddings):
        over.embeddings()
    over.nodes()
    return over.share(student)


def load_initial(folder: str) -> StudentModel:
    """The encoder in the folder `distillation.initial` (or the encoder of a student there), in float32 on the CPU.

    Raises `BadInput` if the folder holds no encoder that rosearch distilled, or a damaged one.
    """
    _open_initial(folder)
    with asked_by("experiment", _INITIAL):
        encoder = load_model(AutoModel, Path(folder))
    assert isinstance(encoder, StudentModel)
    return encoder


def check_initial(folder: str, vocabulary: int | None = None) -> None:
    """Raises `BadInput` if the folder holds no whole encoder of ours, or its vocabulary has another size."""
    words = int(_open_initial(folder).vocab_size)
    if vocabulary not in (None, words):
        expected = f"an encoder of the teacher's {vocabulary} words"
        raise BadInput(Problem("experiment", _INITIAL, expected, f"{words} words ({folder})"))


def _open_initial(folder: str) -> StudentConfig:
    """The configuration. Its weights are looked at and not loaded."""
    with asked_by("experiment", _INITIAL):
        config = open_config(AutoModel, Path(folder))
    if not isinstance(config, StudentConfig):
        expected = "a folder with an encoder that rosearch distilled"
        raise BadInput(Problem("experiment", _INITIAL, expected, f"{folder}: {config.model_type}"))
    return config


def _in_order(ours: StudentModel, theirs: StudentModel) -> tuple[int, ...]:
    """For each of our nodes the position of theirs, from 1: the next unused one of the same kind; 0 without one."""
    waiting: dict[tuple[object, ...], list[int]] = {}
    for at, (node, module) in enumerate(zip(theirs.config.genotype["nodes"], theirs.nodes, strict=True), start=1):
        waiting.setdefault(_kind(node, module), []).append(at)
    kinds = [_kind(*pair) for pair in zip(ours.config.genotype["nodes"], ours.nodes, strict=True)]
    return tuple(waiting[kind].pop(0) if waiting.get(kind) else 0 for kind in kinds)


def _kind(node: dict[str, object], module: nn.Module) -> tuple[object, ...]:
    assert isinstance(module, GraphNode)
    settings = node.get("settings") or {}
    assert isinstance(settings, dict)
    return (node["op"], tuple(sorted(settings.items())), _shapes(module.operation))


def _shapes(module: nn.Module) -> _Shapes:
    return tuple((name, tuple(tensor.shape)) for name, tensor in module.state_dict().items())
