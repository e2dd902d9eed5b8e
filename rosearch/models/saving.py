"""A transformers model and its tokenizer, saved to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from rosearch.files import whole


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
