"""The questions of `rosearch init`: what its flags did not say, asked on a terminal, with a look at the file first."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from rosearch.errors import BadInput, Problem, RosearchError
from rosearch.report.data import Row, Table, lefts
from rosearch.run.first_experiment import Preview, preview
from rosearch.run.own_data import OwnData
from rosearch.terminal.console import print_line, print_message, print_table
from rosearch.terminal.progress import loading

T = TypeVar("T")

_CELL = 60  # letters of a cell that a preview shows
_SHOWN = 8  # columns, or classes, that are shown


def can_ask() -> bool:
    """True where somebody can read questions and answer them."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def ask(own: OwnData) -> OwnData:
    """The same with all that was missing, asked. Raises `BadInput` where the answers end, `KeyboardInterrupt`."""
    with suppress(ImportError):  # line editing, where the system has it
        import readline  # noqa: F401
    print_line("Enter takes what stands in brackets. Nothing is written before the last answer.")
    look = _ask_file("Training file (CSV, TSV, JSON lines or Parquet)", own.train)
    own = replace(own, train=look.path)
    _print_preview(look)
    if not own.text:
        asked = "Column of the text (two with a comma, for pairs)"
        own = replace(own, text=_ask(asked, look.text_column, lambda text: _columns(text, look)))
    if not own.label:
        label = look.label_column
        own = replace(own, label=_ask("Column of the label", label, lambda text: _columns(text, look)[0]))
    _print_classes(look, str(own.label))
    if own.validation is None:
        own = replace(own, validation=_ask_other("Validation file"))
    if own.test is None:
        own = replace(own, test=_ask_other("Test file"))
    return own if own.teacher else replace(own, teacher=_ask("Teacher: folder of your BERT, or a hub name", "", _model))


def ask_place(own: OwnData, check: Callable[[Path], None]) -> Path:
    """The file to write, asked again while `check` raises an error of ours for the answer."""

    def read(answer: str) -> Path:
        check(Path(answer))
        return Path(answer)

    return _ask("Write the experiment to", f"{own.name}.yaml", read)


def _ask(question: str, usual: str, read: Callable[[str], T]) -> T:
    """An answer that `read` takes; Enter alone is `usual`, and where there is none, the question is asked again."""
    shown = f" [{usual}]" if usual else ""
    while True:
        try:
            answer = input(f"{question}{shown}: ").strip() or usual
        except EOFError:
            raise BadInput(Problem("terminal", question, "an answer", "the end of the input")) from None
        if answer:
            try:
                return read(answer)
            except RosearchError as error:
                print_message("error", "red", str(error))


def _ask_file(question: str, given: Path | None) -> Preview:
    return _preview(str(given)) if given is not None else _ask(question, "", _preview)


def _ask_other(question: str) -> Path | None:
    """A file, or None for Enter alone."""
    look = _ask(f"{question}, or - to carve one out of the training file", "-", lambda text: _other(text))
    return None if look is None else look.path


def _other(text: str) -> Preview | None:
    return None if text == "-" else _preview(text)


def _preview(text: str) -> Preview:
    with loading(f"reading {text}"):
        return preview(Path(text))


def _columns(text: str, look: Preview) -> tuple[str, ...]:
    """The columns that an answer names: one whose name holds a comma, or several."""
    names = (text,) if text in look.columns else tuple(part.strip() for part in text.split(","))
    if wrong := [name for name in names if name not in look.columns]:
        raise BadInput(Problem(str(look.path), "", f"one of its columns ({', '.join(look.columns)})", wrong[0]))
    return names


def _model(text: str) -> str:
    """A teacher, unless it is the path of something that holds no model."""
    folder = Path(text).expanduser()
    if (folder.exists() or text.startswith((".", "/", "~"))) and not (folder / "config.json").is_file():
        raise BadInput(Problem(text, "", "a folder that holds config.json, model.safetensors and a tokenizer", "none"))
    return text


def _print_preview(look: Preview) -> None:
    columns = look.columns[:_SHOWN]
    more = len(look.columns) - len(columns)
    note = f"{look.count:,} rows" + (f"; {more} more columns: {', '.join(look.columns[_SHOWN:])}" if more > 0 else "")
    rows = tuple(Row((name, *(_cut(row[place]) for row in look.rows[:2]))) for place, name in enumerate(columns))
    heads = ("column", *("first row", "second row")[: len(look.rows)])
    print_table(Table(str(look.path), lefts(*heads), rows, (note,)))


def _print_classes(look: Preview, label: str) -> None:
    names = look.classes.get(label)
    if names is not None:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        print_line(f"  {len(names)} classes: {', '.join(names[:_SHOWN])}{more}")


def _cut(text: str) -> str:
    return text if len(text) <= _CELL else f"{text[: _CELL - 3]}..."
