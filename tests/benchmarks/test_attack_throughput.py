"""The throughput benchmark in its smallest form; what it measures is asserted nowhere."""

from __future__ import annotations

import io
import json
import string
from typing import Any

import numpy as np
import torch
from rich.console import Console
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from rosearch.data.tasks import Split
from rosearch.resources.resources import Resources
from tests.benchmarks.attack_throughput import Setting, measure
from tests.benchmarks.benchmark_students import BenchmarkStudent
from tests.benchmarks.throughput_report import show

KEYS = {"stock_min", "tuned_min", "device_2ms_min", "python_us_per_query", "equal_rows", "rows", "headline", "attacks"}
TEXTS = ("the plot never moves", "a bright story of good people", "dull scenes and a slow film", "very good")


def _tokenizer() -> PreTrainedTokenizerFast:
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *string.ascii_lowercase]
    pieces += [f"##{letter}" for letter in string.ascii_lowercase]
    backend = Tokenizer(models.WordPiece({piece: index for index, piece in enumerate(pieces)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=48,
    )  # fmt: skip


def _student(name: str, tokenizer: Any) -> BenchmarkStudent:
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=64,
        initializer_range=0.4,
    )
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return BenchmarkStudent(name, BertForSequenceClassification(config).eval(), tokenizer)


def test_the_benchmark_gives_every_figure_and_finds_all_rows_equal() -> None:
    tokenizer = _tokenizer()
    students = [_student(name, tokenizer) for name in ("first", "second")]
    rows = Split(tuple((text,) for text in TEXTS), np.array([0, 1, 0, 1]))
    setting = Setting(4, 2, repeats=2, wait_ms=0.1, seed=1, device=torch.device("cpu"), max_length=48)
    result = measure(students, ["deepwordbug"], rows, setting, Resources(None))

    assert set(result) >= KEYS
    assert result["headline"] == "first"
    assert list(result["students"]) == ["first", "second"]
    assert result["equal_rows"] == result["rows"] == len(TEXTS)
    assert all(one["queries"] > len(TEXTS) for one in result["attacks"])
    assert json.loads(json.dumps(result)) == result
    console = Console(width=180, file=io.StringIO(), record=True)
    show(result, console)
    assert "deepwordbug" in console.export_text()


def test_without_stock_textattack_its_ratio_is_absent() -> None:
    rows = Split(tuple((text,) for text in TEXTS), np.array([0, 1, 0, 1]))
    setting = Setting(2, 0, repeats=1, wait_ms=0.1, seed=1, device=torch.device("cpu"), max_length=48)
    result = measure([_student("only", _tokenizer())], ["deepwordbug"], rows, setting, Resources(None))
    assert result["stock_min"] is None
    assert result["tuned_min"] > 0
