"""A tiny random BERT and a WordPiece tokenizer: attacks, logits and counts are real and take milliseconds."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evaluation.tiny_model import CPU, WORDS, make_model
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertForSequenceClassification, PreTrainedTokenizerFast

from rosearch.evaluation.attacks.victim import Victim


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the whole session: TextAttack reads its place once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """Lower-cased WordPiece: whole words where it knows them, single letters otherwise."""
    letters = [*map(chr, range(ord("a"), ord("z") + 1)), *"0123456789'-.,!"]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters), *WORDS]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    names = ["input_ids", "token_type_ids", "attention_mask"]  # transformers 5 would name no segments
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=48, model_input_names=names, **special)


@pytest.fixture(scope="session")
def sentences() -> list[tuple[str, ...]]:
    rng = random.Random(5)
    return [(" ".join(rng.choices(WORDS, k=rng.randint(4, 9))).capitalize() + " .",) for _ in range(16)]


@pytest.fixture(scope="session")
def pairs(sentences: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [(first, second) for (first,), (second,) in zip(sentences[:6], sentences[6:12], strict=True)]


@pytest.fixture
def model(tokenizer: PreTrainedTokenizerFast, sentences: list[tuple[str, ...]]) -> BertForSequenceClassification:
    """Its classes are about equally frequent on the sentences."""
    made = make_model(len(tokenizer))
    with torch.inference_mode():
        logits = Victim(made, tokenizer, 48, CPU)([text for (text,) in sentences])
    with torch.no_grad():
        made.classifier.bias[0] -= float(np.median((logits[:, 0] - logits[:, 1]).numpy()))
    return made


@pytest.fixture
def victim(model: BertForSequenceClassification, tokenizer: PreTrainedTokenizerFast) -> Victim:
    return Victim(model, tokenizer, 48, CPU)


@pytest.fixture
def labels(victim: Victim, sentences: list[tuple[str, ...]]) -> np.ndarray:
    """The model's predictions, but wrong ones for every fourth row."""
    with torch.inference_mode():
        right = victim([text for (text,) in sentences]).argmax(dim=1).numpy()
    return np.where(np.arange(len(right)) % 4 == 3, 1 - right, right).astype(np.int64)
