from __future__ import annotations

import fcntl
import io
import os
import struct
import subprocess
import sys
import termios

import pytest
from rich.console import Console

from rosearch.errors import RosearchError
from rosearch.report.data import PERCENT, Cell, Column, Row, Table, lefts
from rosearch.run.course import Overall
from rosearch.terminal import console
from rosearch.terminal.console import print_json, print_line, print_message, print_table, rendered
from rosearch.terminal.progress import SearchDisplay


def shown(table: Table) -> str:
    console = Console(width=100, file=io.StringIO(), force_terminal=True, color_system="standard")
    with console.capture() as captured:
        console.print(rendered(table, console))
    return captured.get()


def test_text_in_brackets_is_text_wherever_it_stands() -> None:
    text = shown(Table("[red]title", lefts("[bold]name"), (Row(("[dim]cell",)),), ("[note]",)))
    for part in ("[red]title", "[bold]name", "[dim]cell", "[note]"):
        assert part in text


def test_emphasis_is_of_the_value_alone_or_of_the_row() -> None:
    warned = shown(Table("", lefts("verdict"), (Row((Cell("not separated", note=": 30 rows", emphasis="warning"),)),)))
    assert "\x1b[33mnot separated\x1b[0m: 30 rows" in warned
    strong = shown(Table("", (*lefts("attack"), Column("rate", PERCENT)), (Row(("worst case", 0.5), "strong"),)))
    assert "\x1b[1mworst case\x1b[0m" in strong


def test_columns_without_names_have_no_header() -> None:
    facts = Table("", lefts("", ""), (Row(("status", "done")),))
    assert len(shown(facts).splitlines()) < len(shown(Table("", lefts("key", "value"), facts.rows)).splitlines())


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_has_no_number_that_is_not_finite(number: float, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RosearchError, match="cannot be printed as JSON"):
        print_json({"recommendations": [{"quality": number}]})
    assert capsys.readouterr().out == ""


# Letters that change what a terminal shows, and the beginnings of markup.
CONTROLS = (
    "\x1b[2J",
    "\x9b31m",
    "\x07",
    "\x08",
    "\r",
    "\x7f",
    "\u202e",
    "\u2066",
    "\u2028",
    "\ufeff",
    "\ud83d",
    "\U000e0041",
)
WAYS = {
    "a line": lambda text: print_line(text),
    "a line on standard error": lambda text: print_line(text, console.err),
    "a message": lambda text: print_message("error", "red", text),
    "a string": lambda text: console.out.print(text),
    "a table": lambda text: print_table(Table(text, lefts(text), (Row((text,)), Row((Cell(1, note=text),))), (text,))),
    "progress": lambda text: SearchDisplay(console.err).progress(text, 0, 2),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
def test_a_control_character_is_never_printed_raw(way: str, control: str, capsys: pytest.CaptureFixture[str]) -> None:
    WAYS[way](f"a{control}b")
    printed = "".join(capsys.readouterr())
    assert control[0] not in printed
    if way != "a string":  # rich drops some of them from a string that is not passed through `safe`
        assert control[0].encode("unicode_escape").decode() in printed


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", ["runs/[bold]x[/]-0001", "[/]", "[red]", "a[0]", ":smile:", "back\\[dim]"])
def test_what_looks_like_markup_is_printed_as_it_stands(
    way: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    WAYS[way](text)
    assert text in "".join(capsys.readouterr())


def test_a_bar_on_a_terminal_shows_names_as_they_stand() -> None:
    stream = io.StringIO()
    screen = console._Terminal(file=stream, force_terminal=True, width=100, markup=False)
    with SearchDisplay(screen) as display:
        display.progress("[bold]x\x9b31m", 1, 2)
        display.overall(Overall(1, 2, "[red]generation\u202e", 0, 9, None, None, None))
    assert "[bold]x\\x9b31m" in stream.getvalue() and "[red]generation" in stream.getvalue()
    assert not {"\x9b", "\u202e"} & set(stream.getvalue())


def test_a_message_is_one_line_of_bounded_length(capsys: pytest.CaptureFixture[str]) -> None:
    print_message("error", "red", "a\nerror forged " + "x" * 100_000)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and len(lines[0]) < 2000
    assert "a\\nerror forged" in lines[0] and "(100,016 letters)" in lines[0]


WIDE = Table(
    "Front",
    (
        Column("id", align="left", whole=True),
        Column("accuracy under attack", PERCENT),
        Column("words to break", PERCENT, spare=2),
        Column("parameters", spare=1),
    ),
    (Row(("#3 3fa9c2d1", 0.5, 0.25, 1234567)), Row(("#12 81ac90ff", 0.4))),
    ("a note",),
)


def drawn(width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    with console.capture() as captured:
        console.print(rendered(WIDE, console))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_table_folds_the_columns_that_can_be_spared_best_and_names_them() -> None:
    assert "no room for" not in "\n".join(drawn(80))
    narrower = " ".join(drawn(40))
    assert "no room for: words to break (a wider terminal shows all)" in narrower and "1234567" in narrower
    narrowest = drawn(28)
    assert "no room for: words to break," in narrowest
    assert all(len(line) <= 28 for line in narrowest) and "50.0%" in "\n".join(narrowest)


def test_a_table_without_rows_is_its_title_and_the_reason() -> None:
    console = Console(width=20, file=io.StringIO())
    with console.capture() as captured:
        console.print(rendered(Table("Front", WIDE.columns, (), ("nobody passed",)), console))
    assert [line.rstrip() for line in captured.get().splitlines()] == ["Front", "nobody passed", ""]


def test_columns_of_figures_break_their_names_and_never_their_figures() -> None:
    lines = drawn(80)
    assert [line.split() for line in lines[1:4]] == [
        ["accuracy", "words"],
        ["under", "to"],
        ["id", "attack", "break", "parameters"],
    ]
    assert lines[5].split() == ["#3", "3fa9c2d1", "50.0%", "25.0%", "1234567"]
    assert lines[-2:] == ["a note", ""]


@pytest.mark.parametrize(("typed_in", "width"), [("a terminal", 70), ("a job", 120)])
def test_a_pipe_is_as_wide_as_the_terminal_that_the_command_was_typed_in(typed_in: str, width: int) -> None:
    code = "from rosearch.terminal.console import out; print(out.width)"
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 70, 0, 0))
    stderr = theirs if typed_in == "a terminal" else subprocess.DEVNULL
    try:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, check=True)
    finally:
        os.close(ours)
        os.close(theirs)
    assert int(done.stdout) == width
