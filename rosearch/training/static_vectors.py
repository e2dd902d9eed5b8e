"""Word vectors from plain text: nearest words that no list of synonyms is behind.

::

    made = make_static_vectors([Path("books.txt.xz")], VectorSettings(), Path(".rosearch"))
    made.file  # lines of a word and its numbers, as `resources.vectors` reads them

Words that stand beside the same words get alike vectors: positive pointwise mutual information of a word and the words
around it, with smoothed contexts, factorised by a truncated singular value decomposition (Levy, Goldberg and Dagan
2015, Q15-1016, which finds it on a par with word2vec). Opposites stand beside the same words, too: whoever swaps words
by such vectors leaves out antonyms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from rosearch.config.corpus import CorpusConfig, CorpusSource
from rosearch.data.corpus_sources import find_sources
from rosearch.errors import BadInput, Problem
from rosearch.files import content_key, made_once
from rosearch.progress import Progress, silent, step
from rosearch.randomness import derive_seed
from rosearch.training.text_sources import words_of

_FORMAT = "1"  # part of every key: raise it when what is made changes
_SMOOTHED = 0.75  # power of the counts of contexts: rare ones would be nearest to everything
_SINGULAR = 0.5  # power of the singular values in the vectors
_AT_ONCE = 2**21  # words whose pairs are counted together: bounds memory
_BORDER = -1  # as often as pairs reach, between two paragraphs: no pair crosses it

Ids = np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True)
class VectorSettings:
    """Settings of the vectors: how many words get one, those seen less are passed over, and what counts as beside."""

    words: int = 30_000
    least: int = 20  # occurrences
    reach: int = 4  # words on either side, each weighted by its nearness
    width: int = 200
    seed: int = 1


@dataclass(frozen=True)
class MadeVectors:
    """The file in the cache, and the words that have a vector."""

    file: Path
    words: int


def make_static_vectors(
    corpus: Sequence[Path], settings: VectorSettings, cache: Path, progress: Progress = silent
) -> MadeVectors:
    """The vectors of a text (files, folders or patterns), from `cache/vectors/KEY/` if they were made.

    The key follows from the content of the files and the settings. Raises `BadInput` for files that cannot be read, and
    for text in which fewer than `width + 2` words are frequent.
    """
    config = CorpusConfig(sources=[CorpusSource(path=str(path)) for path in corpus])
    sources = find_sources(config)
    parts = (_FORMAT, *map(str, asdict(settings).values()), *(source.fingerprint for source in sources))
    file = cache / "vectors" / content_key(parts, "\x1d") / "corpus-vectors.txt"

    def make(draft: Path) -> None:
        draft.mkdir()
        ids, words = _read_words(sources, settings, progress)
        if len(words) < settings.width + 2:
            told = f"{len(words)} words that occur {settings.least} times or more"
            expected = f"text with {settings.width + 2} frequent words or more"
            raise BadInput(Problem("--corpus", ", ".join(map(str, corpus)), expected, told))
        pairs = _pairs(ids, len(words), settings.reach, progress)
        with step(progress, "factorise"):
            matrix = _factorised(_information(pairs), settings)
        with (draft / file.name).open("w", encoding="utf-8") as out:
            for word, row in zip(words, matrix, strict=True):
                out.write(f"{word} {' '.join(f'{value:.4f}' for value in row)}\n")

    def read(folder: Path) -> int | None:
        if not (folder / file.name).is_file():
            return None
        with (folder / file.name).open("rb") as found:
            return sum(1 for _ in found)

    return MadeVectors(file, made_once(file.parent, read, make))


def _read_words(sources: Sequence[Any], settings: VectorSettings, progress: Progress) -> tuple[Ids, list[str]]:
    """The words of the text as numbers, `_BORDER` between paragraphs and for rare words' places; the frequent words."""
    numbers: dict[str, int] = {}
    counts: Counter[int] = Counter()
    parts: list[Ids] = []
    for source in sources:
        for paragraph in _told(source, progress):
            found = [numbers.setdefault(word.word, len(numbers)) for word in words_of(paragraph)]
            counts.update(found)
            parts.append(np.array([*found, *[_BORDER] * settings.reach], np.int32))
    names = list(numbers)
    frequent = sorted(
        (n for n, count in counts.items() if count >= settings.least), key=lambda n: (-counts[n], names[n])
    )
    frequent = frequent[: settings.words]
    place = np.full(len(names) + 1, _BORDER, np.int32)  # the last stands for the border itself
    place[frequent] = np.arange(len(frequent))
    return place[np.concatenate(parts)] if parts else np.empty(0, np.int32), [names[number] for number in frequent]


def _told(source: Any, progress: Progress) -> Iterator[str]:
    for paragraph in source.paragraphs():
        if paragraph:
            yield paragraph
        done, total = source.progress
        progress(f"read {source.where}", min(done, total - 1), total)
    progress(f"read {source.where}", max(source.progress[1], 1), max(source.progress[1], 1))


def _pairs(ids: Ids, words: int, reach: int, progress: Progress) -> sparse.csr_array:
    """How often each word stands beside each other one (words, words), a neighbour at distance d counting 1 / d."""
    found = sparse.csr_array((words, words), dtype=np.float32)
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE + reach]
        for distance in range(1, reach + 1):
            one, two = part[:-distance][:_AT_ONCE], part[distance:][:_AT_ONCE]
            both = (one >= 0) & (two >= 0)
            weights = np.full(int(both.sum()), 1 / distance, np.float32)
            found = found + sparse.coo_array((weights, (one[both], two[both])), (words, words)).tocsr()
        progress("count pairs", min(start + _AT_ONCE, len(ids)), len(ids))
    return found + found.T.tocsr()


def _information(pairs: sparse.csr_array) -> sparse.csr_array:
    """Positive pointwise mutual information of the pairs."""
    whole = pairs.tocoo()
    alone = np.asarray(pairs.sum(axis=1)).ravel()
    contexts = alone**_SMOOTHED
    shares = np.log(whole.data) - np.log(alone[whole.row]) - np.log(contexts[whole.col] / contexts.sum())
    positive = shares > 0
    kept = (shares[positive].astype(np.float32), (whole.row[positive], whole.col[positive]))
    return sparse.coo_array(kept, pairs.shape).tocsr()


def _factorised(information: sparse.csr_array, settings: VectorSettings) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(words, width) vectors of length 1."""
    start = np.random.default_rng(derive_seed(settings.seed, "static vectors")).standard_normal(information.shape[0])
    left, values, _ = svds(information, k=settings.width, v0=start.astype(np.float32))
    vectors = left[:, ::-1] * values[::-1] ** _SINGULAR
    found: np.ndarray[Any, np.dtype[np.float32]] = vectors.astype(np.float32)
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    return found
