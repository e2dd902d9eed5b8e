"""What a student computes of a token alone: without padding, and once for all tokens of a batch that are the same.

The texts of an attack's batch are those of a few rows, each with a word or two changed: most tokens stand in many of
them at the same place. Before anything looks at its neighbours, such tokens have the same vectors: embeddings,
feed-forward layers that stand at the source, queries, keys and values of attention there. Behind that, the real tokens
of all texts stand one after the other, and attention takes the texts of one length at a time. From the first node on
that looks at neighbours otherwise, a batch is padded as ever. Exact: the same sums of the same numbers.

B is the batch, T the longest text's tokens, N all real tokens, U the distinct ones, W the width. Own code.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from itertools import pairwise
from typing import Any, NamedTuple, TypeGuard

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_outputs import BaseModelOutputWithPooling

from rosearch.evaluation.attacks import key_windows
from rosearch.evaluation.attacks.forwards import watched
from rosearch.evaluation.attacks.spare_rows import roomy
from rosearch.student.modeling_rosearch import StudentForSequenceClassification, StudentModel
from rosearch.student.operations import Attention, FeedForward, GatedLinearUnit, Identity, Residual


def distinct_forwards(model: Any, shortened: Container[nn.Module] = ()) -> dict[nn.Module, Callable[..., Any]]:
    """What stands in for the `forward` of a student inside its classifier; nothing for other models.

    Modules that are `shortened`, nodes or their operations, give fewer tokens than they read: they run as they are.
    """
    if type(model) is not StudentForSequenceClassification or type(model.student) is not StudentModel:
        return {}
    student: StudentModel = model.student
    if student.config.output_hidden_states or any(map(watched, student.modules())):
        return {}
    whole, free = student.forward, _free(student, shortened)

    def forward(input_ids: Any = None, attention_mask: Any = None, token_type_ids: Any = None, **named: Any) -> Any:
        more = any(value is not None for name, value in named.items() if name != "return_dict")
        layout = None
        if input_ids is not None and not more and named.get("return_dict") is not False:
            layout = _layout(input_ids, attention_mask, token_type_ids)
        if layout is None or input_ids.shape[1] > student.embeddings.position.num_embeddings:
            return whole(input_ids, attention_mask, token_type_ids, **named)
        return _run(student, free, layout)

    return {student: forward}


def skips_padding(model: Any, shortened: Container[nn.Module] = ()) -> bool:
    """Whether a student that runs so computes next to nothing of padding on the right: no node needs it."""
    student: StudentModel = model.student
    return all(_alone(_operation(node)) or _attends(_operation(node)) for node in _free(student, shortened))


def _free(student: StudentModel, shortened: Container[nn.Module]) -> set[nn.Module]:
    return {node for node in student.nodes if node not in shortened and node.operation not in shortened}


def _operation(node: Any) -> nn.Module:
    operation: nn.Module = node.operation
    return operation.operation if isinstance(operation, Residual) else operation


def _alone(operation: nn.Module) -> bool:
    return isinstance(operation, FeedForward | GatedLinearUnit | Identity)


def _attends(operation: nn.Module) -> TypeGuard[Attention]:
    return isinstance(operation, Attention) and operation.mix is None


class _Layout(NamedTuple):
    """The real tokens of a batch, one text after the other."""

    ids: Tensor  # (1, U), as are the next two: of distinct tokens
    types: Tensor | None
    positions: Tensor
    distinct: Tensor  # (N,): which distinct token each is
    groups: list[tuple[int, int, int]]  # texts of one length that follow one another: first token, texts, length
    real: Tensor  # (B, T): which of the N a place holds; padding, any
    keep: Tensor | None  # (B, T), None where nothing is padded


def _layout(ids: Tensor, mask: Tensor | None, types: Tensor | None) -> _Layout | None:
    """None where texts are padded on the left."""
    shape, columns = ids.shape, np.arange(ids.shape[1])
    keep = np.ones(shape, bool) if mask is None else mask.numpy().astype(bool)
    lengths = keep.sum(1)
    if not lengths.all() or (keep != (columns < lengths[:, None])).any():
        return None
    positions = np.nonzero(keep)[1]
    of_token = ids.numpy()[keep]
    keys = of_token * shape[1] + positions
    kinds = None if types is None else types.numpy()[keep]
    if kinds is not None:
        keys = keys * (1 + int(kinds.max())) + kinds
    _, first, distinct = np.unique(keys, return_index=True, return_inverse=True)
    starts = np.cumsum(lengths) - lengths
    changes = [0, *(1 + np.flatnonzero(np.diff(lengths))), len(lengths)]
    return _Layout(
        torch.from_numpy(of_token[first][None]),
        None if kinds is None else torch.from_numpy(kinds[first][None]),
        torch.from_numpy(positions[first][None]),
        torch.from_numpy(distinct.reshape(-1)),
        [(int(starts[one]), int(after - one), int(lengths[one])) for one, after in pairwise(changes)],
        torch.from_numpy(np.where(keep, starts[:, None] + columns, 0)),
        None if keep.all() else torch.from_numpy(keep),
    )


class _States(dict[int, Tensor]):
    """Outputs (B, T, W) by position in the graph; those known otherwise are spread out when somebody reads them."""

    def __init__(self, layout: _Layout) -> None:
        super().__init__()
        self.layout = layout
        self.by_token: dict[int, Tensor] = {}  # (1, U, W), of distinct tokens
        self.by_place: dict[int, Tensor] = {}  # (1, N, W), of all real tokens

    def __missing__(self, position: int) -> Tensor:
        self[position] = spread = F.embedding(self.layout.real, self.real(position)[0])
        return spread

    def real(self, position: int) -> Tensor:
        """(1, N, W) of what is known by token or by place."""
        if position not in self.by_place:
            self.by_place[position] = F.embedding(self.layout.distinct, self.by_token[position][0]).unsqueeze(0)
        return self.by_place[position]

    def known(self, position: int) -> bool:
        return position in self.by_token or position in self.by_place


def _run(student: StudentModel, free: Container[nn.Module], layout: _Layout) -> BaseModelOutputWithPooling:
    states = _States(layout)
    states.by_token[0] = student.embeddings(student.embeddings.word(layout.ids), layout.types, layout.positions)
    node: Any
    for position, node in enumerate(student.nodes.children(), start=1):
        operation = _operation(node)
        if node not in free or not all(map(states.known, node.reads)):
            states[position] = node(states, layout.keep)
        elif _attends(operation):
            states.by_place[position] = _attend(node, operation, states)
        elif not _alone(operation):
            states[position] = node(states, layout.keep)
        elif all(source in states.by_token for source in node.reads):
            states.by_token[position] = node(states.by_token, None)
        else:
            states.by_place[position] = node({source: states.real(source) for source in node.reads}, None)
    last = student.norm(student.merge([states[sink] for sink in student.sinks]))
    return BaseModelOutputWithPooling(last_hidden_state=last, pooler_output=student.pooling(last, layout.keep))


def _attend(node: Any, attention: Attention, states: _States) -> Tensor:
    """A node of attention, with norm and residual connection: (1, N, W)."""
    layout, norm = states.layout, node.operation.norm
    ends = [start + texts * tokens + key_windows.spare(tokens) for start, texts, tokens in layout.groups]
    spare = max(ends) - len(layout.distinct)
    if all(source in states.by_token for source in node.reads):
        few = _merged(node, states.by_token)
        x = F.embedding(layout.distinct, few[0])
        made = F.embedding(F.pad(layout.distinct, (0, spare)), attention.project(norm(few))[0])
    else:
        x = _merged(node, {source: states.real(source) for source in node.reads})[0]
        made = attention.project(norm(roomy(x, spare)))
        made[len(x) :] = 0.0  # the last text reads on to there, and spare rows may hold anything
    heard = x.new_empty(len(made), x.shape[1])  # with memory behind the last row, so that it need not be copied again
    for start, texts, tokens in layout.groups:
        read = key_windows.read(attention, made[start:], texts, tokens, None)
        heard[start : start + texts * tokens] = read.flatten(0, 1)
    y: Tensor = attention.out(heard[: len(x)])
    return y.add_(x).unsqueeze(0)


def _merged(node: Any, states: Mapping[int, Tensor]) -> Tensor:
    inputs = [states[source] for source in node.reads]
    y: Tensor = inputs[0] if node.merge is None else node.merge(inputs)
    return y
