"""What the first token's output depends on in a student, counted back through its graph.

B is the batch, T the tokens, W the width. Attention reads all tokens; a convolution or a pool of kernel k reads
(k - 1) / 2 neighbours to either side; all else works token by token. So from the pooling back, a node has to give its
first n tokens only, until an attention reads it. Own code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from rosearch.evaluation.attacks.passes.few_queries import ask, by_head, few
from rosearch.student.local_operations import LocalOperation
from rosearch.student.modeling_rosearch import FirstPooling, GraphNode, StudentModel
from rosearch.student.operations import Attention, FeedForward, GatedLinearUnit, Identity, Residual, attend

_ALL = 2**31  # tokens: more than any text has


def student_forwards(model: Any) -> dict[nn.Module, Callable[..., Any]]:
    """What stands in for `forward` of a student's modules, where it reads the first token; else nothing."""
    student: StudentModel = model.student
    if type(student.pooling) is not FirstPooling:
        return {}
    nodes: list[Any] = list(student.nodes)
    reaches = [reach(node.operation) for node in nodes]
    counts = needed_tokens([node.reads for node in nodes], reaches, student.sinks)
    forwards: dict[nn.Module, Callable[..., Any]] = {student.merge: _leading_merged(student.merge)}
    for node, right, count in zip(nodes, reaches, counts[1:], strict=True):
        if count < _ALL and right < _ALL:
            forwards[node] = _leading_read(node, count + right)
        elif count < _ALL and isinstance(node.operation, Residual):
            attention = node.operation.operation
            if isinstance(attention, Attention) and attention.mix is None:
                forwards[node.operation] = _leading_queries(node.operation, attention, count)
    return forwards


def needed_tokens(reads: Sequence[Sequence[int]], reaches: Sequence[int], sinks: Sequence[int]) -> list[int]:
    """How many leading tokens of the source and of each node (nodes + 1,) the first token's output depends on.

    2^31 stands for all of them. What each node reads, and how many tokens to the right it looks (`reach`): (nodes,).
    """
    counts = [0] * (len(reads) + 1)
    for sink in sinks:
        counts[sink] = 1
    for position in range(len(reads), 0, -1):
        for read in reads[position - 1]:
            counts[read] = max(counts[read], min(_ALL, counts[position] + reaches[position - 1]))
    return counts


def reach(operation: Any) -> int:
    """How many tokens to the right a node's operation looks; 2^31 where it may be any."""
    inner = getattr(operation, "operation", operation)
    if isinstance(inner, LocalOperation):
        return inner.reach
    return 0 if isinstance(inner, FeedForward | GatedLinearUnit | Identity) else _ALL


def _leading_merged(merge: nn.Module) -> Callable[[Sequence[Tensor]], Tensor]:
    """The mean of the sinks, each (B, any tokens, W) -> (B, 1, W)."""
    whole = merge.forward
    return lambda states: whole([state[:, :1] for state in states])


def _leading_read(node: GraphNode, count: int) -> Callable[..., Tensor]:
    """A node that reads `count` tokens. At the right edge its neighbours are missing: those outputs are not read."""
    whole = node.forward

    def forward(states: Sequence[Tensor], keep: Tensor | None) -> Tensor:
        read: Any = {place: states[place][:, :count] for place in node.reads}
        return whole(read, None if keep is None else keep[:, :count])

    return forward


def _leading_queries(residual: Residual, attention: Attention, count: int) -> Callable[..., Tensor]:
    """Attention of the first `count` tokens to all, norm and residual included: (B, T, W) -> (B, count, W)."""

    heads, weights, biases = attention.heads, attention.project.weight.chunk(3), attention.project.bias.chunk(3)

    def forward(x: Tensor, keep: Tensor | None) -> Tensor:
        normed = residual.norm(x)
        leading = normed[:, :count].contiguous()  # else a linear map takes the texts one at a time
        query = by_head(F.linear(leading, weights[0], biases[0]), heads)
        if few(count, heads, x.shape[-1]):
            mask = None if keep is None else keep[:, None, None]
            read = ask(query, normed, weights[1], weights[2], biases[2], mask)
        else:
            key, value = (by_head(F.linear(normed, *made), heads) for made in zip(weights[1:], biases[1:], strict=True))
            read = attend(query, key, value, keep).transpose(1, 2).flatten(2)
        y: Tensor = residual.dropout(attention.out(read))
        return x[:, :count] + y

    return forward
