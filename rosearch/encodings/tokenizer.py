"""The tokenizer of a student: the teacher's, or one that replaces words by robust codes before it cuts them."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from rosearch.encodings.synonyms import synonym_codes
from rosearch.encodings.vocabulary import cut_vocabulary, pieces_in_use
from rosearch.errors import BadInput, Problem
from rosearch.files import content, made_once
from rosearch.resources.resources import Resources
from rosearch.student.tokenization_rosearch import WORD, EncodedTokenizer, WordEncoding

_FORMAT = "1"  # part of every key: raise it when what is built changes
_RARER = 200.0  # times rarer than a word one edit away: the word is then read as a typo of it
_KNOWN_WEIGHT = 0.5  # occurrences of a word that the task does not have, but a vocabulary or a list
_RESOURCES = ("neighbours", "wordnet")
_WORDS = re.compile(WORD)


def student_tokenizer(
    tokenizer: Any,
    encoding: str,
    texts: tuple[tuple[str, ...], ...],
    resources: Resources,
    cache: Path,
) -> Any:
    """The tokenizer of students whose source has this `encoding`: `wordpiece` is the teacher's own.

    The others (`typos`, `synonyms`, `typos+synonyms`) are built once from the words of `texts` (the training rows) and
    the tokenizer's vocabulary. They are kept in `cache/encodings/KEY.json`, and travel with the tokenizer. A WordPiece
    vocabulary is cut to what encoded texts still use: `source_ids` are then the teacher's ids of the pieces left.

    Raises `MissingResource` where word lists are not there, `BadInput` for a tokenizer that is not a fast one.
    """
    if encoding == "wordpiece":
        return tokenizer
    if not getattr(tokenizer, "is_fast", False):
        expected, got = "a fast tokenizer, for a robust encoding", type(tokenizer).__name__
        raise BadInput(Problem("teacher", "tokenizer", expected, got))
    resources.require(lists_of(encoding), f"encoding {encoding}")
    lists = resources.fingerprint(lists_of(encoding)) if lists_of(encoding) else ""
    counts, vocabulary = _word_counts(texts), tokenizer.get_vocab()

    def make(draft: Path) -> None:
        data = build_encoding(encoding, counts, vocabulary, resources)
        kept = {"data": data, "pieces": pieces_in_use(tokenizer, WordEncoding(data).text, texts)}
        draft.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")

    kept = made_once(cache / "encodings" / f"{_key(encoding, counts, vocabulary, lists)}.json", _read, make)
    return _with_encoding(tokenizer, kept["data"], kept["pieces"])


def lists_of(encoding: str) -> tuple[str, ...]:
    """The resources behind an encoding."""
    return _RESOURCES if "synonyms" in encoding else ()


def build_encoding(
    encoding: str,
    counts: Mapping[str, int],
    vocabulary: Iterable[str],
    resources: Resources,
) -> dict[str, Any]:
    """The data of a `WordEncoding`. `counts` are the occurrences of the task's words, in lower case."""
    codes: dict[str, str] = {}
    weights: dict[str, float] = {}
    listed: list[str] = []
    if "synonyms" in encoding:
        lists, wordnet = resources.neighbours(), resources.wordnet()
        listed = lists.words()
        neighbours = {word: lists.of(word) for word in listed}
        codes = synonym_codes(counts, neighbours, lambda word: _single(wordnet.synonyms(word), word))
    if "typos" in encoding:
        weights = {word: float(count) for word, count in counts.items()}
        for word in {*vocabulary, *listed, *codes}:
            if _WORDS.fullmatch(word):
                weights[word] = weights.get(word, 0.0) + _KNOWN_WEIGHT
    return {"encoding": encoding, "ratio": _RARER, "weights": dict(sorted(weights.items())), "codes": codes}


def _single(names: Sequence[str], word: str) -> list[str]:
    return [name.lower() for name in names if _WORDS.fullmatch(name) and name.lower() != word]


def _with_encoding(tokenizer: Any, data: dict[str, Any], pieces: list[str] | None) -> EncodedTokenizer:
    special = {name: str(token) for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}
    encoded = EncodedTokenizer(
        tokenizer_object=tokenizer.backend_tokenizer if pieces is None else cut_vocabulary(tokenizer, pieces),
        model_max_length=tokenizer.model_max_length,
        padding_side=tokenizer.padding_side,
        truncation_side=tokenizer.truncation_side,
        model_input_names=list(tokenizer.model_input_names),
        **special,
    )
    encoded.set_encoding(data)
    theirs = tokenizer.get_vocab()
    names = encoded.convert_ids_to_tokens(range(len(encoded)))
    encoded.source_ids = None if pieces is None else [theirs[name] for name in names]
    return encoded


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(content(path))
    except (OSError, ValueError):
        return None
    return found


@lru_cache(maxsize=2)
def _word_counts(texts: tuple[tuple[str, ...], ...]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in texts:
        for text in row:
            counts.update(_WORDS.findall(text.lower()))
    return dict(sorted(counts.items()))


def _key(encoding: str, counts: Mapping[str, int], vocabulary: Mapping[str, int], lists: str) -> str:
    digest = hashlib.blake2b(f"{_FORMAT}\x1f{encoding}\x1f{lists}\x1f".encode(), digest_size=16)
    digest.update(json.dumps([counts, sorted(vocabulary)]).encode())
    return digest.hexdigest()
