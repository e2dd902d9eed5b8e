"""Splits read from files: TSV, CSV and JSON lines, plain or compressed (.gz, .bz2, .xz), Parquet; also in archives."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from rosearch.data.patterns import archive_of, read_member
from rosearch.data.quoting import UNQUOTE, Quoting, quoted_problem
from rosearch.data.text_stream import checked_text, parse_data
from rosearch.errors import BadInput, Problem, one_line

_Source = Path | io.BytesIO
_OPENERS: dict[str, Callable[..., IO[Any]]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}

_LONGEST = 1 << 16  # letters of a header
_SEPARATORS = (",", ";", "\t")  # of CSV files

# pandas' and pyarrow's parser errors, and bad UTF-8, are ValueErrors.
_SHOWN = 8  # names of a folder that lacks the file that was asked for
_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    csv.Error,
    lzma.LZMAError,
    zlib.error,
    pd.errors.ParserWarning,
    pa.ArrowException,
)


def read_file(path: Path, columns: Sequence[str] | None = None, content: bytes | None = None) -> pd.DataFrame:
    """The rows of a file, its format told by the suffix; TSV and CSV cells are strings as they stand.

    The path may lead into a tar archive (data.tar.xz/eng/train.tsv). `content` are its bytes, where they are known.
    `columns` names the columns of a TSV or CSV file without a header. Raises `BadInput`, which names the file.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compression = suffixes.pop() if suffixes and suffixes[-1] in _OPENERS else ""
    reader = _READERS.get(suffixes[-1] if suffixes else "")
    if reader is None or (compression and reader is _read_parquet):
        formats = ", ".join(_READERS)
        raise BadInput(Problem(str(path), "", f"a file of {formats} (all but Parquet also .gz, .bz2, .xz)", path.name))
    archive = archive_of(path)
    if content is None and archive is not None:
        content = read_member(archive, path)
    if content is None and not path.is_file():
        raise BadInput(Problem(str(path), "", "a file", _nothing(path, archive), "Name one that is there"))
    try:
        frame = reader(path if content is None else io.BytesIO(content), compression, columns)
    except BadInput as error:  # a byte that is no UTF-8
        raise BadInput([replace(one, where=str(path)) for one in error.problems]) from None
    except _BROKEN as error:
        fix = UNQUOTE if reader is _read_tsv and _reads_quoted(path, content, compression, columns) else ""
        raise BadInput(Problem(str(path), "", f"a readable {suffixes[-1]} file", one_line(error, 300), fix)) from None
    if reader is _read_tsv and (cell := _quoted(frame)):
        raise BadInput(quoted_problem(str(path), cell))
    return frame


def _reads_quoted(path: Path, content: bytes | None, compression: str, columns: Sequence[str] | None) -> bool:
    """True for a TSV that can be read if quotes around cells are no part of them."""
    source = path if content is None else io.BytesIO(content)
    try:
        return not _read_table(source, compression, columns, sep="\t", quoting=csv.QUOTE_MINIMAL).empty
    except _BROKEN:
        return False


def _quoted(frame: pd.DataFrame) -> str:
    """A cell that a spreadsheet or a CSV writer has quoted; "" where quotes may be part of the text."""
    quoting = Quoting()
    for row in (frame.columns, *frame.to_numpy()):
        quoting.see([cell if isinstance(cell, str) else "" for cell in row])
    return quoting.cell


def _nothing(path: Path, archive: Path | None) -> str:
    if archive is not None:
        return f"no such file in {archive.name}"
    there = sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else []
    shown = ", ".join(there[:_SHOWN]) + (f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else "")
    return f"no such file; the folder holds {shown or 'nothing'}"


def _read_tsv(source: _Source, compression: str, columns: Sequence[str] | None) -> pd.DataFrame:
    return _read_table(source, compression, columns, sep="\t", quoting=csv.QUOTE_NONE)


def _read_csv(source: _Source, compression: str, columns: Sequence[str] | None) -> pd.DataFrame:
    separator = "," if columns else _separator(source, compression)
    return _read_table(source, compression, columns, sep=separator, quoting=csv.QUOTE_MINIMAL)


def _separator(source: _Source, compression: str) -> str:
    """A comma, unless only a semicolon or a tab cuts the first line: spreadsheets of half of the world write those."""
    copied = io.BytesIO(source.getvalue()) if isinstance(source, io.BytesIO) else source  # reading closes it
    with _open(copied, compression) as handle:
        line = handle.readline(_LONGEST)
    cells = {separator: len(next(csv.reader([line], delimiter=separator), [])) for separator in _SEPARATORS}
    others = [separator for separator in _SEPARATORS[1:] if cells[separator] > 1]
    return others[0] if cells[","] <= 1 and len(others) == 1 else ","


def _read_table(source: _Source, compression: str, columns: Sequence[str] | None, **dialect: Any) -> pd.DataFrame:
    names = list(columns) if columns else None
    with _open(source, compression) as handle, warnings.catch_warnings():
        # Rows longer than the header would lose cells, and pandas only warns of it.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            frame: pd.DataFrame = pd.read_csv(
                handle,
                header=None,  # pandas would call the second of two columns of one name text.1
                names=names,
                index_col=False,
                dtype=str,
                keep_default_na=False,
                **dialect,
            )
        except pd.errors.EmptyDataError:
            return pd.DataFrame(columns=names or [])
    if names is None:
        header, frame = list(frame.iloc[0]), frame.iloc[1:].reset_index(drop=True)
        frame.columns = pd.Index(header, dtype=object)
    return frame


def _read_jsonl(source: _Source, compression: str, columns: Sequence[str] | None) -> pd.DataFrame:
    rows = []
    with _open(source, compression) as handle:
        for number, line in enumerate(handle, start=1):
            if line.strip():
                try:
                    row = parse_data(line)
                except ValueError as error:
                    raise ValueError(f"line {number}: {error}") from None
                if not isinstance(row, dict):
                    raise ValueError(f"line {number}: no JSON object")
                rows.append(row)
    return pd.DataFrame(rows, dtype=object)


def _read_parquet(source: _Source, compression: str, columns: Sequence[str] | None) -> pd.DataFrame:
    names = pq.ParquetFile(source).schema_arrow.names
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ValueError(f"{names.count(twice[0])} columns {twice[0]!r}")
    return pd.read_parquet(source)


@contextmanager
def _open(source: _Source, compression: str) -> Iterator[IO[str]]:
    plain = not compression and isinstance(source, io.BytesIO)
    with source if plain else _OPENERS.get(compression, open)(source, "rb") as raw, checked_text(raw, "", "") as text:
        yield text


_READERS: dict[str, Callable[[_Source, str, Sequence[str] | None], pd.DataFrame]] = {
    ".tsv": _read_tsv,
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
