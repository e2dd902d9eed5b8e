"""Linear maps and attention while torch writes an ONNX graph."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rosearch.models.onnx_operations import OnnxOperations
from rosearch.student.operations import Attention


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5), (2, 4, 3, 5), (2, 0, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_map_gives_what_torch_gives_at_any_shape(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(1)
    layer, x = nn.Linear(5, 7, bias=bias), torch.randn(shape)
    with OnnxOperations():
        found = layer(x)
    torch.testing.assert_close(found, layer(x))
    assert found.shape == (*shape[:-1], 7)


MASKS: dict[str, Callable[[Tensor], Tensor | None]] = {
    "none": lambda keep: None,
    "of truths": lambda keep: keep[:, None, None, :],
    "of summands": lambda keep: torch.zeros(keep.shape).masked_fill(~keep, -1e4)[:, None, None, :],
}


@pytest.mark.parametrize("settings", [{}, {"scale": 0.3}, {"is_causal": True}], ids=str)
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_attention_gives_what_torch_gives(
    mask: Callable[[Tensor], Tensor | None], settings: dict[str, float | bool]
) -> None:
    torch.manual_seed(2)
    query, key, value = torch.randn(3, 2, 4, 6, 8).unbind(0)
    keep = torch.arange(6) < torch.tensor([[6], [4]])
    told = None if settings.get("is_causal") else mask(keep)
    with OnnxOperations():
        found = F.scaled_dot_product_attention(query, key, value, told, **settings)  # type: ignore[arg-type]
    expected = F.scaled_dot_product_attention(query, key, value, told, **settings)  # type: ignore[arg-type]
    torch.testing.assert_close(found, expected)


def test_a_text_of_pads_alone_stays_finite() -> None:
    query = torch.randn(1, 2, 3, 4)
    with OnnxOperations():
        found = F.scaled_dot_product_attention(query, query, query, torch.zeros(1, 1, 1, 3, dtype=torch.bool))
    assert found.isfinite().all()


def test_a_recorded_program_maps_rows_and_has_no_fused_attention() -> None:
    given = (torch.randn(2, 5, 8), torch.ones(2, 5, dtype=torch.bool))
    with OnnxOperations():
        program = torch.export.export(Attention(8, 2).eval(), given)
    called = [node for node in program.graph.nodes if node.op == "call_function"]
    linear = [node for node in called if node.target is torch.ops.aten.linear.default]
    assert [node.args[0].meta["val"].dim() for node in linear] == [2, 2]
    assert torch.ops.aten.scaled_dot_product_attention.default not in {node.target for node in called}
