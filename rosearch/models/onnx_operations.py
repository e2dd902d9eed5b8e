"""Linear maps and attention as ONNX Runtime runs them fastest, while torch writes an ONNX graph.

>>> with OnnxOperations():
...     program = torch.onnx.export(model, example, dynamo=True)

torch writes a linear map of (texts, tokens, features) as a product and a sum, and attention with some twenty nodes
that find shapes and look for NaN. On few tokens such nodes cost as much as the products do. Standard operators only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_MASKED = -1e9  # added to a score; float16 holds it as its lowest


class OnnxOperations(TorchFunctionMode):
    """Inside, `F.linear` works on rows, and `F.scaled_dot_product_attention` is two products and a softmax."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Calls what stands in place of a function, or the function itself."""
        return _OWN.get(func, func)(*args, **(kwargs or {}))


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """(..., features) -> (..., outputs): with a bias a product of rows is one operator, Gemm."""
    if x.dim() < 3 or bias is None:
        return F.linear(x, weight, bias)
    return F.linear(x.reshape(-1, x.shape[-1]), weight, bias).reshape(*x.shape[:-1], weight.shape[0])


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """As torch's, (B, heads, T, D); a query that may read nothing reads all alike, where torch gives zeros."""
    if dropout_p or is_causal or enable_gqa:
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )
    scores = (query * (query.shape[-1] ** -0.5 if scale is None else scale)) @ key.transpose(-1, -2)
    if attn_mask is not None:
        scores = scores + (torch.where(attn_mask, 0.0, _MASKED) if attn_mask.dtype == torch.bool else attn_mask)
    return scores.softmax(-1) @ value


_OWN: dict[Callable[..., Any], Callable[..., Any]] = {F.linear: _linear, F.scaled_dot_product_attention: _attention}
