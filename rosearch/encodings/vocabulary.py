"""A smaller vocabulary: once words are replaced by codes, most pieces no longer occur, and need no row in the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from tokenizers import Tokenizer

_ROWS = 4096  # texts tokenised at once


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
