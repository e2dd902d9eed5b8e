"""One forward pass of a student that computes each vector once, and only where something reads it. Own code.

Of a student that pools the first token, a node gives as many leading tokens as that takes (`leading_tokens`).

Then forwards: the texts of an attack's batch are those of a few rows, each with a word or two changed, so most tokens
stand in many of them, at the same place, among the same adjacent tokens. Until attention has read whole texts, such
tokens have the same vectors, and each class of them is computed once (`real_tokens`). Behind that, the real tokens of
all texts stand one after the other, without padding. Each node runs by the first of `_KERNELS` that applies to it.
All of it is exact: the same sums of the same numbers.

B is the batch, T the longest text's tokens, N all real tokens, U their classes, W the width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_outputs import BaseModelOutputWithPooling

from rosearch.evaluation.attacks.passes.adjacent_tokens import Reach, look
from rosearch.evaluation.attacks.passes.attention import ask, by_head, few, read_blocks, spare_keys
from rosearch.evaluation.attacks.passes.forwards import Forwards, watched
from rosearch.evaluation.attacks.passes.packed import End, roomy, rounded
from rosearch.evaluation.attacks.passes.real_tokens import Layout, Same, joined, laid_out
from rosearch.student.leading_tokens import ALL
from rosearch.student.local_operations import LocalOperation
from rosearch.student.modeling_rosearch import StudentForSequenceClassification, StudentModel
from rosearch.student.operations import Attention, Residual, attend
from rosearch.student.poolings import FirstPooling

_NO_ENDS: Mapping[nn.Module, End] = MappingProxyType({})


def student_of(model: nn.Module) -> StudentModel | None:
    """The student inside its classifier, if `student_forwards` may stand in for it; None for any other model."""
    if type(model) is not StudentForSequenceClassification or type(model.student) is not StudentModel:
        return None
    student: StudentModel = model.student
    if student.config.output_hidden_states or any(map(watched, student.modules())):
        return None
    return student


def reads_first_token(student: StudentModel) -> bool:
    """True where the student's output depends on its first token alone."""
    return type(student.pooling) is FirstPooling


def student_forwards(student: StudentModel, distinct: bool, ends: Mapping[nn.Module, End] = _NO_ENDS) -> Forwards:
    """The function that stands in for the student's `forward`.

    Args:
        student: as `student_of` gives it.
        distinct: compute real tokens only, and equal ones once. This needs tensors on the CPU.
        ends: operations' last steps, where others are faster than their own (`packed`).
    """
    whole, nodes = student.forward, _nodes(student)

    def forward(input_ids: Any = None, attention_mask: Any = None, token_type_ids: Any = None, **named: Any) -> Any:
        more = any(value is not None for name, value in named.items() if name not in ("return_dict", "pooled_only"))
        if input_ids is None or more or named.get("return_dict") is False:
            return whole(input_ids, attention_mask, token_type_ids, **named)
        fits = input_ids.shape[1] <= student.embeddings.position.num_embeddings
        layout = laid_out(input_ids, attention_mask, token_type_ids) if distinct and fits else None
        if layout is None:
            keep = None if attention_mask is None else attention_mask.bool()
            states = _States(None, keep, ends)
            states[0] = student.embeddings(student.embeddings.word(input_ids), token_type_ids, None)
        else:
            states = _States(layout, layout.keep, ends)
            words = student.embeddings.word(layout.ids)
            states.known[0] = _Known(student.embeddings(words, layout.types, layout.positions), layout.source)
        return _run(student, nodes, states)

    return {student: forward}


class _Node(NamedTuple):
    """A node of the graph, and the number of leading tokens that it has to give."""

    module: Any  # GraphNode
    inner: Any  # its operation, without norm and residual connection
    gives: int
    reach: int


def _nodes(student: StudentModel) -> list[_Node]:
    modules: list[Any] = list(student.nodes)
    reaches = [module.reach for module in modules]
    counts = student.needed if reads_first_token(student) else [ALL] * (len(modules) + 1)
    inner = [getattr(module.operation, "operation", module.operation) for module in modules]
    return [_Node(*parts) for parts in zip(modules, inner, counts[1:], reaches, strict=True)]


class _Known(NamedTuple):
    """An output of the graph by classes of tokens; without classes, each token by itself."""

    values: Tensor  # (1, U or N, W)
    same: Same | None

    def rows(self, same: Same | None) -> Tensor:
        """The output by classes that split its own, (U, W), with rows of any numbers up to a multiple of 32."""
        if self.same is same or self.same is None:
            return roomy(self.values)
        own = self.same.of if same is None else self.same.of[same.first]
        return F.embedding(F.pad(torch.from_numpy(own), (0, rounded(len(own)) - len(own))), self.values[0])


class _States(dict[int, Tensor]):
    """Outputs (B, T or fewer leading tokens, W) by position in the graph; `known` ones are spread out when read."""

    def __init__(self, layout: Layout | None, keep: Tensor | None, ends: Mapping[nn.Module, End]) -> None:
        super().__init__()
        self.layout = layout
        self.keep = keep
        self.ends = ends
        self.known: dict[int, _Known] = {}

    def __missing__(self, position: int) -> Tensor:
        assert self.layout is not None
        values, same = self.known[position]
        real = self.layout.real
        self[position] = F.embedding(real if same is None else torch.from_numpy(same.of)[real], values[0])
        return self[position]

    def merged(self, module: Any) -> tuple[_Known, Layout]:
        """The input of a node that reads known outputs only."""
        assert self.layout is not None
        inputs = [self.known[read] for read in module.reads]
        same = joined([state.same for state in inputs])
        values = [state.rows(same)[: self.layout.count(same)].unsqueeze(0) for state in inputs]
        return _Known(values[0] if module.merge is None else module.merge(values), same), self.layout


