"""What looks at a token's neighbours, once for all tokens of a batch whose neighbours are the same. Own code.

The tokens that are asked for, and those they look at, are laid out as one long text. Where one text ends and the next
begins, as many empty places stand between them as the operation reaches, so that none sees the other. Where that would
be more places than the padded batch has, for long kernels over short texts, it is the padded batch.

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

from rosearch.evaluation.attacks.passes.real_tokens import Layout, Same, windows
from rosearch.evaluation.attacks.passes.spare_rows import rounded
from rosearch.evaluation.attacks.victim import Ints

_Grid = np.ndarray[tuple[int, int], np.dtype[Any]]


class Window(NamedTuple):
    """What a token's output depends on, and what makes it: (R, C, W) and `keep` (R, C) or None -> (R, C, W)."""

    along: Callable[[Tensor, Tensor | None], Tensor]
    reach: int
    dilation: int = 1
    zeros_pad: bool = True


class _Places(NamedTuple):
    tokens: _Grid  # (R, C): which of the N stands there; in empty places, any
    empty: _Grid  # (R, C), boolean
    asked: Ints  # (U or N,): where, of all R C places one row after the other, the tokens that are asked for stand


def look(window: Window, x: Tensor, layout: Layout, same: Same | None, spare: int = 0) -> tuple[Tensor, Same | None]:
    """What the tokens read of their neighbours, new memory, and classes of tokens that read the same.

    `x` holds a row for each class of `same`, or for each token, and maybe more: (U or N or more, W). So does what is
    given, by the new classes, with `spare` or more rows of finite numbers behind them, a multiple of 32 in all.
    """
    seen = windows(layout, same, window.reach, window.dilation)
    places = _laid_out(layout, np.arange(layout.count(None)) if seen is None else seen.first, window.reach)
    y = F.embedding(torch.from_numpy(places.tokens if same is None else same.of[places.tokens]), x)
    if window.zeros_pad:
        y.view(-1, y.shape[-1]).index_fill_(0, torch.from_numpy(np.flatnonzero(places.empty)), 0.0)
        made = window.along(y, None)
    else:
        made = window.along(y, torch.from_numpy(~places.empty))
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
    """As many or more, by less than an eighth or 8: 8 sizes between powers of two, as each has a kernel built."""
    step = max(8, 1 << max(0, places.bit_length() - 4))
    return -(-places // step) * step
