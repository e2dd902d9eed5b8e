"""The weights of a merge that takes the place of another: more inputs, fewer, or of another kind.

A mean, a gate and a projection of all inputs are each a sum of maps of the inputs, so a projection can be any of the
three, and a gate a mean. What an input adds that was not there before begins at 0, or nearly so.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rosearch.student.channels import Channels
from rosearch.student.modeling_rosearch import GraphNode
from rosearch.student.operation_weights import ALMOST_NOTHING, Weights
from rosearch.student.operations import Concat, Gate


def taken_merge(mine: nn.Module, former: GraphNode | None, reads: Sequence[int | None], width: Channels) -> Weights:
    """The parameters of merge `mine` by name; none for a mean.

    `reads` says for each input which node of the other student stands for it, None where none does. `former` is the
    node whose merge goes on in it; without one, a merge begins as a mean.
    """
    ports = [0] * len(reads) if former is None else _ports(former.reads, reads)
    if isinstance(mine, Gate):
        return {"weight": torch.stack([_argument(former, port, width) for port in ports])}
    if isinstance(mine, Concat):
        size = len(width.places)
        alone = 1 / len(ports) if former is None else 1.0
        blocks = [_block(former, port, width) * alone for port in ports]
        kept = None if former is None or not isinstance(former.merge, Concat) else former.merge.project.bias
        bias = torch.zeros(size) if kept is None else width.rows(kept)
        return {"project.weight": torch.cat(blocks, dim=1), "project.bias": bias}
    return {}


def _ports(before: Sequence[int], reads: Sequence[int | None]) -> list[int | None]:
    """For each input the port that read the same before, else one that nobody has: each port once."""
    free = dict(enumerate(before))
    found: list[int | None] = []
    for read in reads:
        found.append(next((port for port, other in free.items() if other == read), None))
        free.pop(-1 if found[-1] is None else found[-1], None)
    left = iter(free)
    return [next(left, None) if port is None else port for port in found]


def _argument(former: GraphNode | None, port: int | None, width: Channels) -> Tensor:
    """A gate's argument of its softmax for one input, (W,)."""
    if port is None:
        return torch.full((len(width.places),), ALMOST_NOTHING)
    if former is not None and isinstance(former.merge, Gate):
        return width.rows(former.merge.weight[port])
    return torch.zeros(len(width.places))


def _block(former: GraphNode | None, port: int | None, width: Channels) -> Tensor:
    """The part that one input adds to a token's channels, (W, W)."""
    size = len(width.places)
    if port is None:
        return torch.zeros(size, size)
    if former is not None and isinstance(former.merge, Concat):
        before = former.merge.project.weight.shape[0]
        return width.columns(width.rows(former.merge.project.weight[:, port * before : (port + 1) * before]))
    if former is not None and isinstance(former.merge, Gate):
        return torch.diag(width.rows(former.merge.weight.softmax(0)[port]))
    return torch.eye(size) / (1 if former is None else len(former.reads))
