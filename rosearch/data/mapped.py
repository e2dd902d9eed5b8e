"""Rows of a large memory-mapped file of the cache; its blocks are compared with their digests when first read.

A file of many gigabytes is not read through when it is opened. Small files of the cache are: `rosearch.files.damage`.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from rosearch.data.tasks import Rows
from rosearch.errors import DamagedError
from rosearch.files import BLOCK, DIGESTS, Stamp, stamp, stored_digests


class CheckedRows:
    """The rows of a memory-mapped array (rows, ...) in a folder with digests; a row may span blocks.

    ::

        hidden = CheckedRows(np.load(folder / "hidden.npy", mmap_mode="r"))
        hidden[np.array([3, 5])]  # (2, ...) in memory

    Rows of a folder without digests are not compared. Raises `DamagedError` where a block has changed: its file is then
    removed, for whoever asks for it next to make it anew.
    """

    def __init__(self, array: np.memmap[Any, Any]) -> None:
        self.array = array
        self._path = Path(str(array.filename))
        self._stamp = stamp(self._path)
        self._blocks = _blocks(self._path, self._stamp)
        self._row_bytes = array.nbytes // max(1, len(array))

    def __len__(self) -> int:
        return len(self.array)

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, ...)."""
        return tuple(self.array.shape)

    def __getitem__(self, rows: Rows | slice) -> np.ndarray[Any, Any]:
        numbers = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows
        if self._blocks is not None and len(numbers):
            self._compare(numbers, self._blocks)
        return np.asarray(self.array[rows])

    def _compare(self, numbers: Rows, blocks: _Blocks) -> None:
        first = self.array.offset + np.asarray(numbers, np.int64) * self._row_bytes
        low, high = first // BLOCK, (first + max(1, self._row_bytes) - 1) // BLOCK
        steps = range(int((high - low).max()) + 1)
        touched = np.unique(np.concatenate([np.minimum(low + step, high) for step in steps]))
        file = memoryview(self.array.base)  # type: ignore[arg-type]  # the map of the whole file
        for block in touched[~blocks.seen[touched]]:
            if crc32(file[block * BLOCK : (block + 1) * BLOCK]) != blocks.digests[block]:
                self._give_up()
            blocks.seen[block] = True

    def _give_up(self) -> None:
        with suppress(OSError):
            if self._path.stat().st_ino == self._stamp[-1]:  # else another process has made it anew already
                self._path.unlink()
        raise DamagedError(errno.EIO, "damaged and removed; it is made again when it is asked for", str(self._path))


@dataclass(frozen=True, eq=False)
class _Blocks:
    """The digests of a file's blocks, and which have been compared in this process."""

    digests: np.ndarray[Any, np.dtype[np.uint32]]  # (blocks,)
    seen: np.ndarray[Any, np.dtype[np.bool_]]  # (blocks,)


@lru_cache(maxsize=64)
def _blocks(path: Path, state: Stamp) -> _Blocks | None:
    """The blocks of a file; None where its folder has no digests."""
    told = path.with_name(DIGESTS)
    try:
        stored = stored_digests(told, stamp(told))[path.name][1]
    except FileNotFoundError:
        return None
    return _Blocks(np.frombuffer(stored, "<u4"), np.zeros(len(stored) // 4, np.bool_))
