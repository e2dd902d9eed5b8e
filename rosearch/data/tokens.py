"""The tokens of a split: computed once, kept on disk under a key of the content, reopened memory-mapped. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from rosearch.data.tasks import Labels, Rows, Split, update_with_texts
from rosearch.errors import BadInput, Problem
from rosearch.files import content_key, made_once
from rosearch.progress import Progress, silent

_FORMAT = "1"  # part of every key: raise it when what is written changes
_CHUNK = 4096  # rows in one call of the tokenizer; bounds memory and paces the progress bar


@dataclass(frozen=True, eq=False)
class TokenisedSplit:
    """The token ids of a split, one row after the other: row i is `ids[offsets[i]:offsets[i + 1]]`."""

    key: str  # 32 hex digits of tokenizer, texts and max_length; labels are no part of it
    ids: np.ndarray[tuple[int], np.dtype[np.int32]]  # (tokens,) memory-mapped
    token_types: np.ndarray[tuple[int], np.dtype[np.int8]] | None  # (tokens,); None where the tokenizer has none
    offsets: Rows  # (rows + 1,) int64
    labels: Labels  # (rows,) int64 classes or float32 scores, in memory
    truncated: int  # rows that were cut to max_length
    pad_id: int

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def lengths(self) -> Rows:
        """(rows,) tokens of each row."""
        return np.diff(self.offsets)

    def row(self, index: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        """The token ids of one row, special tokens included."""
        return self.ids[self.offsets[index] : self.offsets[index + 1]]


def tokenise(split: Split, tokenizer: Any, max_length: int, cache: Path, progress: Progress = silent) -> TokenisedSplit:
    """The split as token ids, at most `max_length` a row; from `cache/encoded/KEY` where it was done before.

    `tokenizer` is a transformers tokenizer with a padding token, otherwise `BadInput`. Safe against other
    processes that do the same and against a kill half-way; damaged files are made again.
    """
    if tokenizer.pad_token_id is None:
        name = str(getattr(tokenizer, "name_or_path", "")) or type(tokenizer).__name__
        raise BadInput(Problem(name, "tokenizer", "a padding token", "none", "set pad_token in tokenizer_config.json"))
    key = _key(split, tokenizer, max_length)
    folder = cache / "encoded" / key  # named so by 0.1.0, whose caches stay valid
    ids, token_types, offsets, truncated = made_once(
        folder,
        lambda folder: _open(folder, len(split)),
        lambda draft: _write(draft, split, tokenizer, max_length, progress),
    )
    return TokenisedSplit(key, ids, token_types, offsets, split.labels, truncated, int(tokenizer.pad_token_id))


def token_counts(texts: Sequence[tuple[str, ...]], tokenizer: Any) -> Rows:
    """(texts,) tokens of each text or pair, however long, special tokens included."""
    counts = [
        np.fromiter(map(len, _call(tokenizer, texts[start : start + _CHUNK])["input_ids"]), np.int64)
        for start in range(0, len(texts), _CHUNK)
    ]
    return np.concatenate(counts)


def tokenizer_fingerprint(tokenizer: Any, *, inputs: bool = True) -> str:
    """32 hex digits of all that decides a tokenizer's ids, without truncation and padding: each call sets those.

    With `inputs`, the names of its other outputs, such as token types, are part of it.
    """
    if getattr(tokenizer, "is_fast", False):
        encoded = hasattr(tokenizer, "plain_backend")  # its backend runs code, which cannot be written
        backend = tokenizer.plain_backend() if encoded else tokenizer.backend_tokenizer
        state = json.loads(backend.to_str())
        state.pop("truncation", None)
        state.pop("padding", None)
    else:
        init = {name: str(value) for name, value in tokenizer.init_kwargs.items() if "path" not in name}
        state = {"class": type(tokenizer).__name__, "vocabulary": tokenizer.get_vocab(), "init": init}
    if hasattr(tokenizer, "encoding_fingerprint"):  # words are replaced by codes first
        state["encoding"] = tokenizer.encoding_fingerprint
    if inputs:
        state["inputs"] = list(tokenizer.model_input_names)
    return content_key([json.dumps(state, sort_keys=True)])


def _key(split: Split, tokenizer: Any, max_length: int) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{_FORMAT}\x1f{tokenizer_fingerprint(tokenizer)}\x1f{max_length}\x1f".encode())
    update_with_texts(digest, split.texts)
    return digest.hexdigest()


_Stored = tuple[np.ndarray[Any, Any], "np.ndarray[Any, Any] | None", Rows, int]


def _open(folder: Path, rows: int) -> _Stored | None:
    """The stored tokens, memory-mapped; None where they are absent or damaged."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        offsets = np.load(folder / "offsets.npy")
        ids = np.load(folder / "ids.npy", mmap_mode="r")
        types = np.load(folder / "token_types.npy", mmap_mode="r") if meta["token_types"] else None
        truncated = int(meta["truncated"])
    except (OSError, ValueError, KeyError, EOFError, TypeError):
        return None
    whole = offsets.shape == (rows + 1,) and offsets[-1] == len(ids) and (types is None or len(types) == len(ids))
    return (ids, types, offsets, truncated) if whole else None


def _write(folder: Path, split: Split, tokenizer: Any, max_length: int, progress: Progress) -> None:
    folder.mkdir()
    ids, types, lengths, truncated = [], [], [], 0
    for chunk in _tokenise(split.texts, tokenizer, max_length, progress):
        ids.append(chunk.ids)
        types.append(chunk.token_types)
        lengths.append(chunk.lengths)
        truncated += chunk.truncated
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.concatenate(lengths), dtype=np.int64)])
    np.save(folder / "ids.npy", np.concatenate(ids))
    np.save(folder / "offsets.npy", offsets)
    has_types = types[0] is not None
    if has_types:
        np.save(folder / "token_types.npy", np.concatenate([part for part in types if part is not None]))
    meta = {"token_types": has_types, "truncated": truncated, "rows": len(split), "max_length": max_length}
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")


@dataclass(frozen=True, eq=False)
class _Chunk:
    ids: np.ndarray[Any, Any]
    token_types: np.ndarray[Any, Any] | None
    lengths: Rows
    truncated: int


def _tokenise(
    texts: Sequence[tuple[str, ...]], tokenizer: Any, max_length: int, progress: Progress
) -> Iterator[_Chunk]:
    with_types = "token_type_ids" in tokenizer.model_input_names
    for start in range(0, len(texts), _CHUNK):
        rows = texts[start : start + _CHUNK]
        made = _call(tokenizer, rows, truncation=True, max_length=max_length, return_token_type_ids=with_types)
        lengths = np.fromiter(map(len, made["input_ids"]), np.int64, len(rows))
        full = [rows[index] for index in np.flatnonzero(lengths >= max_length).tolist()]
        # Only rows that reach the limit can have been cut. These few are tokenised again, whole.
        uncut = _call(tokenizer, full)["input_ids"] if full else []
        yield _Chunk(
            np.fromiter(chain.from_iterable(made["input_ids"]), np.int32),
            np.fromiter(chain.from_iterable(made["token_type_ids"]), np.int8) if with_types else None,
            lengths,
            sum(len(row) > max_length for row in uncut),
        )
        progress("tokenise", start + len(rows), len(texts))


def _call(tokenizer: Any, rows: Sequence[tuple[str, ...]], **settings: Any) -> Any:
    columns = [list(column) for column in zip(*rows, strict=True)]
    return tokenizer(*columns, padding=False, return_attention_mask=False, verbose=False, **settings)
