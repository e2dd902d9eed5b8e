"""What a student computes of a token alone, once for all tokens of a batch that are the same.

The texts of an attack's batch are those of a few rows, each with a word or two changed: most tokens stand in many of
them at the same place. Before anything looks at its neighbours, such tokens have the same vectors: embeddings,
feed-forward layers that stand at the source, queries, keys and values of attention there. Exact: the same sums of the
same numbers. B is the batch, T the tokens, U the distinct ones, W the width. Own code.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_outputs import BaseModelOutputWithPooling

from rosearch.evaluation.attacks import key_windows
from rosearch.evaluation.attacks.forwards import watched
from rosearch.student.modeling_rosearch import StudentForSequenceClassification, StudentModel
from rosearch.student.operations import Attention, FeedForward, GatedLinearUnit, Identity, Residual

_MOST = 0.75  # of a batch's tokens that are distinct; beyond it gathering costs what it saves


def distinct_forwards(model: Any, shortened: Container[nn.Module] = ()) -> dict[nn.Module, Callable[..., Any]]:
    """What stands in for the `forward` of a student inside its classifier; nothing for other models.

    Modules that are `shortened`, nodes or their operations, give fewer tokens than they read: they run as they are.
    """
    if type(model) is not StudentForSequenceClassification or type(model.student) is not StudentModel:
        return {}
    student: StudentModel = model.student
    if student.config.output_hidden_states or any(map(watched, student.modules())):
        return {}
    whole = student.forward
    free = {node for node in student.nodes if node not in shortened and node.operation not in shortened}

    def forward(input_ids: Any = None, attention_mask: Any = None, token_type_ids: Any = None, **named: Any) -> Any:
        more = any(value is not None for name, value in named.items() if name != "return_dict")
        if input_ids is None or more or named.get("return_dict") is False:
            return whole(input_ids, attention_mask, token_type_ids, **named)
        found = _distinct(input_ids, token_type_ids)
        if found is None or input_ids.shape[1] > student.embeddings.position.num_embeddings:
            return whole(input_ids, attention_mask, token_type_ids, **named)
        keep = None if attention_mask is None or bool(attention_mask.all()) else attention_mask.bool()
        return _run(student, free, input_ids, token_type_ids, found, keep)

    return {student: forward}


class _Gathered(dict[int, Tensor]):
    """Outputs (B, T, W) by position in the graph; those known by token are spread out when somebody reads them."""

    def __init__(self, place: Tensor) -> None:
        super().__init__()
        self.place = place  # (B, T): which distinct token it is
        self.by_token: dict[int, Tensor] = {}  # (1, U, W)

    def __missing__(self, position: int) -> Tensor:
        self[position] = spread = F.embedding(self.place, self.by_token[position][0])
        return spread


def _distinct(ids: Tensor, types: Tensor | None) -> tuple[Tensor, Tensor] | None:
    """Where in a batch each distinct token first stands (U,), and which of them each is (B, T)."""
    keys = ids.numpy() * ids.shape[1] + np.arange(ids.shape[1])
    if types is not None:
        keys = keys * (1 + int(types.max())) + types.numpy()
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) > _MOST * keys.size:
        return None
    return torch.from_numpy(first), torch.from_numpy(place.reshape(keys.shape))


def _run(
    student: StudentModel,
    free: Container[nn.Module],
    ids: Tensor,
    types: Tensor | None,
    found: tuple[Tensor, Tensor],
    keep: Tensor | None,
) -> BaseModelOutputWithPooling:
    first, place = found
    states = _Gathered(place)
    kinds = None if types is None else types.reshape(-1)[first].unsqueeze(0)
    words = student.embeddings.word(ids.reshape(-1)[first].unsqueeze(0))
    states.by_token[0] = student.embeddings(words, kinds, (first % ids.shape[1]).unsqueeze(0))
    node: Any
    for position, node in enumerate(student.nodes.children(), start=1):
        alone = node in free and all(source in states.by_token for source in node.reads)
        operation = node.operation.operation if isinstance(node.operation, Residual) else node.operation
        if alone and isinstance(operation, FeedForward | GatedLinearUnit | Identity):
            states.by_token[position] = node(states.by_token, None)
        elif alone and isinstance(operation, Attention):
            states[position] = _attend(node, operation, states, keep)
        else:
            states[position] = node(states, keep)
    last = student.norm(student.merge([states[sink] for sink in student.sinks]))
    return BaseModelOutputWithPooling(last_hidden_state=last, pooler_output=student.pooling(last, keep))


def _attend(node: Any, attention: Attention, states: _Gathered, keep: Tensor | None) -> Tensor:
    """A node of attention, with norm and residual connection, (B, T, W), that reads what is known by token."""
    inputs = [states.by_token[source] for source in node.reads]
    x = inputs[0] if node.merge is None else node.merge(inputs)
    y: Tensor = attention.out(_read(attention, attention.project(node.operation.norm(x))[0], states.place, keep))
    return y.add_(F.embedding(states.place, x[0]))


def _read(attention: Attention, made: Tensor, place: Tensor, keep: Tensor | None) -> Tensor:
    """What each token reads of the others, (B, T, W), from each distinct one's queries, keys and values (U, 3 W)."""
    if attention.mix is not None:
        return attention.read(F.embedding(place, made), keep)
    batch, tokens = place.shape
    rows = F.embedding(F.pad(place.flatten(), (0, key_windows.spare(tokens))), made)  # spare ones: the first token's
    return key_windows.read(attention, rows, batch, tokens, keep)
