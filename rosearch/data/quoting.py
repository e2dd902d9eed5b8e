"""The quotes of a TSV: a part of its text, or left there by a program that wraps cells in them as in CSV.

>>> look_quoted(['"text"'])[:22]
'The cells look quoted:'
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rosearch.errors import Problem

UNQUOTE = "The cells look quoted: save it as .csv or .jsonl, or without quotes (in pandas: quoting=csv.QUOTE_NONE)"
_WRAPPED = re.compile(r'"(?:[^"]|"")*"')
# One end of a wrapped cell that holds a line break.
_TORN = re.compile(r'(?!"(?:[^"]|"")*"$)(?:"(?:[^"]|"")*|(?:[^"]|"")*")')


class Quoting:
    """The quotes in the rows that were seen, the header first. It holds no rows, so a file may have any length.

    A program that quotes wraps every cell that has a quote, and doubles the quotes inside, or wraps every cell that
    has a comma. A wrapped cell with a line break is torn in two, and the rest of its row is empty.
    """

    def __init__(self) -> None:
        self._rows, self._cells = 0, 0  # rows seen, and their cells with quotes
        self._first, self._torn = "", ""  # the first cell with quotes; the first that is surely torn
        self._text = False  # a cell whose quotes are a part of it was seen
        self._sure, self._whole, self._commas = False, True, True

    def see(self, row: Sequence[str]) -> None:
        """Look at the cells of the next row."""
        self._rows += 1
        for place, cell in enumerate([] if self._text else row):
            if '"' in cell:
                self._see(cell, any(row[place + 1 :]) or place + 1 == len(row))
            elif "," in cell:
                self._commas = False

    @property
    def cell(self) -> str:
        """A cell that was wrapped; "" where quotes may be part of the text."""
        if self._text or self._torn:
            return "" if self._text else self._torn
        sure = self._sure or (self._commas and self._cells > 1)
        return self._first if self._whole and sure else ""

    def _see(self, cell: str, more: bool) -> None:
        """Look at a cell with quotes; `more` is False where nothing but empty cells follows."""
        torn = torn_cell(cell)
        self._text |= not torn and not _WRAPPED.fullmatch(cell)
        self._cells += 1
        self._first = self._first or cell
        self._whole &= not torn
        self._torn = self._torn or (cell if torn and not more else "")
        self._sure |= self._rows == 1 or '""' in cell[1:-1]
        self._commas &= "," in cell


def torn_cell(cell: str) -> bool:
    """True for what may be one end of a wrapped cell with a line break."""
    return '"' in cell and _TORN.fullmatch(cell) is not None


def quoted_problem(where: str, cell: str) -> Problem:
    """The problem of a TSV with a cell that was wrapped."""
    return Problem(where, "", "TSV, whose cells stand as they are", f"cells as {cell[:60]!r}", UNQUOTE)


def look_quoted(names: Sequence[str]) -> str:
    """Advice where the names of columns are wrapped in quotes; "" otherwise."""
    wrapped = any(isinstance(name, str) and len(name) > 2 and name[0] == name[-1] == '"' for name in names)
    return "The cells look quoted: save the table as .csv, or without quotes" if wrapped else ""
