"""The two streams of a command, and the one way of each to print: tables, lines, JSON.

Nothing that is printed here is read as markup, and no control character of a text reaches the terminal: names, labels,
data and messages of other libraries may hold any. Colour is asked for by `Text` with a style.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table as RichTable
from rich.text import Text

from rosearch.errors import RosearchError, cut, safe
from rosearch.report.data import Cell, Column, Emphasis, Table, Value

_LOG_WIDTH = 120  # of a pipe or a file, which have no width of their own
_STYLES: dict[Emphasis, str] = {"": "", "strong": "bold", "warning": "yellow"}

_MOST_LETTERS = 1900  # of a message: what it repeats may be long

CLOSED_PIPE = 141  # the exit code of a program that SIGPIPE ends: 128 and the signal's number


class _Terminal(Console):
    """Prints no markup and no control character of a text. A closed pipe ends the program as SIGPIPE does."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(safe(segment.text), segment.style)

    def on_broken_pipe(self) -> NoReturn:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2 if self.stderr else 1)  # what is still buffered goes nowhere
        raise SystemExit(CLOSED_PIPE)


def _terminal(stream: Any, *, stderr: bool = False) -> _Terminal:
    terminal = stream is not None and stream.isatty()  # None: the program was started without this stream
    return _Terminal(stderr=stderr, width=None if terminal else _LOG_WIDTH, emoji=False, markup=False)


out, err = _terminal(sys.stdout), _terminal(sys.stderr, stderr=True)


def print_json(value: Any) -> None:
    """One JSON value on standard output. Raises `RosearchError` for a number that JSON does not have, such as NaN."""
    try:
        text = json.dumps(value, indent=2, allow_nan=False)
    except ValueError as error:
        raise RosearchError(f"this cannot be printed as JSON: {error}") from error
    try:
        print(text, file=out.file, flush=True)
    except BrokenPipeError:
        out.on_broken_pipe()


def print_line(text: str, console: Console = out) -> None:
    """A line of plain text, as long as it is: paths and commands in it can be copied."""
    console.print(Text(safe(text)), soft_wrap=True)


def print_message(kind: str, colour: str, text: str) -> None:
    """One line on standard error: `error` or another kind in its colour, then a text, cut where it is endless."""
    told = safe(cut(text.replace("\n", "\\n"), _MOST_LETTERS))
    err.print(Text.assemble((kind, colour), " ", told), soft_wrap=True)


def print_table(table: Table, *, dense: bool = False) -> None:
    """A table on standard output."""
    out.print(rendered(table, dense=dense))


def rendered(table: Table, *, dense: bool = False) -> RichTable:
    """A table for a terminal. Without vertical lines, `dense`, ten columns of figures fit into a hundred letters."""
    made = RichTable(
        title=Text(safe(table.title), "table.title") if table.title else None,
        title_justify="left",
        caption=Text(safe("\n".join(table.notes)), "table.caption") if table.notes else None,
        caption_justify="left",
        show_header=any(column.name for column in table.columns),
        box=box.SIMPLE_HEAD if dense else box.HEAVY_HEAD,
        pad_edge=not dense,
    )
    for column in table.columns:
        whole = column.whole or (dense and column.align == "right")
        made.add_column(
            Text(safe(column.heading or column.name)),
            justify=column.align,
            no_wrap=whole,
            overflow="fold" if dense else "ellipsis",
        )
    for row in table.rows:
        cells = [_cell(column, cell) for column, cell in zip(table.columns, row.cells)]
        made.add_row(*cells, style=_STYLES[row.emphasis] or None)
    return made


def _cell(column: Column, cell: Value | Cell) -> Text:
    if not isinstance(cell, Cell):
        return Text(safe(column.text(cell)))
    value = column.text(Cell(cell.value, cell.unit))
    return Text().append(safe(value), _STYLES[cell.emphasis] or None).append(safe(cell.note))
