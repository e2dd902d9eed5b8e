"""Splits read from files: TSV, CSV and JSON lines, plain or compressed (.gz, .bz2, .xz), Parquet; also in archives."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import pandas as pd

from rosearch.data.patterns import archive_of, read_member
from rosearch.errors import BadInput, Problem, one_line

_Source = Path | io.BytesIO
_OPENERS: dict[str, Callable[..., IO[Any]]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


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
        raise BadInput(Problem(str(path), "", "a file", _nothing(path, archive), "name it in task.local"))
    try:
        return reader(path if content is None else io.BytesIO(content), compression, columns)
    except (OSError, EOFError, ValueError, csv.Error, lzma.LZMAError, pd.errors.ParserWarning) as error:
        # pandas' and pyarrow's parser errors, and bad UTF-8, are ValueErrors
        reason = one_line(error, None)
        raise BadInput(Problem(str(path), "", f"a readable {suffixes[-1]} file", reason)) from None


def _nothing(path: Path, archive: Path | None) -> str:
    if archive is not None:
        return f"no such file in {archive.name}"
    there = sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else []
    return f"no such file; the folder holds {', '.join(there) or 'nothing'}"


def _read_tsv(source: _Source, compression: str, columns: Sequence[str] | None) -> pd.DataFrame:
    return _read_table(source, compression, columns, sep="\t", quoting=csv.QUOTE_NONE)


def _read_csv(source: _Source, compression: str, columns: Sequence[str] | None) -> pd.DataFrame:
    return _read_table(source, compression, columns, sep=",", quoting=csv.QUOTE_MINIMAL)


def _read_table(source: _Source, compression: str, columns: Sequence[str] | None, **dialect: Any) -> pd.DataFrame:
    header = None if columns else 0
    names = list(columns) if columns else None
    with _open(source, compression) as handle, warnings.catch_warnings():
        # Rows longer than the header would lose cells, and pandas only warns of it.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            frame: pd.DataFrame = pd.read_csv(
                handle,
                header=header,
                names=names,
                index_col=False,
                dtype=str,
                keep_default_na=False,
                **dialect,
            )
        except pd.errors.EmptyDataError:
            return pd.DataFrame(columns=names or [])
    return frame


def _read_jsonl(source: _Source, compression: str, columns: Sequence[str] | None) -> pd.DataFrame:
    rows = []
    with _open(source, compression) as handle:
        for number, line in enumerate(handle, start=1):
            if line.strip():
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    raise ValueError(f"line {number}: {error}") from None
                if not isinstance(row, dict):
                    raise ValueError(f"line {number}: no JSON object")
                rows.append(row)
    return pd.DataFrame(rows, dtype=object)


def _read_parquet(source: _Source, compression: str, columns: Sequence[str] | None) -> pd.DataFrame:
    return pd.read_parquet(source)


def _open(source: _Source, compression: str) -> IO[Any]:
    if not compression and isinstance(source, io.BytesIO):
        return io.TextIOWrapper(source, encoding="utf-8-sig", newline="")
    handle: IO[Any] = _OPENERS.get(compression, open)(source, "rt", encoding="utf-8-sig", newline="")
    return handle


_READERS: dict[str, Callable[[_Source, str, Sequence[str] | None], pd.DataFrame]] = {
    ".tsv": _read_tsv,
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
