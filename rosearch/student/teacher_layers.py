"""A student's attention and feed-forward nodes start with the teacher's layers, brought to its width.

The student's embeddings are the teacher's, turned by singular vectors U and mapped to its width by P (`build`): a token
x of the teacher is A x in the student, with A = P U^T. So a map M that reads a token of the teacher becomes M A^T, and
one that writes to it A M, each with the ratio of the two tokens' lengths. Of heads and inner channels the most
important come (`channels`). This is ours. Other nodes keep their fresh weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from rosearch.errors import BadInput, Problem
from rosearch.student.build import embedding_basis
from rosearch.student.channels import every
from rosearch.student.inherit import Taken
from rosearch.student.modeling_rosearch import GraphNode
from rosearch.student.operation_weights import taken
from rosearch.student.operations import Attention, FeedForward, Residual

# Where a kind of model has its layers, and in a layer the maps to queries, keys, values, output; then up and down.
_BERT = (
    "encoder.layer",
    ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"),
    ("intermediate.dense", "output.dense"),
)
_DISTILBERT = (
    "transformer.layer",
    ("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"),
    ("ffn.lin1", "ffn.lin2"),
)
KINDS = {"bert": _BERT, "roberta": _BERT, "xlm-roberta": _BERT, "camembert": _BERT, "distilbert": _DISTILBERT}


def check_layers(config: Any, where: str) -> None:
    """Raises `BadInput` for a teacher whose layers no student can start with."""
    if config.model_type not in KINDS:
        expected = f"none or parent, or a teacher of the kinds {', '.join(KINDS)}"
        raise BadInput(Problem(where, "distillation.inherit", expected, f"teacher, for one of {config.model_type}"))


@torch.no_grad()
def inherit_layers(student: PreTrainedModel, teacher: PreTrainedModel, rows: Sequence[int] | None = None) -> Taken:
    """Gives a student of ours the teacher's layers; it has its embeddings already, read by the same `rows`.

    Of n attention nodes the i-th takes layer floor(i L / n) of L, the feed-forward nodes likewise. The teacher is left
    as it was, and no random number is drawn. Raises `BadInput` as `check_layers`.
    """
    check_layers(teacher.config, "experiment")
    ours = getattr(student, "student", student)
    basis = embedding_basis(ours.config, teacher, rows)
    turn = ours.embeddings.project.weight.cpu() @ basis.T  # (W, D)
    nodes, given = [0] * len(ours.nodes), 0
    for kind, parts in zip((Attention, FeedForward), _parts(teacher, turn), strict=True):
        places = [at for at, node in enumerate(ours.nodes) if isinstance(_operation(node), kind)]
        for number, at in enumerate(places, start=1):
            nodes[at] = max(1, number * len(parts) // len(places))
            mine = _operation(ours.nodes[at])
            for name, value in taken(mine, parts[nodes[at] - 1], every(len(turn))).items():
                mine.get_parameter(name).copy_(value)
                given += value.numel()
    return Taken(given / sum(parameter.numel() for parameter in student.parameters()), tuple(nodes))


def _operation(node: GraphNode) -> nn.Module:
    """The operation inside its residual frame."""
    inner = node.operation
    return inner.operation if isinstance(inner, Residual) else inner


def _parts(teacher: PreTrainedModel, turn: Tensor) -> tuple[list[Any], list[Any]]:
    """The attentions and the feed-forward parts of all layers, as if they were the student's: `turn` is A, (W, D)."""
    path, attention, feed_forward = KINDS[teacher.config.model_type]
    base = getattr(teacher, teacher.base_model_prefix, teacher)
    heads = teacher.config.num_attention_heads
    attentions, feeds = [], []
    for layer in base.get_submodule(path):
        query, key, value, out = (layer.get_submodule(name) for name in attention)
        project = SimpleNamespace(
            weight=torch.cat([_reads(one, turn) for one in (query, key, value)]),
            bias=torch.cat([one.bias for one in (query, key, value)]),
        )
        attentions.append(SimpleNamespace(heads=heads, mix=None, project=project, out=_writes(out, turn)))
        up, down = (layer.get_submodule(name) for name in feed_forward)
        feeds.append(
            SimpleNamespace(up=SimpleNamespace(weight=_reads(up, turn), bias=up.bias), down=_writes(down, turn))
        )
    return attentions, feeds


def _reads(linear: Any, turn: Tensor) -> Tensor:
    """The weight of a map that reads a token of the teacher, for one of the student: (k, D) -> (k, W)."""
    found: Tensor = linear.weight @ turn.T * (turn.shape[1] / turn.shape[0]) ** 0.5
    return found


def _writes(linear: Any, turn: Tensor) -> Any:
    """A map that writes to a token, (D, k) -> (W, k), with its bias."""
    scaled = turn * (turn.shape[0] / turn.shape[1]) ** 0.5
    return SimpleNamespace(weight=scaled @ linear.weight, bias=scaled @ linear.bias)
