"""Rows of texts, one at a time, from a file or standard input: lines, CSV, TSV or JSON lines, plain or compressed.

>>> for row in stream_rows(Path("films.csv"), FORMATS["csv"], Columns()):
...     print(row.number, row.texts)

Nothing is held but the row that is given, so a stream may have no end. A row that cannot be read does not end it: it
is given with its line and what is wrong.
"""

from __future__ import annotations

import csv
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any

from rosearch.data.columns import Columns, name_problems
from rosearch.data.text_stream import DECOMPRESSORS, parse_data
from rosearch.errors import BadInput, Problem, nearest, one_line

LONGEST = 1 << 20  # bytes of a line: no model reads a text of that length
STREAM = Path("-")  # standard input
_SEPARATORS = (",", ";", "\t")  # of CSV files
_FOREIGN = re.compile("[\0\udc80-\udcff]")  # NUL, and bytes that are no UTF-8 as `surrogateescape` reads them
_BROKEN = (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error)


@dataclass(frozen=True)
class Row:
    """One row: the number of its first line, from 1, and its one or two texts; one that is broken has none."""

    number: int
    texts: tuple[str, ...]
    expected: str = ""  # of a broken row, in words
    got: str = ""


_Lines = Iterator[tuple[int, str]]  # numbers from 1; a line keeps its end
Format = Callable[[_Lines, str, Columns, int], Iterator[Row]]


def format_of(path: Path, named: str | None = None) -> str:
    """The name of the format of a file: as it is `named`, or by its suffix; `lines` for all others and the path `-`.

    Raises `BadInput` for another name, for Parquet, which is no stream, and where there is no file.
    """
    if named is not None and named not in FORMATS:
        raise BadInput(Problem("command line", "--read", ", ".join(FORMATS), named, nearest(named, FORMATS)))
    if path != STREAM and (path.is_dir() or not path.exists()):
        got = "a folder" if path.is_dir() else "no such file"
        raise BadInput(Problem(str(path), "", "a file", got, "Name one that is there, or - for standard input"))
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in DECOMPRESSORS]
    name = suffixes[-1].removeprefix(".") if suffixes else ""
    if name == "parquet" and named is None:
        raise BadInput(Problem(str(path), "", f"a file of {', '.join(FORMATS)}", "Parquet", "Save it as .jsonl"))
    return named or (name if name in FORMATS else "lines")


def stream_rows(
    path: Path, form: str, columns: Columns, texts: int = 1, stdin: IO[bytes] | None = None
) -> Iterator[Row]:
    """The rows of a file, or of `stdin` for the path `-`. A line of `lines` has `texts` texts, with tabs between them.

    Raises `BadInput` where no column holds the texts, or the stream breaks off.
    """
    where = "standard input" if path == STREAM else str(path)
    try:
        with ExitStack() as stack:
            raw: Any = stdin if path == STREAM else stack.enter_context(path.open("rb"))
            opener = DECOMPRESSORS.get(path.suffix.lower())
            yield from FORMATS[form](_lines(opener(raw) if opener else raw), where, columns, texts)
    except _BROKEN as error:
        raise BadInput(Problem(where, "", "a readable stream", one_line(error, 300))) from None


def _lines(raw: IO[bytes]) -> _Lines:
    """Each line as text; one that is too long as a NUL, which no text has."""
    number = 0
    while line := raw.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            while line and not line.endswith(b"\n"):
                line = raw.readline(LONGEST)
            line = b"\0\n"
        text = line.decode("utf-8", "surrogateescape")
        yield number, text.removeprefix("\ufeff") if number == 1 else text


def _row(number: int, cells: Sequence[Any], told: Sequence[str]) -> Row:
    """A row of cells, each in a place that `told` names."""
    for cell, name in zip(cells, told, strict=True):
        if not isinstance(cell, str):
            return Row(number, (), f"a text{name}", "none" if cell is None else type(cell).__name__)
        if _FOREIGN.search(cell):
            return Row(number, (), f"UTF-8 of at most {LONGEST:,} bytes{name}", "other bytes, or more")
        if not cell.strip():
            return Row(number, (), f"a text{name}", "none")
    return Row(number, tuple(cells))


def _plain(lines: _Lines, where: str, columns: Columns, texts: int) -> Iterator[Row]:
    if columns.text or columns.text_pair:
        fix = "Give --read csv, tsv or jsonl"
        raise BadInput(Problem("command line", "--text", "a format with columns", "lines", fix))
    for number, line in lines:
        cells = line.rstrip("\r\n").split("\t") if texts > 1 else [line.rstrip("\r\n")]
        if len(cells) == texts:
            yield _row(number, cells, [""] * texts)
        else:
            yield Row(number, (), f"{texts} texts with a tab between them", str(len(cells)))


def _json_lines(lines: _Lines, where: str, columns: Columns, texts: int) -> Iterator[Row]:
    names: tuple[str, ...] = ()
    for number, line in lines:
        if _FOREIGN.search(line):
            yield _row(number, [line], [""])
            continue
        try:
            found = parse_data(line) if line.strip() else None
        except ValueError as error:
            yield Row(number, (), "a JSON object", one_line(error))
            continue
        if isinstance(found, dict):
            names = names or columns.texts(where, list(found))
            yield _row(number, [found.get(name) for name in names], [f" in {name!r}" for name in names])
        elif line.strip():
            yield Row(number, (), "a JSON object", type(found).__name__)


def _csv(lines: _Lines, where: str, columns: Columns, texts: int) -> Iterator[Row]:
    first = next(lines, (1, ""))
    cuts = {one: len(next(csv.reader([first[1]], delimiter=one), [])) for one in _SEPARATORS}
    others = [one for one in _SEPARATORS[1:] if cuts[one] > 1]
    separator = others[0] if cuts[","] <= 1 and len(others) == 1 else ","
    return _table(chain([first], lines), where, columns, delimiter=separator, strict=True)


def _tsv(lines: _Lines, where: str, columns: Columns, texts: int) -> Iterator[Row]:
    return _table(lines, where, columns, delimiter="\t", quoting=csv.QUOTE_NONE)


def _table(lines: Iterable[tuple[int, str]], where: str, columns: Columns, **dialect: Any) -> Iterator[Row]:
    csv.field_size_limit(LONGEST)
    rows = csv.reader((line for _, line in lines), **dialect)
    header = next(rows, [])
    names = columns.texts(where, header)
    if problems := name_problems(where, header, names, "Give --text, and --text-pair for pairs"):
        raise BadInput(problems)
    places = [header.index(name) for name in names]
    while True:
        number = rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield Row(number, (), "a row of a table", one_line(error))
            continue
        if row is None:
            return
        if row and len(row) != len(header):
            yield Row(number, (), f"{len(header)} cells, as the header has", str(len(row)))
        elif row:
            yield _row(number, [row[place] for place in places], [f" in {name!r}" for name in names])


FORMATS: dict[str, Format] = {"lines": _plain, "csv": _csv, "tsv": _tsv, "jsonl": _json_lines}
