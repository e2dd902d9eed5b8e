"""Text as a stream of bytes: decompressed and checked for UTF-8 while it is read, never held as a whole; JSON in it."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import json
import lzma
from collections.abc import Callable, Iterator
from typing import IO, Any

import pyarrow as pa

from rosearch.errors import BadInput, Problem

LONGEST_ROW = 2**24  # characters of a line of CSV or JSON: what is longer is no such file
_CHUNK = 2**16  # bytes
_CONVERT = "Convert it: iconv -f {} -t UTF-8 FILE > NEW"
_WESTERN = ", if it comes from a spreadsheet of western Europe"


DECOMPRESSORS: dict[str, Callable[[IO[bytes]], Any]] = {
    ".gz": lambda raw: gzip.GzipFile(fileobj=raw),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
    ".zst": lambda raw: pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd"),
}


class CheckedUtf8(io.RawIOBase):
    """The bytes of `source`, passed on once they are known to be UTF-8 without NUL.

    Raises `BadInput` with the place of the first bad byte: its number (from 0, of the decompressed content) and its
    line (from 1). NUL gives UTF-16 and binary files away.
    """

    def __init__(self, source: Any, where: str) -> None:
        super().__init__()
        self._source, self._where = source, where
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._offset, self._line = 0, 1  # the place of the next byte

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills the buffer as far as one read of the source does."""
        data: bytes = self._source.read(len(buffer))
        self._check(data)
        buffer[: len(data)] = data
        return len(data)

    def _check(self, data: bytes) -> None:
        pending = len(self._decoder.getstate()[0])  # bytes of a character that the last read cut in two
        nul = data.find(b"\0")
        try:
            self._decoder.decode(data if nul < 0 else data[:nul], final=not data or nul >= 0)
        except UnicodeDecodeError as error:
            found = f"0x{error.object[error.start]:02x} ({error.reason})"
            first = data[: len(codecs.BOM_UTF16_LE)] if not self._offset else b""
            utf16 = first in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
            fix = _CONVERT.format("UTF-16" if utf16 else "WINDOWS-1252") + ("" if utf16 else _WESTERN)
            raise self._bad(data, error.start - pending, found, fix) from None
        if nul >= 0:
            raise self._bad(data, nul, "a NUL byte", f"It is binary, or UTF-16. {_CONVERT.format('UTF-16LE')}")
        self._offset += len(data)
        self._line += data.count(b"\n")

    def _bad(self, data: bytes, at: int, found: str, fix: str) -> BadInput:
        line = self._line + data[: max(at, 0)].count(b"\n")
        return BadInput(Problem(self._where, f"byte {self._offset + at}, line {line}", "UTF-8", found, fix))


def checked_text(source: Any, where: str, newline: str | None) -> io.TextIOWrapper:
    """A text stream over bytes, as `open` with this `newline` gives it; a byte-order mark at its start is dropped."""
    return io.TextIOWrapper(
        io.BufferedReader(CheckedUtf8(source, where), _CHUNK), encoding="utf-8-sig", newline=newline
    )


def bounded_lines(text: IO[str], where: str) -> Iterator[str]:
    """The lines of a stream. Raises `BadInput` for a line longer than any row of a table."""
    number = 0
    while line := text.readline(LONGEST_ROW):
        number += 1
        if len(line) == LONGEST_ROW:
            got = f"{LONGEST_ROW:,} without an end"
            raise BadInput(Problem(where, f"line {number}", "a row of fewer characters", got))
        yield line


def parse_data(text: str) -> Any:
    """The value of a JSON text of any size. Raises `ValueError` for no JSON, and for what Python's parser lets through.

    That is: nested too deeply, a name twice in one object (the parser keeps the last), half a surrogate pair (it is
    no character, and fails wherever it is written).
    """
    try:
        value = json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if "\\u" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"half a surrogate pair ({error.object[error.start]!a}) is no character") from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} twice in one object")
    return found
