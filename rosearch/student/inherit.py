"""Starts a student from a distilled encoder: it takes over the weights of every operation that both have."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from transformers import AutoModel

from rosearch.errors import BadInput, Problem
from rosearch.models.saved import asked_by, load_model, open_config
from rosearch.student.configuration_rosearch import StudentConfig
from rosearch.student.modeling_rosearch import GraphNode, StudentForSequenceClassification, StudentModel

_INITIAL = "distillation.initial"
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
