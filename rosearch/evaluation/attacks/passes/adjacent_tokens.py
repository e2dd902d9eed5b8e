"""An operation that looks at adjacent tokens, computed once for all tokens of a batch that see the same. Own code.

The tokens that are asked for, and those that they look at, are laid out as one long text. Between two texts stand as
many empty places as the operation reaches, so that no text sees another. Where that needs more places than the padded
batch has (long kernels over short texts), the padded batch is taken.

B is the batch, T the longest text's tokens, N all real tokens, U their classes (`real_tokens`), R x C the places, 1 x M
or B x T, W the width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from rosearch.evaluation.attacks.passes.packed import rounded
from rosearch.evaluation.attacks.passes.real_tokens import Layout, Same, same_within_reach
from rosearch.evaluation.attacks.victim import Ints

_Grid = np.ndarray[tuple[int, int], np.dtype[Any]]


class Reach(NamedTuple):
    """The tokens that an output depends on, and the function of them: (R, C, W), `keep` (R, C) or None -> (R, C, W)."""

    along: Callable[[Tensor, Tensor | None], Tensor]
    tokens: int  # to either side
    dilation: int = 1
    zeros_pad: bool = True  # `along` may be given zeros at empty places in place of `keep`


class _Places(NamedTuple):
    tokens: _Grid  # (R, C): the token of N at each place; at empty places, any
    empty: _Grid  # (R, C), boolean
    asked: Ints  # (U or N,): the places of the tokens that are asked for, counted over R C row by row


def look(reach: Reach, x: Tensor, layout: Layout, same: Same | None, spare: int = 0) -> tuple[Tensor, Same | None]:
    """The output of `reach.along` in new memory, and the classes of tokens for which it is the same.

    `x` is (U or N or more, W): a row for each class of `same`, or for each token. The output has a row for each of the
    new classes, and behind them `spare` or more rows of finite numbers, so that all are a multiple of 32.
    """
    seen = same_within_reach(layout, same, reach.tokens, reach.dilation)
    places = _laid_out(layout, np.arange(layout.count(None)) if seen is None else seen.first, reach.tokens)
    y = F.embedding(torch.from_numpy(places.tokens if same is None else same.of[places.tokens]), x)
    if reach.zeros_pad:
        y.view(-1, y.shape[-1]).index_fill_(0, torch.from_numpy(np.flatnonzero(places.empty)), 0.0)
        made = reach.along(y, None)
    else:
        made = reach.along(y, torch.from_numpy(~places.empty))
    rows = F.pad(torch.from_numpy(places.asked), (0, rounded(len(places.asked) + spare) - len(places.asked)))
    return F.embedding(rows, made.reshape(-1, made.shape[-1])), seen


def _laid_out(layout: Layout, asked: Ints, reach: int) -> _Places:
    long = _long_text(layout, asked, reach)
    if layout.real.numel() > long.tokens.size:
        return long
    tokens: _Grid = layout.real.numpy()
    empty = np.zeros_like(tokens, bool) if layout.keep is None else ~layout.keep.numpy()
    return _Places(tokens, empty, np.flatnonzero(~empty)[asked])


def _long_text(layout: Layout, asked: Ints, reach: int) -> _Places:
    count = layout.count(None)
    begins = asked - np.minimum(reach, layout.before[asked])
    ends = asked + np.minimum(reach, layout.behind[asked]) + 1
    covers = np.bincount(begins, minlength=count + 1) - np.bincount(ends, minlength=count + 1)
    needed = np.flatnonzero(np.cumsum(covers[:-1]))
    texts = np.cumsum(layout.before == 0)[needed]
    places = np.arange(len(needed)) + reach * np.cumsum(np.diff(texts, prepend=texts[0]) > 0)
    tokens = np.full((1, _few_sizes(int(places[-1]) + 1)), -1)
    tokens[0, places] = needed
    place_of = np.zeros(count, np.int64)
    place_of[needed] = places
    return _Places(np.maximum(tokens, 0), tokens < 0, place_of[asked])


def _few_sizes(places: int) -> int:
    """The next of few sizes, larger by less than an eighth or 8: each size has a kernel built for it.

    There are 8 sizes between two powers of two.
    """
    step = max(8, 1 << max(0, places.bit_length() - 4))
    return -(-places // step) * step
