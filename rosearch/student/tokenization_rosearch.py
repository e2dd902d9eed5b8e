"""The tokenizer of a student with robust encodings: words are replaced before a fast tokenizer cuts them.

A robust encoding (Jones et al. 2020, arXiv 2005.01229) maps a word and its perturbations to one representative. Here it
is a function of each word alone. A word that is unknown, or far rarer than a word one edit away, is read as that word.
A word with a synonym code is read as its code.
This file travels with exported students that need it: it imports nothing of rosearch.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

ENCODING_FILE = "encoding.json"
WORD = r"[^\W\d_]+"  # a run of letters
_WORD = re.compile(WORD)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class WordEncoding:
    """A pure function of a word. `data` is the content of `encoding.json`.

    `weights` maps known words to their expected frequency. A word that is more than `ratio` times rarer than another
    one edit away (insertion, deletion, substitution, swap of adjacent letters) is read as that other word. Without
    weights no typos are corrected. Then `codes` maps a word to its representative.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.weights: dict[str, float] = data["weights"]
        self.ratio: float = data["ratio"]
        self.codes: dict[str, str] = data["codes"]
        self.word = lru_cache(maxsize=2**18)(self._word)

    def text(self, text: str) -> str:
        """The text with each word lower-cased and encoded; everything else stays."""
        return _WORD.sub(lambda match: self.word(match.group().lower()), text)

    def _word(self, word: str) -> str:
        read = self._read(word) if self.weights else word
        return self.codes.get(read, read)

    def _read(self, word: str) -> str:
        """The most frequent word that this one may be a typo of, or itself. Single letters are never corrected."""
        if len(word) < 2:
            return word
        best, most = word, self.weights.get(word, 0.0) * self.ratio
        for other in _edits(word):
            weight = self.weights.get(other, 0.0)
            if weight > most or (weight == most > 0 and best != word and other < best):
                best, most = other, weight
        return best


def _edits(word: str) -> set[str]:
    """All strings one edit away."""
    cuts = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    made = {before + after[1:] for before, after in cuts if after}
    made |= {before + after[1] + after[0] + after[2:] for before, after in cuts if len(after) > 1}
    for letter in _LETTERS:
        made |= {before + letter + after for before, after in cuts}
        made |= {before + letter + after[1:] for before, after in cuts if after}
    return made - {word}


class EncodedTokenizer(PreTrainedTokenizerFast):  # type: ignore[misc]
    """A fast tokenizer that encodes words first. It is saved as the usual files and `encoding.json`."""

    vocab_files_names = {**PreTrainedTokenizerFast.vocab_files_names, "encoding_file": ENCODING_FILE}  # noqa: RUF012
    slow_tokenizer_class = None

    encoding: WordEncoding | None = None
    source_ids: list[int] | None = None  # ids of the pieces in the tokenizer that they come from

    # No `__init__`: for a class that has one, transformers 5 rebuilds the backend and ignores tokenizer.json.
    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        """As in transformers, with the encoding."""
        loaded = super().from_pretrained(*args, **kwargs)
        file = loaded.init_kwargs.get("encoding_file")
        if file is not None:
            loaded.set_encoding(json.loads(Path(file).read_text(encoding="utf-8")))
        return loaded

    def set_encoding(self, data: dict[str, Any]) -> None:
        """Sets the encoding; `data` is explained in `WordEncoding`."""
        self.encoding = WordEncoding(data)

    @property
    def encoding_fingerprint(self) -> str:
        """A hash of the encoding, 32 hex digits; the token ids depend on it."""
        data = None if self.encoding is None else self.encoding.data
        return hashlib.blake2b(json.dumps(data, sort_keys=True).encode(), digest_size=16).hexdigest()

    def _encoded(self, text: Any) -> Any:
        """The same with encoded words: a text, a pair, or lists of them."""
        if self.encoding is None or text is None:
            return text
        if isinstance(text, str):
            return self.encoding.text(text)
        return type(text)(self._encoded(part) for part in text)

    # Every call ends in one of these: the first in transformers 4, the second in 5.
    if hasattr(PreTrainedTokenizerFast, "_batch_encode_plus"):

        def _batch_encode_plus(self, batch_text_or_text_pairs: Any, *args: Any, **kwargs: Any) -> Any:
            return super()._batch_encode_plus(self._encoded(batch_text_or_text_pairs), *args, **kwargs)

    else:

        def _encode_plus(self, text: Any, text_pair: Any = None, *args: Any, **kwargs: Any) -> Any:
            return super()._encode_plus(self._encoded(text), self._encoded(text_pair), *args, **kwargs)

    def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> Any:
        """The usual files, and the encoding."""
        saved = super().save_pretrained(save_directory, *args, **kwargs)
        if self.encoding is None:
            return saved
        path = Path(save_directory) / ENCODING_FILE
        path.write_text(json.dumps(self.encoding.data, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
        return (*saved, str(path))
