"""The tokenizer of a student with robust encodings: words are replaced before a fast tokenizer cuts them.

A robust encoding (Jones et al. 2020, arXiv 2005.01229) maps a word and its perturbations to one representative. Here it
is a function of each word alone. A word that is unknown, or far rarer than a word one edit away, is read as that word.
A word with a synonym code is read as its code.

No `tokenizer.json` can hold a function of every word. So it runs as the first normalizer of the backend, and is saved
in `encoding.json`, with the tokenizer behind it. The `tokenizer.json` beside that file holds a sentence instead of a
tokenizer: whoever reads it without this code gets the sentence as an error, never a tokenizer that skips the encoding.

This file travels with exported students that need it: it imports nothing of rosearch, and `load_tokenizer` needs
`tokenizers` alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, normalizers

try:
    from transformers import PreTrainedTokenizerFast
except ImportError:  # `load_tokenizer` works without
    PreTrainedTokenizerFast = object

ENCODING_FILE = "encoding.json"
CODE_FILE = "tokenization_rosearch.py"  # this file, beside every saved tokenizer
WORD = r"[^\W\d_]+"  # a run of letters
HOW = (
    "this tokenizer reads words by a robust encoding, whose code is tokenization_rosearch.py in the same folder. "
    "Load it by AutoTokenizer.from_pretrained(FOLDER, trust_remote_code=True) or "
    "pipeline(..., trust_remote_code=True), or without transformers by load_tokenizer(FOLDER) of that file. "
    "No other reader knows the encoding"
)
_WORD = re.compile(WORD)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MARKS = range(0xF0000, 0x10FFFE)  # private letters; those that a text holds are no marks in it
_Change = tuple[int, int, str]  # the place of a word, [start, end), and its code
# Arguments of `from_pretrained` that say where a file is, and others that are no settings of the tokenizer.
_WHERE = ("cache_dir", "force_download", "proxies", "token", "revision", "local_files_only", "subfolder")
_NO_SETTINGS = (*_WHERE, "auto_map", "tokenizer_class", "trust_remote_code", "code_revision", "use_fast", "config")
_SETTINGS = ("model_max_length", "padding_side", "truncation_side", "model_input_names")
# `tokenizers` names the version in its error, transformers.js the type of the model, once it has seen the other keys.
_REFUSAL: dict[str, Any] = {
    "version": HOW,
    "added_tokens": [],
    **dict.fromkeys(("normalizer", "pre_tokenizer", "post_processor", "decoder")),
    "model": {"type": HOW},
}
# Stock transformers is led to `tokenizer.json`, and so to the error, by the first; trusting it, to this file.
_CLASS = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "auto_map": {"AutoTokenizer": [None, "tokenization_rosearch.EncodedTokenizer"]},
}


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

    def changes(self, text: str) -> list[_Change]:
        """The words of the text that `text` replaces, with their codes."""
        found = ((*match.span(), match.group(), self.word(match.group().lower())) for match in _WORD.finditer(text))
        return [(start, end, code) for start, end, word, code in found if code != word]

    def normalize(self, text: Any) -> None:
        """Replaces the words of a `NormalizedString` in place: the backend calls this first for every text."""
        if changes := self.changes(text.normalized):
            _rewrite(text, changes)

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


def _rewrite(text: Any, changes: list[_Change]) -> None:
    """Replaces words of a `NormalizedString`; the first and last letter of a code stand for those of its word.

    The backend follows letters one by one, and so knows where in the user's text a token lies. A word that is replaced
    as a whole it would count to the letter before.
    """
    shown = text.normalized
    letters, marks = list(shown), (mark for mark in map(chr, _MARKS) if mark not in shown)
    gone, longer = next(marks), _Marks(marks)
    for start, end, code in changes:
        size = end - start
        if len(code) <= size:
            head = code[: max(len(code) - 1, 1)]
            letters[start:end] = [*head, *gone * (size - len(code)), *code[len(head) :]]
            continue
        kept, last = max(size - 1, 1), code[-1] if size > 1 else ""
        mark = longer.mark(code[kept - 1], code[kept : len(code) - len(last)])
        letters[start:end] = [*code[: kept - 1], mark, *last]
    following = iter(letters)
    text.map(lambda _: next(following))
    text.replace(_regex(gone), "")
    longer.resolve(text)


class _Marks:
    """Letters that something follows which the text has no place for, each shown by a mark until it is put there."""

    def __init__(self, marks: Iterator[str]) -> None:
        self._marks = marks
        self._of: dict[tuple[str, str], str] = {}

    def mark(self, letter: str, behind: str) -> str:
        """The mark of a letter that `behind` is to follow."""
        if (letter, behind) not in self._of:
            self._of[letter, behind] = next(self._marks)
        return self._of[letter, behind]

    def resolve(self, text: Any) -> None:
        """Puts in what follows each mark, then the letters."""
        if not self._of:
            return
        for (_, behind), mark in self._of.items():
            text.replace(_regex(f"(?<={mark})"), behind)
        letters = {mark: letter for (letter, _), mark in self._of.items()}
        text.map(lambda letter: letters.get(letter, letter))


@lru_cache(maxsize=2**12)
def _regex(pattern: str) -> Regex:
    return Regex(pattern)


def encoded_backend(backend: Tokenizer, encoding: WordEncoding, plain: Any) -> None:
    """Lets a backend, whose own normalizer is `plain` or None, encode words first."""
    first = normalizers.Normalizer.custom(encoding)
    backend.normalizer = first if plain is None else normalizers.Sequence([first, plain])


def load_tokenizer(folder: str | Path) -> Tokenizer:
    """The tokenizer in a folder as the `tokenizers` library has it, with the encoding; transformers is not needed."""
    saved = json.loads((Path(folder) / ENCODING_FILE).read_text(encoding="utf-8"))
    backend = Tokenizer.from_str(json.dumps(saved["tokenizer"]))
    encoded_backend(backend, WordEncoding(saved["words"]), backend.normalizer)
    return backend


class EncodedTokenizer(PreTrainedTokenizerFast):  # type: ignore[misc]
    """A fast tokenizer that encodes words first."""

    encoding: WordEncoding | None = None
    source_ids: list[int] | None = None  # ids of the pieces in the tokenizer that they come from
    _plain: Any = None  # the normalizer behind the encoding

    # No `__init__`: for a class that has one, transformers 5 rebuilds the backend and ignores tokenizer.json.
    @classmethod
    def from_pretrained(cls, folder: Any, *args: Any, **kwargs: Any) -> Any:
        """As in transformers. A folder written before the encoding held the tokenizer is read as it was then."""
        where = {name: kwargs[name] for name in _WHERE if name in kwargs}
        saved = _read(folder, ENCODING_FILE, where)
        if "tokenizer" not in saved:
            loaded = super().from_pretrained(folder, *args, **kwargs)
            loaded.set_encoding(saved)
            return loaded
        settings = {**_read(folder, "tokenizer_config.json", where), **kwargs}
        chosen = {name: value for name, value in settings.items() if not (name in _NO_SETTINGS or name.startswith("_"))}
        loaded = cls(tokenizer_object=Tokenizer.from_str(json.dumps(saved["tokenizer"])), **chosen)
        loaded.name_or_path = str(folder)
        loaded.set_encoding(saved["words"])
        return loaded

    def set_encoding(self, data: dict[str, Any]) -> None:
        """Sets the encoding; `data` is explained in `WordEncoding`."""
        if self.encoding is None:
            self._plain = self._tokenizer.normalizer
        self.encoding = WordEncoding(data)
        encoded_backend(self._tokenizer, self.encoding, self._plain)

    @property
    def encoding_fingerprint(self) -> str:
        """A hash of the encoding, 32 hex digits; the token ids depend on it."""
        data = None if self.encoding is None else self.encoding.data
        return hashlib.blake2b(json.dumps(data, sort_keys=True).encode(), digest_size=16).hexdigest()

    def plain_backend(self) -> Tokenizer:
        """A copy of the backend without encoding, truncation and padding. The backend itself cannot be written."""
        ours = self._tokenizer
        made = Tokenizer(ours.model)
        made.normalizer = ours.normalizer if self.encoding is None else self._plain
        made.pre_tokenizer, made.post_processor, made.decoder = ours.pre_tokenizer, ours.post_processor, ours.decoder
        made.encode_special_tokens = ours.encode_special_tokens
        made.add_tokens([token for _, token in sorted(ours.get_added_tokens_decoder().items())])
        return made

    def __getstate__(self) -> dict[str, Any]:
        encoded = {"_tokenizer": self.plain_backend(), "encoding": self.encoding.data} if self.encoding else {}
        return {**self.__dict__, **encoded}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if data := self.__dict__.pop("encoding", None):
            self.set_encoding(data)

    def _save_pretrained(self, save_directory: Any, file_names: Any, *args: Any, **kwargs: Any) -> Any:
        if self.encoding is None:
            return super()._save_pretrained(save_directory, file_names, *args, **kwargs)
        tokenizer = json.loads(self.plain_backend().to_str())
        # By hand: what each of the versions 4 and 5 of transformers writes, the other cannot read.
        settings = {name: getattr(self, name) for name in _SETTINGS}
        special = {name: str(token) for name, token in self.special_tokens_map.items() if isinstance(token, str)}
        texts = {
            ENCODING_FILE: _json({"words": self.encoding.data, "tokenizer": tokenizer}),
            "tokenizer.json": _json(_REFUSAL),
            "tokenizer_config.json": json.dumps({**_CLASS, **settings, **special}, indent=2) + "\n",
            CODE_FILE: Path(__file__).read_text(encoding="utf-8"),
        }
        for name, text in texts.items():
            (Path(save_directory) / name).write_text(text, encoding="utf-8")
        return tuple(dict.fromkeys((*file_names, *(str(Path(save_directory) / name) for name in texts))))


def _read(folder: Any, name: str, where: dict[str, Any]) -> dict[str, Any]:
    from transformers.utils import cached_file

    found: dict[str, Any] = json.loads(Path(cached_file(str(folder), name, **where)).read_text(encoding="utf-8"))
    return found


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