def _run(student: StudentModel, nodes: Sequence[_Node], states: _States) -> BaseModelOutputWithPooling:
    for position, node in enumerate(nodes, start=1):
        known = all(read in states.known for read in node.module.reads)
        kernel = next(kernel for kernel in _KERNELS if kernel.applies(node, known))
        output = kernel.run(node, states)
        if isinstance(output, _Known):
            states.known[position] = output
        else:
            states[position] = output
    last = [states[sink] for sink in student.sinks]
    if reads_first_token(student):
        last = [state[:, :1] for state in last]
    normed = student.norm(student.merge(last))
    return BaseModelOutputWithPooling(last_hidden_state=normed, pooler_output=student.pooling(normed, states.keep))


def _leading(node: _Node, states: _States) -> Tensor:
    """A node on the leading tokens: (B, T, W) -> (B, `gives`, W)."""
    y: Tensor = node.module(states, states.keep, node.gives)
    return y


def _leading_queries(node: _Node, states: _States) -> Tensor:
    """Attention of the first `gives` tokens to all, norm and residual included: (B, T, W) -> (B, `gives`, W)."""
    residual, attention, keep = node.module.operation, node.inner, states.keep
    inputs = [states[read] for read in node.module.reads]
    x = inputs[0] if node.module.merge is None else node.module.merge(inputs)
    heads, weights, biases = attention.heads, attention.project.weight.chunk(3), attention.project.bias.chunk(3)
    normed = residual.norm(x)
    leading = normed[:, : node.gives].contiguous()  # else a linear map takes the texts one at a time
    query = by_head(F.linear(leading, weights[0], biases[0]), heads)
    if few(node.gives, heads, x.shape[-1]):
        mask = None if keep is None else keep[:, None, None]
        read = ask(query, normed, weights[1], weights[2], biases[2], mask)
    else:
        key, value = (by_head(F.linear(normed, *made), heads) for made in zip(weights[1:], biases[1:], strict=True))
        read = attend(query, key, value, keep).transpose(1, 2).flatten(2)
    y: Tensor = residual.dropout(attention.out(read))
    return x[:, : node.gives] + y


def _adjacent(node: _Node, states: _States) -> _Known:
    """A convolution or a pool, norm and residual included, by classes of tokens that see the same."""
    operation: LocalOperation = node.inner
    state, layout = states.merged(node.module)
    before = operation.before(node.module.operation.norm(state.values[0]))
    reach = Reach(operation.along, operation.reach, operation.dilation, operation.zeros_pad)
    return _ended(node, states, state, *look(reach, before, layout, state.same))


def _attention(node: _Node, states: _States) -> _Known:
    """Attention, norm and residual included: queries, keys and values by class, then texts of one length at a time."""
    attention: Attention = node.inner
    state, layout = states.merged(node.module)
    (x, same), norm, count = state, node.module.operation.norm, layout.count(None)
    spare = max(start + texts * tokens + spare_keys(tokens) for start, texts, tokens in layout.groups) - count
    made = attention.project(norm(roomy(x, spare) if same is None else x[0]))
    if attention.mix is not None:
        made, same = look(Reach(attention.mixed, attention.mix.kernel_size[0] // 2), made, layout, same, spare)
    if same is not None:
        made = F.embedding(F.pad(torch.from_numpy(same.of), (0, spare)), made)
    made[count:] = 0.0  # the last text reads on to there, and spare rows may hold anything
    heard = x.new_empty(rounded(count), x.shape[-1])
    for start, texts, tokens in layout.groups:
        heard[start : start + texts * tokens] = read_blocks(attention, made[start:], texts, tokens).flatten(0, 1)
    return _ended(node, states, state, heard[:count], None)


def _ended(node: _Node, states: _States, state: _Known, made: Tensor, same: Same | None) -> _Known:
    """The last steps of an operation that has read other tokens, with the residual sum."""
    assert states.layout is not None
    end = states.ends.get(node.inner) or partial(_plain_end, node.inner)
    return _Known(end(roomy(made), state.rows(same))[: states.layout.count(same)].unsqueeze(0), same)


def _plain_end(operation: LocalOperation | Attention, made: Tensor, x: Tensor) -> Tensor:
    """The last step of an operation. May overwrite `made`."""
    y: Tensor = operation.after(made) if isinstance(operation, LocalOperation) else operation.out(made)
    return y.add_(x)


def _each_token(node: _Node, states: _States) -> _Known:
    """An operation that works token by token, by class."""
    state, _ = states.merged(node.module)
    return _Known(node.module.operation(state.values, None), state.same)


def _as_it_is(node: _Node, states: _States) -> Tensor:
    y: Tensor = node.module(states, states.keep)
    return y


class _Kernel(NamedTuple):
    """One way to run a node; `applies` is told whether all that the node reads is known by classes."""

    applies: Callable[[_Node, bool], bool]
    run: Callable[[_Node, _States], Tensor | _Known]


def _has_plain_queries(node: _Node) -> bool:
    return type(node.module.operation) is Residual and type(node.inner) is Attention and node.inner.mix is None


_KERNELS = (  # the first that applies
    _Kernel(lambda node, known: node.gives < ALL and node.reach < ALL, _leading),
    _Kernel(lambda node, known: node.gives < ALL and _has_plain_queries(node), _leading_queries),
    _Kernel(lambda node, known: known and isinstance(node.inner, LocalOperation), _adjacent),
    _Kernel(lambda node, known: known and type(node.inner) is Attention, _attention),
    _Kernel(lambda node, known: known and node.reach == 0, _each_token),
    _Kernel(lambda node, known: True, _as_it_is),
)
