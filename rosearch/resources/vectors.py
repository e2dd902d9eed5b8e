"""Word vectors from a file of the user's: TextFooler's counter-fitted ones, as their authors distribute them."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rosearch.resources.reading import damaged

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float32]]


@dataclass(frozen=True)
class Vectors:
    """`matrix` (words, width) float32 with one row for each of `words`, in the order of the file."""

    words: tuple[str, ...]
    matrix: Matrix


def read_vectors(path: Path) -> Vectors:
    """Read lines of `word number number ...` from `.txt`, or from the one `.txt` of a `.zip`.

    Pickled matrices, such as those in TextAttack's own download, are not read. Raises `BadInput`.
    """
    expected = "lines of a word and its numbers"
    words, rows = [], []
    try:
        for line in io.TextIOWrapper(io.BytesIO(_content(path)), encoding="utf-8"):
            word, _, numbers = line.rstrip().partition(" ")
            if numbers:
                words.append(word)
                rows.append(np.fromiter(map(float, numbers.split()), np.float32))
        matrix = np.stack(rows)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise damaged(path, expected, error) from None
    return Vectors(tuple(words), matrix)


def _content(path: Path) -> bytes:
    if path.suffix != ".zip":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        texts = [name for name in archive.namelist() if name.endswith(".txt") and not name.startswith("__MACOSX")]
        if len(texts) != 1:
            raise ValueError(f"{len(texts)} text files in the archive")
        return archive.read(texts[0])
