"""A transformers model in a folder: read (configuration, tokenizer, weights) and saved. No hub is asked."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel
from transformers.utils import logging

from rosearch.files import whole
from rosearch.models.places import require_undamaged

# What transformers raises for files that are absent, damaged, or of something else.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError, SafetensorError)


def load_config(folder: Path, *, trust_remote_code: bool = False) -> Any:
    """The configuration. Raises one of `UNREADABLE`, as do the other functions here."""
    _no_name(folder)
    return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=trust_remote_code)


def load_tokenizer(folder: Path, *, trust_remote_code: bool = False) -> Any:
    """The tokenizer that was saved beside the model."""
    _no_name(folder)
    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=trust_remote_code)


def load_model(kind: Any, folder: Path, **options: Any) -> tuple[PreTrainedModel, list[str]]:
    """The model of an Auto class from safetensors, in float32 on the CPU.

    With it come the names of weights that it needs and the folder lacks: transformers has drawn those at random.
    `options` are further ones of `from_pretrained`.
    """
    _no_name(folder)
    model, found = kind.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        dtype=torch.float32,
        output_loading_info=True,
        **options,
    )
    return model, sorted(found["missing_keys"])


def load_classifier(folder: Path) -> tuple[PreTrainedModel, Any]:
    """A sequence classifier in eval mode, frozen, in float32 on the CPU; its tokenizer."""
    model, _ = load_model(AutoModelForSequenceClassification, folder)
    model.eval().requires_grad_(False)
    return model, load_tokenizer(folder)


def _no_name(folder: Path) -> None:
    """Raises `NotADirectoryError` for what transformers would take as a name of the hub, `BadInput` for damage.

    huggingface_hub 1.33 asks the hub for a list of its own before it looks at `local_files_only`.
    """
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "no folder of a model", str(folder))
    require_undamaged(folder)


def save_model(model: PreTrainedModel, tokenizer: Any, folder: Path) -> None:
    """Saves a model as safetensors, and its tokenizer, to a folder: a draft of `rosearch.files.whole`.

    Some tokenizers are published with truncation or padding switched on; it is saved without either.
    """
    if getattr(tokenizer, "is_fast", False):
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def save_whole(folder: Path, *parts: Any) -> None:
    """Saves models and tokenizers to a folder that is there whole or not at all, also after a kill."""
    with whole(folder) as draft:
        for part in parts:
            part.save_pretrained(draft)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Inside, transformers shows no progress bar and no note on heads that start untrained: here they are meant to."""
    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
