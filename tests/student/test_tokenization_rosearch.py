from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from rosearch.data.tokens import tokenizer_fingerprint
from rosearch.models.saved import load_tokenizer
from rosearch.student import tokenization_rosearch
from rosearch.student.tokenization_rosearch import ENCODING_FILE, HOW, EncodedTokenizer, WordEncoding

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
WORDS = [
    "film",
    "great",
    "wonderful",
    "was",
    "the",
    "i",
    ",",
    "!",
    "'",
    "[",
    "]",
    *LETTERS,
    *(f"##{x}" for x in LETTERS),
]
WEIGHTS = {"film": 9000.0, "great": 9000.0, "was": 9000.0, "i": 9000.0, "the": 9000.0}
CODES = {"movie": "film", "ok": "great", "terrific": "great", "good": "wonderful", "x": "film", "sep": "film"}
BOOKS: dict[str, dict[str, Any]] = {
    "typos": {"encoding": "typos", "ratio": 20.0, "weights": WEIGHTS, "codes": {}},
    "synonyms": {"encoding": "synonyms", "ratio": 20.0, "weights": {}, "codes": CODES},
    "typos+synonyms": {"encoding": "typos+synonyms", "ratio": 20.0, "weights": WEIGHTS, "codes": CODES},
}


def make_plain(lowercase: bool = True) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordPiece({w: i for i, w in enumerate([*SPECIAL.values(), *WORDS])}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=32, model_input_names=inputs, **SPECIAL)


PLAIN = {lowercase: make_plain(lowercase) for lowercase in (True, False)}


def encode(book: str, plain: PreTrainedTokenizerFast) -> EncodedTokenizer:
    encoded = EncodedTokenizer(
        tokenizer_object=plain.backend_tokenizer,
        model_max_length=plain.model_max_length,
        model_input_names=plain.model_input_names,
        **SPECIAL,
    )
    encoded.set_encoding(BOOKS[book])
    return encoded


ENCODED = {(book, lowercase): encode(book, PLAIN[lowercase]) for book in BOOKS for lowercase in PLAIN}


@pytest.fixture(params=list(BOOKS))
def encoded(request: pytest.FixtureRequest) -> EncodedTokenizer:
    return ENCODED[request.param, True]


words = st.sampled_from(["movie", "flim", "Movie", "GOOD", "terrific", "ok", "x", "grreat", "the", "film", "2x2", "1"])
strange = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
marks = st.sampled_from(["\U000f0000", "\U000f0001", "\u0301", "İ", "ß", "中", "\u200b", "'", "-", " "])


@given(st.lists(words | strange | marks, max_size=12), st.sampled_from([" ", "", ", "]), st.sampled_from([True, False]))
def test_the_ids_are_those_that_the_plain_tokenizer_gives_the_encoded_text(
    parts: list[str], between: str, lowercase: bool
) -> None:
    text = between.join(parts)
    for book, data in BOOKS.items():
        read = WordEncoding(data).text(text)
        assert ENCODED[book, lowercase](text)["input_ids"] == PLAIN[lowercase](read)["input_ids"]


@pytest.mark.parametrize(
    ("book", "text", "pieces"),
    [
        ("typos", "The flim was gret!", ["The", "flim", "was", "gret", "!"]),
        ("synonyms", "Good, the Movie ok", ["Good", ",", "the", "Movie", "ok"]),
        ("synonyms", "terrific x movie", ["terrific", "x", "movie"]),
        ("typos+synonyms", "a mvie [SEP] wonderful", ["a", "m", "v", "i", "e", "[SEP]", "wonderful"]),
    ],
)
def test_a_token_knows_its_place_in_the_users_text(book: str, text: str, pieces: list[str]) -> None:
    made = ENCODED[book, True](text, return_offsets_mapping=True)
    assert [text[start:end] for start, end in made["offset_mapping"][1:-1]] == pieces
    for place, letter in enumerate(text):
        if not letter.isspace():
            start, end = made["offset_mapping"][made.char_to_token(place)]
            assert start <= place < end


@pytest.mark.parametrize("text", ["film [SEP] film", "[CLS]film[PAD]", "was[SEP]", "[sep]", "[ SEP ]", "[MASK]"])
def test_special_tokens_written_in_a_text_are_what_they_are_to_the_plain_tokenizer(text: str) -> None:
    made = [ENCODED["typos", True](text)["input_ids"], PLAIN[True](text)["input_ids"]]
    assert [index for index in made[0] if index < 4] == [index for index in made[1] if index < 4]
    if "[SEP]" in text:
        assert ENCODED["synonyms", True](text)["input_ids"] == PLAIN[True](text)["input_ids"]


def kept(saved: EncodedTokenizer, folder: Path) -> Any:
    saved.save_pretrained(folder)
    return load_tokenizer(folder)


