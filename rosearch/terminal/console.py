"""The two streams of a command, and the one way of each to print: tables, lines, JSON.

Nothing that is printed here is read as markup, and no control character of a text reaches the terminal: names, labels,
data and messages of other libraries may hold any. Colour is asked for by `Text` with a style.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table as RichTable
from rich.text import Text

from rosearch.errors import RosearchError, cut, safe

if TYPE_CHECKING:
    from rosearch.report.data import Cell, Column, Emphasis, Table, Value

_LOG_WIDTH = 120  # of a pipe or a file without a terminal, which have no width of their own
_STYLES: dict[Emphasis, str] = {"": "", "strong": "bold", "warning": "yellow"}

_NO_LIMIT = 100_000  # letters: a table is measured as it would like to be
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
    return _Terminal(stderr=stderr, width=None if terminal else _piped_width(), emoji=False, markup=False)


def _piped_width() -> int:
    """That of the terminal which a command was typed in, as for `| less`; where there is none, `_LOG_WIDTH`."""
    for stream in (sys.stderr, sys.stdin):
        with suppress(OSError, ValueError, AttributeError):
            return os.get_terminal_size(stream.fileno()).columns or _LOG_WIDTH
    return _LOG_WIDTH


out, err = _terminal(sys.stdout), _terminal(sys.stderr, stderr=True)


def print_json(value: Any) -> None:
    """One JSON value on standard output. Raises `RosearchError` for a number that JSON does not have, such as NaN."""
    try:
        text = json.dumps(value, indent=2, allow_nan=False)
    except ValueError as error:
        raise RosearchError(f"this cannot be printed as JSON: {error}") from error
    print_text(text + "\n")


def print_text(text: str) -> None:
    """Text for other programs on standard output, as it stands; on a terminal without its control characters."""
    try:
        print(safe(text) if out.is_terminal else text, end="", file=out.file, flush=True)
    except BrokenPipeError:
        out.on_broken_pipe()


def print_line(text: str, console: Console = out) -> None:
    """A line of plain text, as long as it is: paths and commands in it can be copied."""
    console.print(Text(safe(text)), soft_wrap=True)


def print_message(kind: str, colour: str, text: str) -> None:
    """One line on standard error: `error` or another kind in its colour, then a text, cut where it is endless."""
    told = safe(cut(text.replace("\n", "\\n"), _MOST_LETTERS))
    err.print(Text.assemble((kind, colour), " ", told), soft_wrap=True)


def print_table(table: Table) -> None:
    """A table on standard output."""
    out.print(rendered(table))


def print_prose(*sentences: str, style: str = "") -> None:
    """Sentences on standard output, each broken at words where the line is full."""
    for sentence in sentences:
        out.print(Text(safe(sentence), style))


def rendered(table: Table, console: Console | None = None) -> Group:
    """A table as wide as a terminal at most: where it has no room, columns are folded away, and a note names them.

    Of one without rows, the title and the notes that say why.
    """
    console = console or out
    made = _grid(table)
    while (
        table.rows and Measurement.get(console, console.options.update(width=_NO_LIMIT), made).minimum > console.width
    ):
        if (narrower := table.fold()) is None:
            break
        table, made = narrower, _grid(narrower)
    folded = (f"no room for: {', '.join(table.folded)} (a wider terminal shows all)",) if table.folded else ()
    title = [Text(safe(table.title), "table.title")] if table.title else []
    notes = [Text(safe(note), "table.caption") for note in (*table.notes, *folded)]
    return Group(*title, *([made] if table.rows or not notes else []), *notes, Text())


def _grid(table: Table) -> RichTable:
    made = RichTable(
        show_header=any(column.name for column in table.columns),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
    )
    rows = [[_cell(column, cell) for column, cell in zip(table.columns, row.cells)] for row in table.rows]
    for place, column in enumerate(table.columns):
        figures = column.align == "right"
        heading = Text(safe(column.heading or (column.name.replace(" ", "\n") if figures else column.name)))
        cells = [heading, *(row[place] for row in rows if place < len(row))]
        made.add_column(
            heading,
            justify=column.align,
            no_wrap=column.whole or figures,
            min_width=max(_width(cell) for cell in cells) if column.whole or figures else None,
            overflow="fold",
            vertical="bottom" if figures else "top",
        )
    for row, cells in zip(table.rows, rows, strict=True):
        made.add_row(*cells, style=_STYLES[row.emphasis] or None)
    return made


def _width(text: Text) -> int:
    return max((line.cell_len for line in text.split()), default=0)


def _cell(column: Column, cell: Value | Cell) -> Text:
    from rosearch.report.data import Cell  # late: a line is printed without it

    if not isinstance(cell, Cell):
        return Text(safe(column.text(cell)))
    value = column.text(Cell(cell.value, cell.unit))
    return Text().append(safe(value), _STYLES[cell.emphasis] or None).append(safe(cell.note))
