from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from damaged_files import DAMAGES
from resources.tiny_wordnet import write_wndb
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

import rosearch.student  # noqa: F401  (its import teaches `load_tokenizer` ours)
from rosearch.data.tokens import tokenizer_fingerprint
from rosearch.encodings.purity import Judge
from rosearch.encodings.tokenizer import build_encoding, student_tokenizer
from rosearch.errors import BadInput, MissingResource
from rosearch.files import content
from rosearch.models.saved import load_tokenizer
from rosearch.resources.resources import Resources
from rosearch.resources.word_lists import is_withheld
from rosearch.student.tokenization_rosearch import EncodedTokenizer, WordEncoding

SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
WORDS = ["the", "film", "movie", "wonderful", "great", "dreadful", "was", "is", ",", "!", "'", "s", "cat"]
TEXTS = tuple([("the film was great", "the film is wonderful")] * 30 + [("dreadful film", "the cat")])
ENCODINGS = ["typos", "task_typos", "synonyms", "typos+synonyms"]


@pytest.fixture(scope="module")
def plain() -> PreTrainedTokenizerFast:
    words = [*SPECIAL.values(), *WORDS, *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]
    words += list("abcdefghijklmnopqrstuvwxyz")
    backend = Tokenizer(models.WordPiece({w: i for i, w in enumerate(dict.fromkeys(words))}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=32, model_input_names=inputs, **SPECIAL)


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Resources:
    folder = tmp_path_factory.mktemp("resources")
    lists = {"film": ["movie"], "movie": ["film"], "great": ["wonderful", "terrific"], "terrific": ["great"]}
    (folder / "counterfitted_neighbors.json").write_text(json.dumps(lists))
    write_wndb(folder / "corpora" / "wordnet")
    return Resources(folder)


def make(plain: Any, encoding: str, resources: Resources, cache: Path) -> Any:
    return student_tokenizer(plain, encoding, TEXTS, resources, cache)


def test_wordpiece_is_the_teachers_own(plain: Any, resources: Resources, tmp_path: Path) -> None:
    assert make(plain, "wordpiece", resources, tmp_path) is plain


@pytest.mark.parametrize(
    ("encoding", "text", "expected"),
    [
        ("typos", "The flim was gret!", "the film was great !"),
        ("typos", "terrific film", "t ##e ##r ##r ##i ##f ##i ##c film"),
        ("task_typos", "The flim was gret, terrific!", "the film was great , t ##e ##r ##r ##i ##f ##i ##c !"),
        ("synonyms", "The Movie was terrific", "the film was great"),
        ("synonyms", "the flim", "the f ##l ##i ##m"),
        ("typos+synonyms", "wonderfull mvie", "great film"),
        ("typos+synonyms", "film's cat", "film ' s cat"),
    ],
)
def test_words_are_encoded_before_they_are_cut(
    encoding: str, text: str, expected: str, plain: Any, resources: Resources, tmp_path: Path
) -> None:
    encoded = make(plain, encoding, resources, tmp_path)
    assert encoded.tokenize(text) == expected.split()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_way_to_call_it_encodes(encoding: str, plain: Any, resources: Resources, tmp_path: Path) -> None:
    encoded = make(plain, encoding, resources, tmp_path)
    texts = ["the flim was terrific", "a movie"]
    whole = [encoded(text)["input_ids"] for text in texts]
    assert encoded(texts)["input_ids"] == whole == [encoded.encode(text) for text in texts]
    if hasattr(encoded, "encode_plus"):  # not in transformers 5
        assert encoded.encode_plus(texts[0])["input_ids"] == whole[0]
    assert encoded([list(texts)])["input_ids"] == [encoded(*texts)["input_ids"]] == [encoded.encode(*texts)]
    padded = encoded(texts, padding=True, return_tensors="pt")
    assert padded["input_ids"][0].tolist() == whole[0]
    ids = encoded(texts[0].split(), is_split_into_words=True)["input_ids"]
    assert ids == whole[0]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_saved_one_is_loaded_as_it_was(encoding: str, plain: Any, resources: Resources, tmp_path: Path) -> None:
    encoded = make(plain, encoding, resources, tmp_path)
    encoded.save_pretrained(tmp_path / "saved")
    loaded = load_tokenizer(tmp_path / "saved")
    assert isinstance(loaded, EncodedTokenizer)
    text = "the flim was terrific, a movie of cats"
    assert loaded(text, text) == encoded(text, text)
    assert tokenizer_fingerprint(loaded) == tokenizer_fingerprint(encoded)


def test_each_encoding_has_ids_of_its_own(plain: Any, resources: Resources, tmp_path: Path) -> None:
    made = [plain, *(make(plain, encoding, resources, tmp_path) for encoding in ENCODINGS)]
    assert len({tokenizer_fingerprint(tokenizer) for tokenizer in made}) == 5


@pytest.mark.parametrize("damage", DAMAGES)
def test_it_is_built_once_and_a_damaged_one_again(
    damage: str, plain: Any, resources: Resources, tmp_path: Path
) -> None:
    first = make(plain, "typos", resources, tmp_path)
    (kept,) = (tmp_path / "encodings").glob("*.json")
    DAMAGES[damage](kept)
    again = make(plain, "typos", resources, tmp_path)
    assert again.encoding.data == first.encoding.data == json.loads(content(kept))["data"]


def test_the_vocabulary_is_cut_to_what_encoded_texts_use(plain: Any, resources: Resources, tmp_path: Path) -> None:
    encoded = make(plain, "synonyms", resources, tmp_path)
    pieces = set(encoded.get_vocab())
    assert {"film", "great", "a", "##z", "[PAD]"} <= pieces and not {"movie", "wonderful"} & pieces
    assert encoded.convert_ids_to_tokens(range(len(encoded))) == plain.convert_ids_to_tokens(encoded.source_ids)
    text = "the movie was terrific zzz"
    assert encoded.tokenize(text) == plain.tokenize("the film was great zzz")
    ids = encoded(text, "a film")["input_ids"]
    assert [encoded.source_ids[index] for index in ids] == plain("the film was great zzz", "a film")["input_ids"]


def test_the_words_of_the_task_may_be_all_that_are_known_and_those_that_stay_apart(resources: Resources) -> None:
    counts, vocabulary = {"plot": 50, "cat": 5, "newer": 5}, ["lot", "coat"]
    closed, usual = (
        WordEncoding(build_encoding(encoding, counts, vocabulary, resources)) for encoding in ("task_typos", "typos")
    )
    assert [closed.word(word) for word in ("lot", "coat", "never", "quxqux")] == ["plot", "cat", "never", "quxqux"]
    assert [usual.word(word) for word in ("lot", "coat", "never", "polt")] == ["lot", "coat", "never", "plot"]


def test_no_known_word_is_read_as_a_typo_of_another_however_rare_it_is(resources: Resources) -> None:
    data = build_encoding("typos", {"cat": 50, "car": 5000, "coat": 500, "cot": 1}, ["jew"], resources)
    tokenizer = EncodedTokenizer(tokenizer_object=Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]")))
    tokenizer.set_encoding(data)
    assert tokenizer.encoding is not None
    assert tokenizer.encoding.text("Cat cot caar") == "cat cot car"


def test_missing_lists_are_said_before_anything_is_built(plain: Any, tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match="neighbour"):
        make(plain, "synonyms", Resources(tmp_path / "empty"), tmp_path)


def test_no_word_is_read_as_another_of_a_pair_that_is_withheld(plain: Any, tmp_path: Path) -> None:
    others = [first + second for first in "abcdefgh" for second in "klmno"]
    (tmp_path / "counterfitted_neighbors.json").write_text(json.dumps({"great": others}))
    write_wndb(tmp_path / "corpora" / "wordnet")
    codes = {}
    for withhold in (False, True):
        resources = Resources(tmp_path, withhold=withhold)
        codes[withhold] = make(plain, "synonyms", resources, tmp_path / "cache").encoding.data["codes"]
    assert any(is_withheld(word, code) for word, code in codes[False].items())
    assert codes[True] and not any(is_withheld(word, code) for word, code in codes[True].items())


def test_a_slow_tokenizer_is_refused(resources: Resources, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a fast tokenizer"):
        make(ByT5Tokenizer(), "typos", resources, tmp_path)


def test_the_teacher_refuses_readings_and_decides_what_is_kept(
    plain: Any, resources: Resources, tmp_path: Path
) -> None:
    texts = (("the film was great",), ("the film is wonderful",)) * 20

    def read(judge: Judge | None) -> Any:
        return student_tokenizer(plain, "synonyms", texts, resources, tmp_path, judge).encoding.data

    blind = read(Judge("blind", lambda rows: [(1.0, 0.0)] * len(rows)))
    seeing = read(Judge("seeing", lambda rows: [(0.0, 1.0) if "wonderful" in row[0] else (1.0, 0.0) for row in rows]))
    assert read(None)["codes"]["wonderful"] == blind["codes"]["wonderful"] == "great"
    assert read(None)["purity"] is None and blind["purity"]["mean"] == 1.0
    assert "wonderful" not in seeing["codes"] and seeing["purity"]["refused"]["wonderful"] == ["great", 0.0]


def test_a_listed_word_that_no_text_has_keeps_its_piece_in_the_vocabulary(resources: Resources, tmp_path: Path) -> None:
    words = [*SPECIAL.values(), "sikh", "zebra", "film", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]
    words += list("abcdefghijklmnopqrstuvwxyz")
    backend = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **SPECIAL)
    encoded = student_tokenizer(tokenizer, "typos", (("film",),), resources, tmp_path)
    assert encoded.tokenize("sikh zebra film") == ["sikh", "z", "##e", "##b", "##r", "##a", "film"]
