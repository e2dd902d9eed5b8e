from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from rosearch.errors import BadInput, MissingResource
from rosearch.models import device as device_module
from rosearch.models.device import autocast, resolve_device, resolve_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cpu:1", "", "mps"])
def test_an_unknown_device_is_bad_input_that_names_the_key(name: str) -> None:
    with pytest.raises(BadInput, match=r"execution\.device: expected auto, cpu, cuda or cuda:N"):
        resolve_device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:3"])
def test_a_gpu_that_is_not_there_is_one_line_with_a_way_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingResource) as caught:
        resolve_device(name)
    assert name in str(caught.value)
    assert "-o execution.device=auto" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_gpu_index_beyond_the_last_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(MissingResource, match="torch sees 2 CUDA devices"):
        resolve_device("cuda:2")


def test_auto_takes_the_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto").type == "cuda"


@pytest.mark.parametrize("native", [True, False])
def test_auto_precision_is_bfloat16_only_where_the_hardware_has_it(
    native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_module, "_has_bfloat16", lambda device: native)
    assert resolve_precision(CPU, "auto") == ("bfloat16" if native else "float32")
    assert resolve_precision(CPU, "bfloat16") == "bfloat16"
    assert resolve_precision(CPU, "float32") == "float32"


def test_autocast_runs_products_in_the_precision_asked_for() -> None:
    x = torch.ones(4, 4)
    with autocast(CPU, "bfloat16"):
        assert (x @ x).dtype == torch.bfloat16
    with autocast(CPU, "float32"):
        assert (x @ x).dtype == torch.float32
    assert (x @ x).dtype == torch.float32


def test_training_attention_in_bfloat16_agrees_with_float32_and_leaves_no_switch_behind() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, 2, 5, 8, generator=generator) for _ in range(3))
    mask = torch.tensor([1, 1, 1, 1, 0]).bool().expand(2, 1, 1, 5)
    before = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
    exact = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    with autocast(CPU, "bfloat16", training=True):
        near = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    assert near.dtype == torch.bfloat16
    torch.testing.assert_close(near.float(), exact, rtol=5e-2, atol=5e-2)
    assert torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed() == before
