"""Rows of a tensor with spare ones behind them, without copying where memory goes on behind the last.

A linear map or a norm works row by row, so that it may be given more rows than are meant: kernels like some numbers of
rows better than others. Own code.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

_MULTIPLE = 32


def rounded(rows: int) -> int:
    """The next multiple of 32."""
    return -(-rows // _MULTIPLE) * _MULTIPLE


def roomy(x: Tensor, extra: int = 0) -> Tensor:
    """(..., W) -> (M, W), first all rows of `x`, then `extra` or more, so that M is a multiple of 32.

    What the spare rows hold is not said: zeros, or whatever stands behind `x` in its memory. Only for reading.
    """
    count, width = x.shape[:-1].numel(), x.shape[-1]
    rows = rounded(count + extra)
    if rows == count:
        return x.reshape(count, width)
    held = x.untyped_storage().nbytes() // x.element_size() - x.storage_offset()
    if x.is_contiguous() and held >= rows * width:
        return x.as_strided((rows, width), (width, 1))
    return F.pad(x.reshape(count, width), (0, 0, 0, rows - count))
