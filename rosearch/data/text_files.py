"""Text from files, one paragraph at a time: plain, JSON lines, CSV, TSV, Parquet, compressed, in tar archives.

A text is an iterator of paragraphs, and an empty paragraph ends a document. In plain text a line is a paragraph, and a
blank line or the end of the file ends a document; in tables each row is a document and each of its lines a paragraph.
Paragraphs have no white space around them and at most `LONGEST_PARAGRAPH` characters: longer lines are cut, at white
space where there is some. No file is ever held in memory, however long its lines are.
"""

from __future__ import annotations

import contextlib
import csv
import fnmatch
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from rosearch.data.quoting import UNQUOTE, Quoting, look_quoted, quoted_problem, torn_cell
from rosearch.data.text_stream import DECOMPRESSORS, LONGEST_ROW, bounded_lines, checked_text, parse_data
from rosearch.errors import BadInput, Problem, one_line
from rosearch.files import file_hash

LONGEST_PARAGRAPH = 2**14  # characters; bounds what the tokenizer is given at once
_START = 2**20  # characters of a TSV that are looked at before any is given, so that a check sees how it was written
_PARQUET_ROWS = 64  # documents held at once
_BROKEN = (OSError, EOFError, ValueError, csv.Error, lzma.LZMAError, tarfile.TarError, zlib.error, pa.ArrowException)


class TextFile:
    """One file of a corpus. `column` names the text in tables, `members` is a pattern of the names in tar archives."""

    def __init__(self, path: Path, column: str = "text", members: str = "*") -> None:
        self.path, self.column, self.members = path, column, members
        self.size = path.stat().st_size  # bytes
        self._raw: IO[bytes] | None = None

    @property
    def fingerprint(self) -> str:
        """The content and all that decides how it is read, as one text. The file's place has no part in it."""
        return "\x1f".join((*_suffixes(self.path), file_hash(self.path), self.column, self.members))

    @property
    def position(self) -> int:
        """Bytes of the file, as it lies on the disk, that were read so far."""
        if self._raw is None:
            return 0
        return self.size if self._raw.closed else self._raw.tell()

    def paragraphs(self) -> Iterator[str]:
        """The text. Raises `BadInput` where another encoding, a missing column or damage is met."""
        kind, compression = _suffixes(self.path)
        try:
            with self.path.open("rb") as raw, contextlib.ExitStack() as stack:
                self._raw = raw
                content = stack.enter_context(DECOMPRESSORS[compression](raw)) if compression else raw
                yield from self._tar(content) if kind == ".tar" else self._of(kind, content, str(self.path))
        except _BROKEN as error:
            expected = f"a readable {kind}{compression} file"
            raise BadInput(Problem(str(self.path), "", expected, one_line(error, None))) from None

    def _of(self, kind: str, content: Any, where: str) -> Iterator[str]:
        if kind == ".txt":
            yield from plain_paragraphs(checked_text(content, where, None))
            return
        for number, row in _ROWS[kind](content, where, self.column):
            if row is None:
                continue
            if not isinstance(row, str):
                got = f"{type(row).__name__} in row {number}"
                raise BadInput(Problem(where, f"column {self.column!r}", "text", got, "name the column of the text"))
            yield from document_paragraphs(row)

    def _tar(self, content: Any) -> Iterator[str]:
        matched = False
        with tarfile.open(fileobj=content, mode="r|") as archive:  # one pass, nothing unpacked to the disk
            for member in archive:
                kind, compression = _suffixes(PurePath(member.name))
                known = kind in _IN_TAR and not compression
                if member.isfile() and known and fnmatch.fnmatch(member.name, self.members):
                    matched = True
                    yield from self._of(kind, archive.extractfile(member), f"{self.path}, {member.name}")
        if not matched:
            expected = f"{', '.join(_IN_TAR)} named {self.members}"
            raise BadInput(Problem(str(self.path), "", expected, "none in the archive", "name others in members"))


def is_text(name: PurePath) -> bool:
    """True for the name of a file whose format can be read."""
    kind, compression = _suffixes(name)
    return kind in FORMATS and not (compression and kind == ".parquet")


