"""A smaller vocabulary: once words are replaced by codes, most pieces no longer occur, and need no row in the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from tokenizers import Tokenizer

_ROWS = 4096  # texts tokenised at once


def beginnings(tokenizer: Any) -> set[str]:
    """The pieces with which a word can begin, as text, without the mark that the tokenizer puts before a word.

    WordPiece has no such mark, byte-level BPE has one for a space, SentencePiece its own: the tokenizer is shown two
    words. Of bytes that are no ASCII nothing is told.
    """
    mark, letter = _shown(tokenizer, "a a")[:-1].rpartition("a")[2], _shown(tokenizer, "\u00e9")
    found = {piece.removeprefix(mark) for piece in tokenizer.get_vocab() if piece.startswith(mark)}
    in_bytes = "\u00c3" in letter  # the first byte of an accented letter, as byte-level BPE writes it
    return {piece for piece in found if piece.isascii()} if in_bytes else found


def _shown(tokenizer: Any, text: str) -> str:
    """A text as the vocabulary writes it."""
    backend = tokenizer.backend_tokenizer
    shown = text if backend.normalizer is None else backend.normalizer.normalize_str(text)
    if backend.pre_tokenizer is None:
        return str(shown)
    return "".join(piece for piece, _ in backend.pre_tokenizer.pre_tokenize_str(shown))


def pieces_in_use(tokenizer: Any, encode: Callable[[str], str], texts: Sequence[tuple[str, ...]]) -> list[str] | None:
    """The pieces that encoded texts use, single characters and special tokens, in the order of the tokenizer's ids.

    Any word can still be written with them. None for tokenizers other than WordPiece: they build pieces from pieces.
    """
    backend = tokenizer.backend_tokenizer
    if json.loads(backend.to_str())["model"]["type"] != "WordPiece":
        return None
    used: set[int] = set()
    flat = [encode(text) for row in texts for text in row]
    for start in range(0, len(flat), _ROWS):
        for made in backend.encode_batch(flat[start : start + _ROWS], add_special_tokens=False):
            used.update(made.ids)
    special = {str(token) for token in tokenizer.all_special_tokens}
    vocabulary = tokenizer.get_vocab()
    kept = [
        (index, piece)
        for piece, index in vocabulary.items()
        if index in used or piece in special or len(piece.removeprefix("##")) == 1
    ]
    return [piece for _, piece in sorted(kept)]


def cut_vocabulary(tokenizer: Any, pieces: Sequence[str]) -> Tokenizer:
    """The tokenizer with these pieces alone; their ids are their places."""
    new = {piece: index for index, piece in enumerate(pieces)}
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state["model"]["vocab"] = new
    state["truncation"] = state["padding"] = None
    state["added_tokens"] = [
        token | {"id": new[token["content"]]} for token in state["added_tokens"] if token["content"] in new
    ]
    _renumber(state.get("post_processor"), new)
    return Tokenizer.from_str(json.dumps(state))


def _renumber(processor: Any, new: dict[str, int]) -> None:
    """Gives the special tokens of either kind of WordPiece template their new ids."""
    if processor is None:
        return
    for name in ("sep", "cls"):
        if name in processor:
            processor[name][1] = new[processor[name][0]]
    for token in processor.get("special_tokens", {}).values():
        token["ids"] = [new[name] for name in token["tokens"]]
