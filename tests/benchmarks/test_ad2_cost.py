"""The cost benchmark of AD^2 in its smallest form; what it measures is asserted nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from rosearch.data.tasks import Split
from tests.benchmarks.ad2_cost import Bench, Setting, costs, measure
from tests.benchmarks.benchmark_students import with_head
from tests.benchmarks.test_attack_throughput import _tokenizer
from tests.benchmarks.text_editing import NEAREST, TextEditor

CPU = torch.device("cpu")
TEXTS = ("the plot never moves", "a bright story of good people", "dull b c d", "a b c d e f g")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    tokenizer = _tokenizer()
    tokenizer.add_special_tokens({"mask_token": "[MASK]"})
    return tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        BertModel(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **sizes)).save_pretrained(folder)
    return folder


def test_copies_change_some_words_keep_stop_words_and_stand_once(folder: Path, tokenizer: Any) -> None:
    editor = TextEditor(folder, tokenizer, CPU, 48)
    edited = editor.run(TEXTS, 6, seed=1)
    for row, text in enumerate(TEXTS):
        mine = [found for at, found in edited if at == row]
        assert mine[0] == text and 2 <= len(mine) <= 7 and len(set(mine)) == len(mine)
        assert all(len(copy.split()) == len(text.split()) for copy in mine)
    assert all(text.split()[0] == "the" for row, text in edited if row == 0)
    assert editor.run(TEXTS, 6, seed=1) == edited


def test_a_word_of_one_piece_is_what_the_masked_lm_says_and_others_are_neighbours(folder: Path, tokenizer: Any) -> None:
    editor = TextEditor(folder, tokenizer, CPU, 48)
    (choices,) = editor._choices([["b", "plot", "the"]])
    assert set(choices) == {0, 1}  # a stop word stays
    with torch.inference_mode():
        inputs = tokenizer("[MASK] plot the", return_tensors="pt")
        best = editor.model(**inputs).logits[0, 1].topk(NEAREST).indices.tolist()
    pieces = tokenizer.convert_ids_to_tokens(best)
    assert choices[0] == [piece for piece in pieces if not piece.startswith("##")]
    assert 1 <= len(choices[1]) <= NEAREST


def test_what_is_done_once_is_spread_over_the_epochs_and_opening_files_is_left_out() -> None:
    parts = {"opening": 1, "teacher": 4, "kd": 5, "ad2": 7, "copies": 6, "copies_encoded": 3, "copies_teacher": 10}
    watch = {name: (float(seconds), 2.0 * seconds) for name, seconds in (*parts.items(), ("copies_kd", 20))}
    assert costs(watch, 0, 3, 1000) == {"kd": 6.0, "ad2": 8.0, "text_editing": 26.0}
    assert costs(watch, 1, 1, 1000) == {"kd": 16.0, "ad2": 20.0, "text_editing": 76.0}


def test_the_benchmark_gives_every_figure(folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    teacher = with_head(folder, tokenizer, tmp_path / "teacher")
    editor = TextEditor(folder, tokenizer, CPU, 48)
    rows = Split(tuple((text,) for text in TEXTS), np.array([0, 1, 0, 1]))
    setting = Setting("nas_bert_5m", "freelb-sst2", 2, epochs=3, repeats=1, device=CPU, max_length=48)
    result = measure(Bench(rows, teacher, tokenizer, editor, setting))
    for figure in ("ad2_over_kd", "text_editing_over_ad2"):
        for suffix in ("", "_one_epoch", "_training_alone", "_clock", "_one_epoch_clock"):
            assert set(result[figure + suffix]) == {"median", "least", "most"}
    assert len(TEXTS) < result["rows_with_copies"] <= 3 * len(TEXTS)
    assert json.loads(json.dumps(result)) == result
