"""A plain-text corpus as blocks of token ids in a file: made once, shared out by a seed, read in any order.

The text is streamed (`text_files`), tokenised once with the teacher's tokenizer, and cut into blocks without padding
(`block_writer`). Memory does not grow with the text: neither while the blocks are made, nor while they are read, nor
by their order (`Permutation`). No torch here; `blocks` makes batches.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rosearch.config.corpus import CorpusConfig
from rosearch.data.block_writer import BlockWriter
from rosearch.data.corpus_sources import Source, find_sources
from rosearch.data.mapped import CheckedRows
from rosearch.data.tasks import Rows
from rosearch.data.tokens import tokenizer_fingerprint
from rosearch.errors import BadInput, Problem
from rosearch.files import content_key, made_once
from rosearch.progress import Progress, silent
from rosearch.randomness import derive_seed

Part = Literal["train", "proxy", "held_out"]

_FORMAT = "1"  # part of every key: raise it when what is written changes
_BLOCKS = "blocks.bin"
_ROUNDS = 6  # four suffice in theory (Luby and Rackoff 1988); two more for the very small
# splitmix64's finaliser (Steele et al. 2014)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class Corpus:
    """Blocks on the disk and which of them are for what. It holds no block, and may be sent to other processes.

    A seeded part is held out; the others are `train`. A seeded part of `train` is `proxy`, from which candidates
    learn. Equal files, tokenizer and settings give equal parts.
    """

    key: str  # 32 hex digits of sources, tokenizer and block length
    file: Path  # (blocks, block_length) integers of `kind`, row after row
    kind: str  # uint16 or uint32
    blocks: int
    block_length: int  # tokens, special ones included
    documents: int
    tokens: int  # of the whole text, without special ones, those at its end that filled no block included
    unknown: int  # tokens of the text that the tokenizer does not know
    held_out: int  # blocks
    proxy: int  # blocks
    seed: int

    def size(self, part: Part) -> int:
        """Blocks of a part."""
        return {"train": self.blocks - self.held_out, "proxy": self.proxy, "held_out": self.held_out}[part]

    def numbers(self, part: Part, places: Rows) -> Rows:
        """(n,) places within a part -> (n,) numbers of blocks. Raises `IndexError` where the part has none."""
        if len(places) and (places.min() < 0 or places.max() >= self.size(part)):
            raise IndexError(f"places in {part} are 0 to {self.size(part) - 1}")
        parts = Permutation(self.blocks, derive_seed(self.seed, "corpus parts"))
        return parts(places if part == "held_out" else places + self.held_out)

    def read(self, numbers: Rows) -> np.ndarray[Any, Any]:
        """(n,) numbers of blocks -> (n, block_length) ids, in memory. Raises `DamagedError` for a changed file."""
        # Mapped for this read alone: pages once read would stay in the resident size of the process for as long as
        # the file is mapped, until all of it is there.
        return CheckedRows(np.memmap(self.file, self.kind, "r", shape=(self.blocks, self.block_length)))[numbers]


def prepare_corpus(
    config: CorpusConfig, tokenizer: Any, vocabulary: int, cache: Path, progress: Progress = silent
) -> Corpus:
    """The corpus of an experiment, from `cache/corpora/KEY` where it was made before.

    `tokenizer` is the teacher's, `vocabulary` the rows of the teacher's embedding table. The key follows from the
    content of files (of a hub dataset, from its names and revision), the tokenizer and the block length. Safe against
    other processes that ask for the same, and against a kill half-way: it then starts again.

    Raises `BadInput` for a tokenizer that does not fit, for paths, formats, columns and encodings that are wrong, and
    for too little text; `MissingResource` where a hub dataset is neither cached nor within reach.
    """
    _check_tokenizer(tokenizer, vocabulary)
    sources = find_sources(config)
    key = _key(config, sources, tokenizer)
    folder = cache / "corpora" / key
    kind = np.dtype(_kind(vocabulary))
    stored = made_once(
        folder, _open, lambda draft: _write(draft, config, sources, tokenizer, kind, progress), later=(_BLOCKS,)
    )
    return _shared_out(config, key, folder, stored)


def _check_tokenizer(tokenizer: Any, vocabulary: int) -> None:
    highest = max(tokenizer.get_vocab().values())
    if highest >= vocabulary:
        name = str(getattr(tokenizer, "name_or_path", "")) or type(tokenizer).__name__
        expected = f"token ids below {vocabulary}, the rows of the teacher's embedding table"
        fix = "take the tokenizer that was saved with the teacher"
        raise BadInput(Problem(name, "tokenizer", expected, f"ids to {highest}", fix))


def _kind(vocabulary: int) -> str:
    return "uint16" if vocabulary <= 2**16 else "uint32"


def _key(config: CorpusConfig, sources: list[Source], tokenizer: Any) -> str:
    parts = (
        _FORMAT,
        tokenizer_fingerprint(tokenizer, inputs=False),
        str(config.block_length),
        *(source.fingerprint for source in sources),
    )
    return content_key(parts, "\x1d")


def _open(folder: Path) -> dict[str, Any] | None:
    """The stored facts; None where they or the blocks are absent or damaged."""
    try:
        facts: dict[str, Any] = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
        size = facts["blocks"] * facts["block_length"] * np.dtype(facts["kind"]).itemsize
        return facts if (folder / _BLOCKS).stat().st_size == size else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(
    folder: Path, config: CorpusConfig, sources: list[Source], tokenizer: Any, kind: np.dtype[Any], progress: Progress
) -> None:
    if problems := [problem for source in sources for problem in source.problems()]:
        raise BadInput(problems)
    folder.mkdir()
    with (folder / _BLOCKS).open("wb") as file:
        writer = BlockWriter(tokenizer, config.block_length, kind, file)
        for source in sources:
            _take(writer, source, progress)
    _require_blocks(config, 1, writer.blocks, writer.tokens)
    facts = {"blocks": writer.blocks, "block_length": config.block_length, "kind": kind.name}
    facts |= {"documents": writer.documents, "tokens": writer.tokens, "unknown": writer.unknown}
    facts["sources"] = [source.where for source in sources]
    (folder / "corpus.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _take(writer: BlockWriter, source: Source, progress: Progress) -> None:
    stage = f"tokenise {source.where}"
    for _ in writer.take(source.paragraphs()):
        done, total = source.progress
        progress(stage, min(done, total - 1), total)  # the end of the file is read before the last of it is cut
    total = max(source.progress[1], 1)
    progress(stage, total, total)


def _shared_out(config: CorpusConfig, key: str, folder: Path, facts: dict[str, Any]) -> Corpus:
    blocks = int(facts["blocks"])
    held_out = config.held_out_blocks or max(1, round(config.held_out_share * blocks))
    _require_blocks(config, held_out + 1, blocks, int(facts["tokens"]))
    names = ("kind", "blocks", "block_length", "documents", "tokens", "unknown")
    proxy = max(1, round(config.proxy_share * (blocks - held_out)))
    given = {name: facts[name] for name in names}
    return Corpus(key, folder / _BLOCKS, **given, held_out=held_out, proxy=proxy, seed=config.seed)


def _require_blocks(config: CorpusConfig, needed: int, blocks: int, tokens: int) -> None:
    if blocks >= needed:
        return
    names = ", ".join(source.path or str(source.hub) for source in config.sources)
    expected = f"text for {needed} or more blocks of {config.block_length} tokens, one at least to learn from"
    got = f"{tokens} tokens, {blocks} {'block' if blocks == 1 else 'blocks'} ({names})"
    raise BadInput(Problem("experiment", "corpus", expected, got))


class Permutation:
    """A seeded random order of 0 ... size - 1 that takes no memory: it is computed, not stored.

    A Feistel network permutes the next power of 4; a number outside is permuted again until it is inside (cycle
    walking: Black and Rogaway 2002, "Ciphers with arbitrary finite domains"). Any part of the order is computed alone,
    so that a training can go on in the middle.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        half = max(1, -(-(size - 1).bit_length() // 2))
        self._half = np.uint64(half)
        self._mask = np.uint64(2**half - 1)
        self._keys = np.random.default_rng(seed).integers(0, 2**63, _ROUNDS, dtype=np.uint64)

    def __call__(self, places: Rows) -> Rows:
        """(n,) places in the order -> (n,) the numbers there. Raises `IndexError` for places outside the order."""
        if len(places) and (places.min() < 0 or places.max() >= self.size):
            raise IndexError(f"places are 0 to {self.size - 1}, got {places.min()} to {places.max()}")
        found = self._network(places.astype(np.uint64))
        # The network permutes the whole power of 4: a walk that starts inside comes back inside.
        while len(outside := np.flatnonzero(found >= self.size)):
            found[outside] = self._network(found[outside])
        return found.astype(np.int64)

    def _network(self, x: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        left, right = x >> self._half, x & self._mask
        for key in self._keys:
            mixed = right + key
            mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
            mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
            left, right = right, left ^ ((mixed ^ (mixed >> np.uint64(31))) & self._mask)
        return (left << self._half) | right