COPIES: dict[str, Callable[[EncodedTokenizer, Path], Any]] = {
    "pickled": lambda encoded, _: pickle.loads(pickle.dumps(encoded)),
    "copied": lambda encoded, _: copy.deepcopy(encoded),
    "saved": kept,
    "saved twice": lambda encoded, folder: kept(kept(encoded, folder / "a"), folder / "b"),
    "trusted": lambda encoded, folder: (
        encoded.save_pretrained(folder),
        AutoTokenizer.from_pretrained(folder, trust_remote_code=True, model_max_length=32),
    )[1],
}


@pytest.mark.parametrize("copied", list(COPIES))
def test_a_copy_is_what_it_was(copied: str, encoded: EncodedTokenizer, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    encoded(["the flim"] * 2, padding=True, truncation=True)  # leaves its mark on a backend
    again = COPIES[copied](encoded, tmp_path)
    text = "the flim was terrific, [SEP] a Movie"
    assert again(text, text, return_offsets_mapping=True) == encoded(text, text, return_offsets_mapping=True)
    assert tokenizer_fingerprint(again) == tokenizer_fingerprint(encoded)
    assert again.encoding.data == encoded.encoding.data  # type: ignore[union-attr]
    assert (again.model_max_length, again.pad_token) == (32, "[PAD]")


READERS: dict[str, Callable[[Path], Any]] = {
    "AutoTokenizer": AutoTokenizer.from_pretrained,
    "AutoTokenizer, untrusted": lambda folder: AutoTokenizer.from_pretrained(folder, trust_remote_code=False),
    "PreTrainedTokenizerFast": PreTrainedTokenizerFast.from_pretrained,
    "tokenizers": lambda folder: Tokenizer.from_file(str(folder / "tokenizer.json")),
}


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", "electra", "xlm-roberta", "deberta-v2", "mpnet"])
@pytest.mark.parametrize("reader", list(READERS))
def test_who_reads_the_folder_without_its_code_is_told_how_to_load_it(reader: str, kind: str, tmp_path: Path) -> None:
    ENCODED["typos", True].save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(Exception, match="trust_remote_code=True") as caught:  # `tokenizers` raises the base class
        READERS[reader](tmp_path)
    assert HOW in str(caught.value)


def test_no_other_file_in_the_folder_is_a_tokenizer(tmp_path: Path) -> None:
    ENCODED["typos", True].save_pretrained(tmp_path)
    for path in tmp_path.iterdir():
        with pytest.raises(Exception, match="at line"):
            Tokenizer.from_file(str(path))
    assert not {"vocab.txt", "vocab.json", "merges.txt"} & {path.name for path in tmp_path.iterdir()}


def test_a_backend_that_encodes_is_never_written_as_one_that_does_not(encoded: EncodedTokenizer) -> None:
    with pytest.raises(Exception, match="cannot be serialized"):
        encoded.backend_tokenizer.to_str()
    ids = encoded("the flim was terrific")["input_ids"]
    assert encoded.backend_tokenizer.encode("the flim was terrific").ids == ids


WITHOUT = """
import json, sys
sys.modules["transformers"] = sys.modules["rosearch"] = None
sys.path.insert(0, sys.argv[1])
from tokenization_rosearch import load_tokenizer
print(json.dumps(load_tokenizer(sys.argv[1]).encode(sys.argv[2]).ids))
"""


def test_its_code_needs_tokenizers_alone(tmp_path: Path) -> None:
    encoded = ENCODED["typos+synonyms", True]
    encoded.save_pretrained(tmp_path)
    text = "the flim was terrific [SEP]"
    command = [sys.executable, "-I", "-c", WITHOUT, str(tmp_path), text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == encoded(text)["input_ids"]


@pytest.mark.parametrize("book", list(BOOKS))
def test_a_folder_of_before_the_encoding_held_the_tokenizer_opens(book: str, tmp_path: Path) -> None:
    PLAIN[True].save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings | {"tokenizer_class": "EncodedTokenizer"}))
    (tmp_path / ENCODING_FILE).write_text(json.dumps(BOOKS[book]))
    loaded = load_tokenizer(tmp_path)
    text = "the flim was terrific, a Movie"
    assert loaded(text, text) == ENCODED[book, True](text, text)
    assert tokenizer_fingerprint(loaded) == tokenizer_fingerprint(ENCODED[book, True])
    assert kept(loaded, tmp_path / "again")(text) == loaded(text)


def test_the_file_that_travels_imports_nothing_of_rosearch() -> None:
    source = Path(tokenization_rosearch.__file__).read_text()
    assert not [line for line in source.splitlines() if line.strip().startswith(("from rosearch", "import rosearch"))]
