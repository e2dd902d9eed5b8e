from __future__ import annotations

import string
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from rosearch.config.task import TaskConfig
from rosearch.data.tasks import Split


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """A WordPiece tokenizer shaped like BERT's, over a few words and all letters."""
    from transformers import PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "the", "a", "was"]
    pieces = [*words, *string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase)]
    inner = Tokenizer(models.WordPiece({piece: index for index, piece in enumerate(pieces)}, unk_token="[UNK]"))
    inner.normalizer = normalizers.BertNormalizer()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def make_split(texts: list[str] | list[tuple[str, ...]], labels: list[int] | None = None) -> Split:
    rows = tuple((text,) if isinstance(text, str) else text for text in texts)
    return Split(rows, np.array(labels if labels is not None else [0] * len(rows), dtype=np.int64))


def make_config(**changes: Any) -> TaskConfig:
    """A small task of reviews in two columns, read from a folder."""
    settings = {
        "name": "reviews",
        "text": ["text"],
        "labels": ["negative", "positive"],
        "validation_rows": 8,
        "local": {"train": "train.tsv", "test": "test.tsv"},
    }
    return TaskConfig.model_validate({**settings, **changes})
