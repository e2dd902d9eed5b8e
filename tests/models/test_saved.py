from __future__ import annotations

import errno
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import Mock

import pytest
import torch
from training.tiny_models import save_model as save_tiny
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging

from rosearch.errors import BadInput
from rosearch.files import whole
from rosearch.models.saved import (
    load_classifier,
    load_config,
    load_model,
    load_tokenizer,
    quiet_transformers,
    save_model,
    save_whole,
)

T = TypeVar("T")


def test_a_classifier_is_read_frozen_and_in_eval_mode_with_its_tokenizer(tokenizer: Any, tmp_path: Path) -> None:
    model, read = load_classifier(save_tiny(tmp_path, tokenizer, head=True))
    assert not model.training and {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert read.get_vocab() == tokenizer.get_vocab()


def test_a_model_saved_without_a_head_gets_one_only_where_it_is_trained(pretrained: Path) -> None:
    with pytest.raises(BadInput, match=r"none for classifier\.bias, classifier\.weight: random ones would be taken"):
        load_model(AutoModelForSequenceClassification, pretrained)
    first, second = (
        _seeded(lambda: load_model(AutoModelForSequenceClassification, pretrained, trains_head=True)) for _ in range(2)
    )
    assert torch.equal(first.classifier.weight, second.classifier.weight)


def _seeded(load: Callable[[], T]) -> T:
    torch.manual_seed(3)
    return load()


def test_weights_in_half_precision_are_read_as_float32_and_pickled_ones_never(tokenizer: Any, tmp_path: Path) -> None:
    folder = save_tiny(tmp_path, tokenizer, head=True)
    model, _ = load_classifier(folder)
    model.to(torch.bfloat16).save_pretrained(folder)
    (folder / "pytorch_model.bin").write_bytes(b"a pickle that must not be opened")
    read, _ = load_classifier(folder)
    assert {parameter.dtype for parameter in read.parameters()} == {torch.float32}
    for name, value in read.state_dict().items():
        assert torch.equal(value, model.state_dict()[name].float()), name
    (folder / "model.safetensors").unlink()
    with pytest.raises(BadInput, match="safetensors"):
        load_classifier(folder)


def test_a_name_that_is_no_folder_is_not_asked_of_a_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.create_connection", lambda *_, **__: pytest.fail("the network was asked"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    for load in (load_config, load_tokenizer, load_classifier):
        with pytest.raises(BadInput, match="which is none"):
            load(Path("no-such-model"))


def test_a_fault_of_the_machine_is_no_fault_of_the_folder(
    tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_tiny(tmp_path, tokenizer, head=True)
    too_many = OSError(errno.EMFILE, "Too many open files")
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", Mock(side_effect=too_many))
    with pytest.raises(OSError, match="Too many open files"):
        load_tokenizer(folder)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"model_type": "none such"}'])
def test_a_damaged_folder_is_bad_input(content: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(content)
    (tmp_path / "tokenizer.json").write_text(content)
    (tmp_path / "model.safetensors").write_text("no tensors")
    with pytest.raises(BadInput):
        load_config(tmp_path)
    with pytest.raises(BadInput):
        load_tokenizer(tmp_path)
    with pytest.raises(BadInput):
        load_model(AutoModelForSequenceClassification, tmp_path)


def test_transformers_speaks_again_after_an_exception() -> None:
    before = logging.get_verbosity()
    with pytest.raises(ZeroDivisionError), quiet_transformers():
        assert logging.get_verbosity() == logging.ERROR
        raise ZeroDivisionError
    assert logging.get_verbosity() == before


def test_a_saved_model_is_read_again_and_its_tokenizer_neither_cuts_nor_pads(tokenizer: Any, tmp_path: Path) -> None:
    model, read = load_classifier(save_tiny(tmp_path / "given", tokenizer, head=True))
    read.backend_tokenizer.enable_truncation(2)
    read.backend_tokenizer.enable_padding(length=9)
    with whole(tmp_path / "saved") as draft:
        save_model(model, read, draft)
    again, tokens = load_classifier(tmp_path / "saved")
    assert all(torch.equal(one, two) for one, two in zip(model.parameters(), again.parameters(), strict=True))
    assert tokens.backend_tokenizer.truncation is None and tokens.backend_tokenizer.padding is None


def test_parts_are_saved_to_one_folder_that_all_may_read(tokenizer: Any, tmp_path: Path) -> None:
    model, _ = load_classifier(save_tiny(tmp_path / "given", tokenizer, head=True))
    save_whole(tmp_path / "students" / "one", model, tokenizer)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        path.name for path in (tmp_path / "students" / "one").iterdir()
    }
    mode = (tmp_path / "students" / "one" / "model.safetensors").stat().st_mode
    assert stat.S_IMODE(mode) == stat.S_IMODE((tmp_path / "students" / "one").stat().st_mode) & 0o666
    assert [path.name for path in (tmp_path / "students").iterdir()] == ["one"]


def test_a_tokenizer_is_saved_as_the_same_bytes_whatever_it_was_called_for_before(
    tokenizer: Any, tmp_path: Path
) -> None:
    for name in ("before", "after"):
        save_whole(tmp_path / name, tokenizer)
        tokenizer(["a film", "a"], truncation=True, max_length=3, padding=True)
    assert (tmp_path / "before/tokenizer.json").read_bytes() == (tmp_path / "after/tokenizer.json").read_bytes()


def test_a_tokenizers_own_code_is_told_with_what_to_do(tokenizer: Any, tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "model", tokenizer, head=True)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text()) | {
        "tokenizer_class": "Own",
        "auto_map": {"AutoTokenizer": ["own.Own", None]},
    }
    path.write_text(json.dumps(settings))
    (folder / "own.py").write_text("raise SystemExit")
    with pytest.raises(BadInput, match=r"which brings its own code\. Read its code, then give --trust-remote-code"):
        load_tokenizer(folder)
