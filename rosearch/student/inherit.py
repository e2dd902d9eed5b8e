"""Starts a student from a distilled encoder: it takes over the weights of every operation that both have."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from transformers import AutoModel

from rosearch.errors import BadInput, Problem, one_line
from rosearch.models.places import require_undamaged
from rosearch.student.modeling_rosearch import GraphNode, StudentForSequenceClassification, StudentModel

_Shapes = tuple[tuple[str, tuple[int, ...]], ...]


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
    pairs: list[tuple[nn.Module, nn.Module]] = [(ours.norm, theirs.norm)]
    if _shapes(ours.embeddings) == _shapes(theirs.embeddings):
        pairs.append((ours.embeddings, theirs.embeddings))
    waiting: dict[tuple[object, ...], list[nn.Module]] = {}
    for node, module in zip(theirs.config.genotype["nodes"], theirs.nodes, strict=True):
        waiting.setdefault(_kind(node, module), []).append(module)
    for node, module in zip(ours.config.genotype["nodes"], ours.nodes, strict=True):
        if same := waiting.get(_kind(node, module)):
            pairs.append((_operation(module), _operation(same.pop(0))))
    for mine, given in pairs:
        mine.load_state_dict(given.state_dict())
    copied = sum(int(parameter.numel()) for mine, _ in pairs for parameter in mine.parameters())
    return copied / sum(int(parameter.numel()) for parameter in student.parameters())


def load_initial(folder: str) -> StudentModel:
    """The encoder in the folder `distillation.initial` (or the encoder of a student there), in float32 on the CPU.

    Raises `BadInput` if the folder holds no encoder that rosearch distilled, or a damaged one.
    """
    require_undamaged(Path(folder))
    key, expected = "distillation.initial", "a folder with an encoder that rosearch distilled"
    try:
        encoder = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise BadInput(Problem("experiment", key, expected, one_line(error))) from None
    if not isinstance(encoder, StudentModel):
        raise BadInput(Problem("experiment", key, expected, f"{folder}: {type(encoder).__name__}"))
    return encoder


def check_initial(folder: str, vocabulary: int) -> None:
    """Raises `BadInput` if the folder holds no encoder of ours, or its vocabulary has another size."""
    if (words := int(load_initial(folder).config.vocab_size)) != vocabulary:
        expected = f"an encoder of the teacher's {vocabulary} words"
        raise BadInput(Problem("experiment", "distillation.initial", expected, f"{words} words ({folder})"))


def _kind(node: dict[str, object], module: nn.Module) -> tuple[object, ...]:
    assert isinstance(module, GraphNode)
    settings = node.get("settings") or {}
    assert isinstance(settings, dict)
    return (node["op"], tuple(sorted(settings.items())), _shapes(module.operation))


def _operation(module: nn.Module) -> nn.Module:
    assert isinstance(module, GraphNode)
    return module.operation


def _shapes(module: nn.Module) -> _Shapes:
    return tuple((name, tuple(tensor.shape)) for name, tensor in module.state_dict().items())
