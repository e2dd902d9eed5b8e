"""The real tokens of a batch, one text after the other, and which of them have the same vectors.

Tokens of one class have the same vector. At the source a class is a token's id, type and position. An operation that
looks at adjacent tokens splits the classes whose adjacent tokens differ. A class may be split without need: that costs
time and changes no number.

B is the batch, T the longest text's tokens, N all real tokens, U the classes. Own code.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rosearch.evaluation.attacks.victim import Ints

_WORTH = 0.9  # share of the tokens: with more classes than this, each token is computed by itself
_KEYS = 2**62  # keys that an int64 tells apart


class Same(NamedTuple):
    """Classes of tokens."""

    of: Ints  # (N,): the class of each token
    first: Ints  # (U,): a token of each class


class Layout(NamedTuple):
    """A batch without its padding."""

    ids: Tensor  # (1, U), like the next two: of the classes at the source
    types: Tensor | None
    positions: Tensor
    source: Same
    before: Ints  # (N,): the number of tokens of the same text before a token
    behind: Ints  # (N,): the number behind it
    groups: list[tuple[int, int, int]]  # texts of one length in a row: first token, number of texts, length
    real: Tensor  # (B, T): the token of N that a place holds; at padding, any
    keep: Tensor | None  # (B, T), None where nothing is padded

    def count(self, same: Same | None) -> int:
        """The number of classes, or of all tokens without classes."""
        return len(self.before) if same is None else len(same.first)


def laid_out(ids: Tensor, mask: Tensor | None, types: Tensor | None) -> Layout | None:
    """The layout of token ids (B, T), their mask and types; None where a text is empty or padded on the left."""
    columns = np.arange(ids.shape[1])
    keep = np.ones(ids.shape, bool) if mask is None else mask.numpy().astype(bool)
    lengths = keep.sum(1)
    if not lengths.all() or (keep != (columns < lengths[:, None])).any():
        return None
    positions = np.nonzero(keep)[1]
    made = [ids.numpy()[keep], positions] + ([] if types is None else [types.numpy()[keep]])
    source = _same(made)
    few = [torch.from_numpy(column[source.first][None]) for column in made]
    starts = np.cumsum(lengths) - lengths
    changes = [0, *(1 + np.flatnonzero(np.diff(lengths))), len(lengths)]
    return Layout(
        few[0],
        None if types is None else few[2],
        few[1],
        source,
        positions,
        np.repeat(lengths, lengths) - positions - 1,
        [(int(starts[one]), int(after - one), int(lengths[one])) for one, after in pairwise(changes)],
        torch.from_numpy(np.where(keep, starts[:, None] + columns, 0)),
        None if keep.all() else torch.from_numpy(keep),
    )


def joined(several: Sequence[Same | None]) -> Same | None:
    """Classes of tokens that are the same in all of `several`; None stands for each token by itself."""
    known = [same for same in several if same is not None]
    if len(known) < len(several):
        return None
    if all(same is known[0] for same in known):
        return known[0]
    return _worth(_same([same.of for same in known]))


def same_within_reach(layout: Layout, same: Same | None, reach: int, dilation: int) -> Same | None:
    """Classes of tokens that see the same: every `dilation`-th token up to `reach` to either side."""
    if same is None:
        return None
    columns = [same.of]
    for shift in range(dilation, reach + 1, dilation):
        for adjacent, inside in ((-shift, layout.behind >= shift), (shift, layout.before >= shift)):
            columns.append(np.where(inside, np.roll(same.of, adjacent) + 1, 0))
    return _worth(_same(columns))


def _worth(same: Same) -> Same | None:
    return same if len(same.first) < _WORTH * len(same.of) else None


def _same(columns: Sequence[Ints]) -> Same:
    """Classes of the tokens whose entries agree in all columns (N,), none of them negative."""
    keys, size = columns[0], int(columns[0].max()) + 1
    for column in columns[1:]:
        more = int(column.max()) + 1
        if size * more > _KEYS:
            keys = np.unique(keys, return_inverse=True)[1].reshape(-1)
            size = len(keys)
        keys, size = keys * more + column, size * more
    _, first, of = np.unique(keys, return_index=True, return_inverse=True)
    return Same(of.reshape(-1), first)
