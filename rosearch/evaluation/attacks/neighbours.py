"""What looks at a token's neighbours, once for all tokens of a batch whose neighbours are the same. Own code.

The tokens that are asked for, and those they look at, are laid out as one long text. Where one text ends and the next
begins, as many empty places stand between them as the operation reaches, so that none sees the other. N is the number
of real tokens, U that of their classes (`real_tokens`), M the long text's places, W the width.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from rosearch.evaluation.attacks.real_tokens import Layout, Same, windows
from rosearch.evaluation.attacks.spare_rows import rounded
from rosearch.evaluation.attacks.victim import Ints


class Window(NamedTuple):
    """What a token's output depends on, and what makes it: (1, M, W) and `keep` (1, M) or None -> (1, M, W)."""

    along: Callable[[Tensor, Tensor | None], Tensor]
    reach: int
    dilation: int = 1
    zeros_pad: bool = True


def look(window: Window, x: Tensor, layout: Layout, same: Same | None, rows: int = 0) -> tuple[Tensor, Same | None]:
    """Outputs of the tokens' new classes, (U, W) and `rows` or more of any finite numbers, and those classes.

    `x` holds a row for each class of `same`, or for each token, and maybe more: (U or N or more, W).
    """
    seen = windows(layout, same, window.reach, window.dilation)
    asked = np.arange(len(layout.before)) if seen is None else seen.first
    places, stands = _long_text(layout, asked, window.reach)
    empty = places < 0
    places[empty] = 0
    y = F.embedding(torch.from_numpy(places if same is None else same.of[places]), x).unsqueeze(0)
    if window.zeros_pad:
        y.index_fill_(1, torch.from_numpy(np.flatnonzero(empty)), 0.0)
        made = window.along(y, None)
    else:
        made = window.along(y, torch.from_numpy(~empty[None]))
    behind = rounded(len(stands) + rows) - len(stands)
    return F.embedding(F.pad(torch.from_numpy(stands), (0, behind)), made[0]), seen


def _long_text(layout: Layout, asked: Ints, reach: int) -> tuple[Ints, Ints]:
    """Tokens that are laid out (M,), -1 at empty places, and where those that are asked for stand."""
    count = len(layout.before)
    first = asked - np.minimum(reach, layout.before[asked])
    behind = asked + np.minimum(reach, layout.behind[asked]) + 1
    covers = np.bincount(first, minlength=count + 1) - np.bincount(behind, minlength=count + 1)
    needed = np.flatnonzero(np.cumsum(covers[:-1]))
    texts = np.cumsum(layout.before == 0)[needed]
    rows = np.arange(len(needed)) + reach * np.cumsum(np.diff(texts, prepend=texts[0]) > 0)
    places = np.full(_few_sizes(int(rows[-1]) + 1), -1)
    places[rows] = needed
    row_of = np.zeros(count, np.int64)
    row_of[needed] = rows
    return places, row_of[asked]


def _few_sizes(rows: int) -> int:
    """As many rows or more, by less than an eighth or 8: 8 sizes between powers of two, as each has a kernel built."""
    step = max(8, 1 << max(0, rows.bit_length() - 4))
    return -(-rows // step) * step
