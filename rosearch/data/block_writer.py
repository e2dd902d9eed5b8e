"""Text cut into blocks of one length without padding, written to a file while it is read.

A block is framed as a single text is: [CLS] tokens [SEP] (BERT), <s> tokens </s> (XLM-R). Paragraphs are tokenised one
by one, and their tokens joined with nothing between; one more separator stands between two documents. Blocks are cut
from this stream wherever they are full: most begin and end within a document, and a block holds parts of several short
ones. These are the "full sentences" of RoBERTa (arXiv 1907.11692, section 4.2), except that ours cut sentences too. The
end of the stream is dropped where it fills no block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import IO, Any, Self

import numpy as np

_CHARACTERS = 2**18  # of text in one call of the tokenizer; bounds memory
_PARAGRAPHS = 4096  # in one call at most: short ones cost more than their characters


@dataclass(frozen=True)
class Frame:
    """The ids before and after a single text, as the tokenizer puts them, and between two documents."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    border: tuple[int, ...]  # the separator, else the end of a text, else nothing

    @classmethod
    def of(cls, tokenizer: Any) -> Self:
        """The frame that a tokenizer puts around a single letter: every tokenizer is asked alike."""
        bare = tokenizer("a", add_special_tokens=False, verbose=False)["input_ids"]
        framed = tokenizer("a", verbose=False)["input_ids"]
        start = next(at for at in range(len(framed) + 1) if framed[at : at + len(bare)] == bare)
        separator = tokenizer.sep_token_id if tokenizer.sep_token_id is not None else tokenizer.eos_token_id
        border = () if separator is None else (int(separator),)
        return cls(tuple(framed[:start]), tuple(framed[start + len(bare) :]), border)


class BlockWriter:
    """Takes the paragraphs of a text and writes blocks (n, block_length) of `kind` to `file`, row after row."""

    def __init__(self, tokenizer: Any, block_length: int, kind: np.dtype[Any], file: IO[bytes]) -> None:
        """Raises `ValueError` where the special tokens leave no room in a block."""
        self.frame = Frame.of(tokenizer)
        self.blocks = self.documents = self.tokens = self.unknown = (
            0  # written, begun, taken, and unknown among those taken
        )
        self._room = block_length - len(self.frame.before) - len(self.frame.after)
        if self._room < 1:
            raise ValueError(f"a block of {block_length} tokens has no room beside the special ones")
        self._tokenizer, self._file = tokenizer, file
        self._rest = np.empty(0, kind)
        self._begun = False  # True inside a document

    def take(self, paragraphs: Iterable[str]) -> Iterator[None]:
        """Takes a text, and pauses after each call of the tokenizer. An empty paragraph ends a document."""
        for batch in _batches(paragraphs):
            self._add(batch)
            yield

    def _add(self, paragraphs: list[str]) -> None:
        texts = [text for text in paragraphs if text]
        ids = iter(self._tokens_of(texts))
        parts: list[Iterable[int]] = []
        for text in paragraphs:
            if not text:
                self._begun = False
            elif tokens := next(ids):
                if not self._begun and self.documents:
                    parts.append(self.frame.border)
                self.documents += not self._begun
                self._begun = True
                parts.append(tokens)
        self._write(np.fromiter(chain.from_iterable(parts), self._rest.dtype))

    def _tokens_of(self, texts: list[str]) -> list[list[int]]:
        if not texts:
            return []
        settings = {"return_attention_mask": False, "return_token_type_ids": False, "verbose": False}
        found: list[list[int]] = self._tokenizer(texts, add_special_tokens=False, **settings)["input_ids"]
        self.tokens += sum(map(len, found))
        if (unknown := self._tokenizer.unk_token_id) is not None:
            self.unknown += sum(ids.count(unknown) for ids in found)
        return found

    def _write(self, ids: np.ndarray[Any, Any]) -> None:
        stream = np.concatenate([self._rest, ids])
        count = len(stream) // self._room
        full, self._rest = stream[: count * self._room].reshape(count, self._room), stream[count * self._room :].copy()
        blocks = np.empty((count, self._room + len(self.frame.before) + len(self.frame.after)), stream.dtype)
        start = len(self.frame.before)
        blocks[:, :start], blocks[:, start + self._room :] = self.frame.before, self.frame.after
        blocks[:, start : start + self._room] = full
        self._file.write(blocks.tobytes())
        self.blocks += count


def _batches(paragraphs: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    characters = 0
    for paragraph in paragraphs:
        batch.append(paragraph)
        characters += len(paragraph)
        if characters >= _CHARACTERS or len(batch) == _PARAGRAPHS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
