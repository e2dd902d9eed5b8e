"""The tokenizer of a student: the teacher's, or one that replaces words by robust codes before it cuts them."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from rosearch.encodings.apart import listed_apart, words_apart
from rosearch.encodings.purity import Judge, Judged, Purity
from rosearch.encodings.synonyms import synonym_codes
from rosearch.encodings.vocabulary import beginnings, cut_vocabulary, pieces_in_use
from rosearch.errors import BadInput, Problem
from rosearch.files import content, made_once
from rosearch.resources.resources import Resources
from rosearch.resources.wordnet import WordNet
from rosearch.student.tokenization_rosearch import WORD, EncodedTokenizer, WordEncoding

_FORMAT = "3"  # part of every key: raise it when what is built changes
_RARER = 1e12  # times rarer than a word one edit away: no known word is so rare, so that each is left alone
_SENSES = 2  # of a word and part of speech, in WordNet's order: rare senses tie "floor" to "story"
_CLOSED = "task_typos"  # the task's words are all that there are: what else the tokenizer knows may be a typo of them
_KNOWN_WEIGHT = 0.5  # occurrences of a word that the task does not have, but a vocabulary or a list
_RESOURCES = ("neighbours", "wordnet")
_WORDS = re.compile(WORD)


def student_tokenizer(
    tokenizer: Any,
    encoding: str,
    texts: tuple[tuple[str, ...], ...],
    resources: Resources,
    cache: Path,
    judge: Judge | None = None,
) -> Any:
    """The tokenizer of students whose source has this `encoding`: `wordpiece` is the teacher's own.

    The others (`typos`, `task_typos`, `synonyms`, `typos+synonyms`) are built once from the words of `texts` (the
    training rows) and the tokenizer's vocabulary. They are kept in `cache/encodings/KEY.json`, and travel with the
    tokenizer. A WordPiece vocabulary is cut to what encoded texts still use, and the listed words that stay apart:
    `source_ids` are then the teacher's ids of the pieces left. `judge` is the teacher, which tries what synonyms are
    read as; without one all readings of the lists are taken.

    Raises `MissingResource` where word lists are not there, `BadInput` for a tokenizer that is not a fast one.
    """
    if encoding == "wordpiece":
        return tokenizer
    if not getattr(tokenizer, "is_fast", False):
        expected, got = "a fast tokenizer, for a robust encoding", type(tokenizer).__name__
        raise BadInput(Problem("teacher", "tokenizer", expected, got))
    resources.require(lists_of(encoding), f"encoding {encoding}")
    lists = resources.fingerprint(lists_of(encoding)) if lists_of(encoding) else ""
    counts, vocabulary = _word_counts(texts), beginnings(tokenizer)

    def make(draft: Path) -> None:
        judged = None if judge is None or "synonyms" not in encoding else Judged(Purity(texts, judge.opinions))
        data = build_encoding(encoding, counts, vocabulary, resources, judged)
        apart = tuple((word,) for word in sorted(listed_apart()) if word in vocabulary)  # unseen, it falls to pieces
        kept = {"data": data, "pieces": pieces_in_use(tokenizer, WordEncoding(data).text, (*texts, *apart))}
        draft.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")

    lists += "" if judge is None else f" {judge.key}"
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
    judged: Judged | None = None,
) -> dict[str, Any]:
    """The data of a `WordEncoding`. `counts` are the occurrences of the task's words, in lower case.

    `judged` tries every reading on the task's rows, and those that change the teacher's opinion are left out. For
    people, the data also holds `apart`, the words that are read as themselves, and `purity` (`Judged.summary`).
    """
    pieces = {word.lower() for word in vocabulary if _WORDS.fullmatch(word)}
    words = pieces | set(counts) | listed_apart()
    codes: dict[str, str] = {}
    if "synonyms" in encoding:
        lists, wordnet = resources.neighbours(), resources.wordnet()
        neighbours = {word: lists.of(word) for word in lists.words()}
        words |= set(neighbours)
        apart = words_apart(words, wordnet.synsets, pieces)
        related = SameSense(wordnet)
        codes = synonym_codes(counts, neighbours, related, apart, None if judged is None else judged.stays)
    else:
        apart = words_apart(words)
    weights: dict[str, float] = {}
    if "typos" in encoding:
        weights = {word: float(count) for word, count in counts.items()}
        for word in listed_apart() if encoding == _CLOSED else {*words, *codes}:
            weights[word] = weights.get(word, 0.0) + _KNOWN_WEIGHT
    data = {"encoding": encoding, "ratio": _RARER, "weights": dict(sorted(weights.items())), "codes": codes}
    return data | {"apart": sorted(apart), "purity": None if judged is None else judged.summary(codes)}


class SameSense:
    """WordNet's synonyms of a word in a sense that is among the first of both: "gravid" is no "great"."""

    def __init__(self, wordnet: WordNet) -> None:
        self._hides = wordnet.hides
        self._senses = lru_cache(maxsize=None)(lambda word: wordnet.main_synsets(word, _SENSES))

    def __call__(self, word: str) -> list[str]:
        """The synonyms, in lower case and once each; none of more than one word."""
        found: dict[str, None] = {}
        for names in self._senses(word):
            single = [name.lower() for name in names if _WORDS.fullmatch(name)]
            found.update(dict.fromkeys(name for name in single if name != word and names in self._senses(name)))
        return [name for name in found if not self._hides(word, name)]


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


def _key(encoding: str, counts: Mapping[str, int], vocabulary: Iterable[str], lists: str) -> str:
    digest = hashlib.blake2b(f"{_FORMAT}\x1f{encoding}\x1f{lists}\x1f".encode(), digest_size=16)
    digest.update(json.dumps([counts, sorted(vocabulary)]).encode())
    return digest.hexdigest()