def plain_paragraphs(text: IO[str]) -> Iterator[str]:
    """Lines without the white space around them; blank lines and the end of the file are empty paragraphs."""
    most = LONGEST_PARAGRAPH // 2
    rest, inside = "", False  # the rest of a line that is cut; True once a part of the line was given
    while part := text.readline(most):
        line = rest + part
        ends = part.endswith("\n") or len(part) < most
        cut = len(line) if ends else line.rfind(" ") + 1 or len(line)
        paragraph, rest = line[:cut].strip(), line[cut:]
        if paragraph or (ends and not inside):
            yield paragraph
        inside = not ends
    if rest := rest.strip():
        yield rest
    yield ""


def document_paragraphs(document: str) -> Iterator[str]:
    """The lines of one document that are not blank, then an empty paragraph."""
    yield from filter(None, plain_paragraphs(io.StringIO(document)))
    yield ""


_Rows = Iterator[tuple[int, Any]]  # the number of each line or row, from 1, and its text


def _json_lines(content: Any, where: str, column: str) -> _Rows:
    for number, line in enumerate(bounded_lines(checked_text(content, where, None), where), start=1):
        if not line.strip():
            continue
        try:
            row = parse_data(line)
        except ValueError as error:
            raise BadInput(Problem(where, f"line {number}", "a JSON object", one_line(error))) from None
        if not isinstance(row, dict):
            raise BadInput(Problem(where, f"line {number}", "a JSON object", type(row).__name__))
        if column not in row:
            raise _no_column(where, f"line {number}", column, list(row))
        yield number, row[column]


def _separated(content: Any, where: str, column: str, quotes: Quoting | None = None, **dialect: Any) -> _Rows:
    csv.field_size_limit(LONGEST_ROW)  # the module's own limit, 131,072, is below the longest articles
    rows = csv.reader(bounded_lines(checked_text(content, where, ""), where), **dialect)
    header = next(rows, None)
    if header is None:
        return
    if column not in header:
        raise _no_column(where, "", column, header)
    if header.count(column) > 1:
        got = f"{header.count(column)} of this name"
        raise BadInput(Problem(where, "", f"one column {column!r}", got, "rename or remove the others"))
    place = header.index(column)
    see = quotes.see if quotes else len  # no cell of CSV looks quoted
    see(header)
    for row in rows:
        if row and len(row) != len(header):
            expected, got = f"{len(header)} cells, as the header has", f"{len(row)} cells"
            fix = UNQUOTE if quotes and any(map(torn_cell, row)) else ""
            raise BadInput(Problem(where, f"line {rows.line_num}", expected, got, fix))
        see(row)
        if row:
            yield rows.line_num, row[place]


def _csv(content: Any, where: str, column: str) -> _Rows:
    return _separated(content, where, column, strict=True)


def _tsv(content: Any, where: str, column: str) -> _Rows:
    quotes, first, size = Quoting(), list[tuple[int, Any]](), 0
    rows = _separated(content, where, column, quotes, delimiter="\t", quoting=csv.QUOTE_NONE)
    for row in rows:
        first.append(row)
        size += 1 + len(row[1])
        if size > _START:
            break
    for part in (first, rows, ()):
        if cell := quotes.cell:
            raise BadInput(quoted_problem(where, cell))
        yield from part


def _parquet(content: Any, where: str, column: str) -> _Rows:
    table = pq.ParquetFile(content)
    if column not in table.schema_arrow.names:
        raise _no_column(where, "", column, table.schema_arrow.names)
    number = 0
    for batch in table.iter_batches(_PARQUET_ROWS, columns=[column], use_threads=False):
        for row in batch.column(0).to_pylist():
            number += 1
            yield number, row


def _no_column(where: str, key: str, column: str, there: list[str]) -> BadInput:
    got = f"only {', '.join(map(repr, there)) or 'none'}"
    fix = look_quoted(there) or "name the text in column, or leave the file out by a pattern (wiki/*.txt.xz)"
    return BadInput(Problem(where, key, f"a column {column!r}", got, fix))


_ROWS: dict[str, Callable[[Any, str, str], _Rows]] = {
    ".jsonl": _json_lines,
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet,
}
_IN_TAR = [".txt", ".jsonl", ".csv", ".tsv"]
FORMATS = (*_IN_TAR, ".parquet", ".tar")  # all but Parquet may be compressed


def _suffixes(name: PurePath) -> tuple[str, str]:
    """Format and compression, each a suffix or ""; `.tgz` and its like are not known."""
    suffixes = [suffix.lower() for suffix in name.suffixes]
    compression = suffixes.pop() if suffixes and suffixes[-1] in DECOMPRESSORS else ""
    return (suffixes[-1] if suffixes else ""), compression
