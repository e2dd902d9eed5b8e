"""What a student computes of a token: for real tokens only, and once for all of a batch that are the same.

The texts of an attack's batch are those of a few rows, each with a word or two changed: most tokens stand in many of
them at the same place, most among the same neighbours. Until attention reads whole texts, such tokens have the same
vectors: embeddings, what works token by token, convolutions and pools (`adjacent_tokens`), queries, keys and values of
attention. Behind that, the real tokens of all texts stand one after the other, and attention takes the texts of one
length at a time. Exact: the same sums of the same numbers.

B is the batch, T the longest text's tokens, N all real tokens, U their classes (`real_tokens`), W the width. Own code.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_outputs import BaseModelOutputWithPooling

from rosearch.evaluation.attacks.passes import key_blocks as key_windows
from rosearch.evaluation.attacks.passes.adjacent_tokens import Window, look
from rosearch.evaluation.attacks.passes.forwards import watched
from rosearch.evaluation.attacks.passes.packed import End
from rosearch.evaluation.attacks.passes.real_tokens import Layout, Same, joined, laid_out
from rosearch.evaluation.attacks.passes.spare_rows import roomy, rounded
from rosearch.student.local_operations import LocalOperation
from rosearch.student.modeling_rosearch import StudentForSequenceClassification, StudentModel
from rosearch.student.operations import Attention

_NO_ENDS: Mapping[nn.Module, End] = MappingProxyType({})


def distinct_forwards(
    model: Any, shortened: Container[nn.Module] = (), ends: Mapping[nn.Module, End] = _NO_ENDS
) -> dict[nn.Module, Callable[..., Any]]:
    """What stands in for the `forward` of a student inside its classifier; nothing for other models.

    Modules that are `shortened`, nodes or their operations, give fewer tokens than they read: they run as they are.
    `ends` are those of operations where others are faster than their own (`packed`).
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
        found = None
        if input_ids is not None and not more and named.get("return_dict") is not False:
            found = laid_out(input_ids, attention_mask, token_type_ids)
        if found is None or input_ids.shape[1] > student.embeddings.position.num_embeddings:
            return whole(input_ids, attention_mask, token_type_ids, **named)
        return _run(student, free, ends, found)

    return {student: forward}


class _Known(NamedTuple):
    """An output of the graph, by classes of tokens; with None each token by itself."""

    values: Tensor  # (1, U or N, W)
    same: Same | None


class _States(dict[int, Tensor]):
    """Outputs (B, T, W) by position in the graph; those that are `known` are spread out when somebody reads them."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout
        self.known: dict[int, _Known] = {}

    def __missing__(self, position: int) -> Tensor:
        values, same = self.known[position]
        real = self.layout.real
        self[position] = F.embedding(real if same is None else torch.from_numpy(same.of)[real], values[0])
        return self[position]

    def merged(self, node: Any) -> _Known:
        """What a node reads, all of it known."""
        inputs = [self.known[read] for read in node.reads]
        same = joined([state.same for state in inputs])
        values = [_rows(state, same)[: self.layout.count(same)].unsqueeze(0) for state in inputs]
        return _Known(values[0] if node.merge is None else node.merge(values), same)


def _rows(state: _Known, same: Same | None) -> Tensor:
    """A state by classes that split its own, (U, W), and rows of any numbers up to a multiple of 32."""
    if state.same is same or state.same is None:
        return roomy(state.values)
    own = state.same.of if same is None else state.same.of[same.first]
    return F.embedding(F.pad(torch.from_numpy(own), (0, rounded(len(own)) - len(own))), state.values[0])


def _run(
    student: StudentModel, free: Container[nn.Module], ends: Mapping[nn.Module, End], layout: Layout
) -> BaseModelOutputWithPooling:
    states = _States(layout)
    words = student.embeddings.word(layout.ids)
    states.known[0] = _Known(student.embeddings(words, layout.types, layout.positions), layout.source)
    node: Any
    for position, node in enumerate(student.nodes, start=1):
        if node in free and all(read in states.known for read in node.reads):
            states.known[position] = _operated(node.operation, ends, states.merged(node), layout)
        else:
            states[position] = node(states, layout.keep)
    last = student.norm(student.merge([states[sink] for sink in student.sinks]))
    return BaseModelOutputWithPooling(last_hidden_state=last, pooler_output=student.pooling(last, layout.keep))


def _operated(operation: Any, ends: Mapping[nn.Module, End], state: _Known, layout: Layout) -> _Known:
    """A node's operation, with norm and residual connection where it has them."""
    inner = getattr(operation, "operation", operation)
    if isinstance(inner, LocalOperation):
        made, same = _look(operation.norm, inner, state, layout)
    elif isinstance(inner, Attention):
        made, same = _attend(operation.norm, inner, state, layout), None
    else:
        return _Known(operation(state.values, None), state.same)
    end = ends.get(inner) or partial(_plain_end, inner)
    return _Known(end(roomy(made), _rows(state, same))[: layout.count(same)].unsqueeze(0), same)


def _plain_end(operation: LocalOperation | Attention, made: Tensor, x: Tensor) -> Tensor:
    """It may write into `made`, which nobody else reads."""
    y: Tensor = operation.after(made) if isinstance(operation, LocalOperation) else operation.out(made)
    return y.add_(x)


def _look(norm: nn.Module, operation: LocalOperation, state: _Known, layout: Layout) -> tuple[Tensor, Same | None]:
    """What convolutions and pools read, (U or N, W) and maybe more rows, by these classes."""
    window = Window(operation.along, operation.reach, operation.dilation, operation.zeros_pad)
    return look(window, operation.before(norm(state.values[0])), layout, state.same)


def _attend(norm: nn.Module, attention: Attention, state: _Known, layout: Layout) -> Tensor:
    """What attention reads: (N, W), with memory behind it."""
    x, same = state
    count = layout.count(None)
    spare = max(start + texts * tokens + key_windows.spare(tokens) for start, texts, tokens in layout.groups) - count
    made = attention.project(norm(roomy(x, spare) if same is None else x[0]))
    if attention.mix is not None:
        made, same = look(Window(attention.mixed, attention.mix.kernel_size[0] // 2), made, layout, same, spare)
    if same is not None:
        made = F.embedding(F.pad(torch.from_numpy(same.of), (0, spare)), made)
    made[count:] = 0.0  # the last text reads on to there, and spare rows may hold anything
    heard = x.new_empty(rounded(count), x.shape[-1])
    for start, texts, tokens in layout.groups:
        read = key_windows.read(attention, made[start:], texts, tokens, None)
        heard[start : start + texts * tokens] = read.flatten(0, 1)
    return heard[:count]
