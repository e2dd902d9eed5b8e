"""Four ways in which a disk damages a file; each leaves other files as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip(path: Path) -> None:
    flip(path, path.stat().st_size * 4)


def flip(path: Path, bit: int) -> None:
    """Changes one bit of a file, counted from its beginning."""
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "emptied": _empty,
    "halved": _halve,
    "flipped": _flip,
    "deleted": Path.unlink,
}
