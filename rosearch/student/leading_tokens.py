"""How many leading tokens of each node a student that pools the first token needs. Own code.

>>> needed_tokens([[0], [1]], [ALL, 0], [2])  # attention, then a feed-forward network
[2147483648, 1, 1]

A convolution or a pool needs its reach more, attention all. B is the batch, T the tokens, W the width.
This file travels with every exported student: it imports nothing of rosearch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

ALL = 2**31  # tokens: more than any text has


def needed_tokens(reads: Sequence[Sequence[int]], reaches: Sequence[int], sinks: Sequence[int]) -> list[int]:
    """The number of leading tokens of the source and of each node (nodes + 1,) that the first token depends on.

    2^31 stands for all. `reads` has the positions that each node reads, `reaches` the number of tokens that it looks to
    the right (`reach_of`): both (nodes,).
    """
    counts = [0] * (len(reads) + 1)
    for sink in sinks:
        counts[sink] = 1
    for position in range(len(reads), 0, -1):
        for read in reads[position - 1]:
            counts[read] = max(counts[read], min(ALL, counts[position] + reaches[position - 1]))
    return counts


def reach_of(operation: Any) -> int:
    """The number of tokens to the right that a node's operation looks at; 2^31 where it may be any."""
    reach: int = getattr(getattr(operation, "operation", operation), "reach", ALL)
    return reach


def is_recorded() -> bool:
    """True where a graph is recorded: it may run on inputs of other shapes."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]


def leading(x: Tensor, count: int) -> Tensor:
    """The first `count` tokens of x (B, T, ...), or all where there are fewer.

    A graph that is recorded for any T gets zeros in the place of missing tokens: it cannot ask how many there are.
    """
    if count > 1 and is_recorded():
        x = F.pad(x, (0, 0) * (x.dim() - 2) + (0, count))
    return x[:, :count]
