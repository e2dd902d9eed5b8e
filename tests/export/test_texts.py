"""Texts are read as transformers reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from export.conftest import ENCODING
from export.exported import exported
from export.saved_student import FACTS, WORDS, make_tokenizer

from rosearch.errors import BadInput
from rosearch.export.facts import read_facts
from rosearch.export.texts import Reader, open_tokenizer
from rosearch.models.saved import load_classifier, load_tokenizer
from rosearch.student.tokenization_rosearch import EncodedTokenizer

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


@pytest.mark.parametrize("texts", [1, 2])
def test_arrays_are_those_of_transformers_cut_and_padded(texts: int, tmp_path: Path) -> None:
    folder = exported(tmp_path)
    rows = [("a very good film", "bad text")[:texts], ("good " * 40, "bad " * 40)[:texts], ("film", "a")[:texts]]
    facts = read_facts(folder)
    read = Reader(open_tokenizer(folder, facts), facts)(rows, INPUTS)
    tokenizer = load_tokenizer(folder)
    columns = [list(column) for column in zip(*rows, strict=True)]
    expected = tokenizer(*columns, truncation=True, padding=True, return_tensors="np", return_token_type_ids=True)
    assert read["input_ids"].shape == (3, FACTS.max_length)
    for name in INPUTS:
        np.testing.assert_array_equal(read[name], expected[name])


def test_words_are_encoded_by_our_own_code_and_transformers_stays_as_it_was(tmp_path: Path) -> None:
    plain = make_tokenizer(WORDS)
    encoded = EncodedTokenizer(
        tokenizer_object=plain.backend_tokenizer, **{k: str(v) for k, v in plain.special_tokens_map.items()}
    )
    encoded.set_encoding(ENCODING)
    encoded.save_pretrained(tmp_path / "words")
    facts = read_facts(exported(tmp_path))
    facts = type(facts)(**{**vars(facts), "encoded": True})
    read = Reader(open_tokenizer(tmp_path / "words", facts), facts)([("a very godo txet",)], ("input_ids",))
    assert read["input_ids"].tolist() == [plain("a very good film")["input_ids"]]
    assert load_classifier(tmp_path / "out")[1] is not None


def test_a_folder_without_a_readable_tokenizer_is_one_clear_line(tmp_path: Path) -> None:
    facts = read_facts(exported(tmp_path))
    with pytest.raises(BadInput, match=r"expected a tokenizer.json, got none"):
        open_tokenizer(tmp_path, facts)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(BadInput, match="expected a readable tokenizer") as caught:
        open_tokenizer(tmp_path, facts)
    assert "\n" not in str(caught.value)
