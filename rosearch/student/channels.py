"""Channels of one student that those of another take over: a part of them, the most important, or some of them twice.

>>> width = picked(importance, 64)  # of a student of 128 channels: the 64 most important, in their order
>>> width.rows(weight), width.columns(weight)  # of a map that writes to them, and of one that reads them

A wider layer repeats the most important channels, and the maps that read them share the weights of the original among
the copies, so that the function stays as it was (Net2Net: Chen et al. 2015, arXiv 1511.05641). The shares are unequal,
lest the copies learn the same for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Channels:
    """For each of n channels, its place among the other student's, and its share of what reads that: (n,) each."""

    places: Tensor
    shares: Tensor

    def rows(self, weight: Tensor) -> Tensor:
        """A map that writes to the channels, or its bias: (m, ...) -> (n, ...)."""
        return weight[self.places]

    def columns(self, weight: Tensor) -> Tensor:
        """A map that reads the channels: (k, m, ...) -> (k, n, ...)."""
        shares = self.shares.reshape(-1, *[1] * (weight.dim() - 2))
        return weight[:, self.places] * shares

    def repeated(self, times: int, size: int) -> Channels:
        """The same choice in each of several parts of `size` channels that lie one behind the other."""
        places = torch.cat([self.places + part * size for part in range(times)])
        return Channels(places, self.shares.repeat(times))


def every(size: int) -> Channels:
    """All channels of a student of the same width."""
    return Channels(torch.arange(size), torch.ones(size))


def picked(importance: Tensor, size: int) -> Channels:
    """The `size` most important of m channels in their order; where m are too few, all, then copies of the first."""
    ranked = torch.argsort(importance, descending=True, stable=True)
    if size <= len(ranked):
        return Channels(ranked[:size].sort().values, torch.ones(size))
    copies = ranked.repeat(-(-size // len(ranked)) - 1)[: size - len(ranked)]
    return shared(torch.cat([torch.arange(len(ranked)), copies]))


def shared(places: Tensor) -> Channels:
    """Channels at these places. Of m copies of one, the shares are m, m - 1, ..., 1 parts of their sum."""
    counts, seen = torch.bincount(places), torch.zeros(int(places.max()) + 1, dtype=torch.long)
    shares = torch.ones(len(places))
    for at, place in enumerate(places.tolist()):
        if (copies := int(counts[place])) > 1:
            shares[at] = (copies - int(seen[place])) * 2 / (copies * (copies + 1))
        seen[place] += 1
    return Channels(places, shares)


def grouped(importance: Tensor, groups: int, size: int) -> Channels:
    """As `picked`, with as many from each of `groups` equal parts, which lie one behind the other."""
    parts = importance.reshape(groups, -1)
    each = [picked(part, size // groups) for part in parts]
    return Channels(
        torch.cat([one.places + at * parts.shape[1] for at, one in enumerate(each)]),
        torch.cat([one.shares for one in each]),
    )


def in_heads(importance: Tensor, theirs: int, heads: int, size: int) -> tuple[Channels, Tensor]:
    """Channels of `heads` attention heads, `size` in all, from those of `theirs`; their shares in the products.

    As many channels as before are cut anew, each in its place. Else the most important heads come, and of each its most
    important channels. A head that comes twice is read by shares, and its products of queries and keys are whole.
    """
    if size == len(importance):
        return every(size), torch.ones(size)
    parts = importance.reshape(theirs, -1)
    chosen = picked(parts.sum(1), heads)
    each = [picked(parts[head], size // heads) for head in chosen.places.tolist()]
    places = [one.places + head * parts.shape[1] for one, head in zip(each, chosen.places.tolist(), strict=True)]
    products = torch.cat([one.shares for one in each])
    return Channels(torch.cat(places), products * chosen.shares.repeat_interleave(size // heads)), products


def energy(rows: Sequence[Tensor], columns: Sequence[Tensor] = ()) -> Tensor:
    """How much each of n channels carries: what is written to it times what is read of it, (n,).

    `rows` are the maps that write, (n, ...) each, `columns` those that read, (k, n, ...) each.
    """
    written = torch.stack([weight.flatten(1).square().sum(1) for weight in rows]).sum(0)
    if not columns:
        return written
    return written * torch.stack([weight.transpose(0, 1).flatten(1).square().sum(1) for weight in columns]).sum(0)
