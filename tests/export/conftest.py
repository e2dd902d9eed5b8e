"""What every target exports: a saved student and a saved tokenizer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from export.saved_student import GENOTYPE, WORDS, make_tokenizer

from rosearch.student.configuration_rosearch import StudentConfig
from rosearch.student.modeling_rosearch import StudentForSequenceClassification
from rosearch.student.tokenization_rosearch import EncodedTokenizer

ENCODING = {
    "encoding": "typos",
    "ratio": 20.0,
    "weights": {"good": 9.0, "film": 9.0, "text": 9.0},
    "codes": {"text": "film"},
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved student, as a run keeps it."""
    folder = tmp_path_factory.mktemp("student")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = StudentForSequenceClassification(
            StudentConfig(
                GENOTYPE.to_dict(), len(WORDS), 32, 2, 0, id2label={0: "negative", 1: "positive"},
                label2id={"negative": 0, "positive": 1}, problem_type="single_label_classification",
            )
        )  # fmt: skip
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher's folder: its tokenizer, and weights and a card that must not travel."""
    folder = tmp_path_factory.mktemp("teacher")
    make_tokenizer(WORDS).save_pretrained(folder)
    (folder / "model.safetensors").write_bytes(b"the teacher's")
    (folder / "vocab_of_another.bin").write_bytes(b"no")
    return folder


@pytest.fixture(scope="module")
def encoded_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tokenizer of a student with a robust encoding, saved with its weights."""
    folder, plain = tmp_path_factory.mktemp("encoded"), make_tokenizer(WORDS)
    special = {name: str(token) for name, token in plain.special_tokens_map.items()}
    encoded = EncodedTokenizer(tokenizer_object=plain.backend_tokenizer, **special)
    encoded.set_encoding(ENCODING)
    encoded.save_pretrained(folder)
    return folder
