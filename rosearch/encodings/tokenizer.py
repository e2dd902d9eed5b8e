"""The tokenizer of a student: the teacher's, or one that encodes words robustly before it cuts them."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from rosearch.encodings.synonyms import synonym_codes
from rosearch.errors import BadInput, Problem
from rosearch.resources.resources import Resources
from rosearch.student.tokenization_rosearch import ENCODING_FILE, WORD, EncodedTokenizer

_FORMAT = "1"  # part of every key: raise it when what is built changes
_RARER = 20.0  # times: so much rarer than a word one edit away, a word is read as a typo of it
_VOCABULARY_WEIGHT = 0.5  # of a whole-word piece, in occurrences: known to the vocabulary, though not to the task
_WORDS = re.compile(WORD)


def student_tokenizer(
    tokenizer: Any, encoding: str, texts: Sequence[tuple[str, ...]], resources: Resources, cache: Path
) -> Any:
    """The tokenizer of students whose source has this `encoding`: `wordpiece` is the teacher's own.

    The others (`typos`, `synonyms`, `typos+synonyms`) are built once from the words of `texts` (the training rows)
    and the tokenizer's vocabulary, kept in `cache/encodings/KEY.json`, and go where the tokenizer is saved. Raises
    `MissingResource` where the neighbour lists are not there, `BadInput` for a tokenizer that is not a fast one.
    """
    if encoding == "wordpiece":
        return tokenizer
    if not getattr(tokenizer, "is_fast", False):
        expected, got = "a fast tokenizer, for a robust encoding", type(tokenizer).__name__
        raise BadInput(Problem("teacher", "tokenizer", expected, got))
    if "synonyms" in encoding:
        resources.require(["neighbours"], f"encoding {encoding}")
    return _with_encoding(tokenizer, _encoding(tokenizer, encoding, texts, resources, cache))


def _with_encoding(tokenizer: Any, data: dict[str, Any]) -> EncodedTokenizer:
    special = {name: str(token) for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}
    encoded = EncodedTokenizer(
        tokenizer_object=tokenizer.backend_tokenizer,
        model_max_length=tokenizer.model_max_length,
        padding_side=tokenizer.padding_side,
        truncation_side=tokenizer.truncation_side,
        model_input_names=list(tokenizer.model_input_names),
        **special,
    )
    encoded.set_encoding(data)
    return encoded


def _encoding(
    tokenizer: Any, encoding: str, texts: Sequence[tuple[str, ...]], resources: Resources, cache: Path
) -> dict[str, Any]:
    lists = resources.fingerprint(["neighbours"]) if "synonyms" in encoding else ""
    counts, vocabulary = _word_counts(texts), frozenset(tokenizer.get_vocab())
    key = _key(encoding, counts, vocabulary, lists)
    path = cache / "encodings" / f"{key}.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        made = build_encoding(encoding, counts, vocabulary, resources)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{secrets.token_hex(4)}")
    draft.write_text(json.dumps(made, ensure_ascii=False), encoding="utf-8")
    draft.replace(path)
    return made


def build_encoding(
    encoding: str, counts: dict[str, int], vocabulary: Iterable[str], resources: Resources
) -> dict[str, Any]:
    """What `WordEncoding` reads, from how often the task has each word (lower case) and the tokenizer's pieces."""
    codes: dict[str, str] = {}
    weights: dict[str, float] = {}
    if "synonyms" in encoding:
        lists = resources.neighbours()
        codes = synonym_codes(counts, {word: lists.of(word) for word in lists.words()})
    if "typos" in encoding:
        weights = {word: float(count) for word, count in counts.items()}
        for piece in vocabulary:
            if _WORDS.fullmatch(piece):
                weights[piece] = weights.get(piece, 0.0) + _VOCABULARY_WEIGHT
    return {"encoding": encoding, "ratio": _RARER, "weights": weights, "codes": codes}


@lru_cache(maxsize=2)
def _word_counts(texts: tuple[tuple[str, ...], ...]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in texts:
        for text in row:
            counts.update(_WORDS.findall(text.lower()))
    return dict(sorted(counts.items()))


def _key(encoding: str, counts: dict[str, int], vocabulary: frozenset[str], lists: str) -> str:
    digest = hashlib.blake2b(f"{_FORMAT}\x1f{encoding}\x1f{lists}\x1f".encode(), digest_size=16)
    digest.update(json.dumps([counts, sorted(vocabulary)]).encode())
    return digest.hexdigest()


__all__ = ["ENCODING_FILE", "build_encoding", "student_tokenizer"]
