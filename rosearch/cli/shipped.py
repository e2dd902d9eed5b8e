"""`rosearch experiments` and `rosearch spaces`: parse, call, print. The completion of their names in a shell, too."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rosearch.cli.options import Json, complete_experiment, complete_space

if TYPE_CHECKING:
    from rosearch.config.shipped import Shelf

To = Annotated[Path | None, typer.Option("--to", help="Where the copy goes: a file or a folder; default: here.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier copy.")]


def experiments(
    copy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Write one as a file to change.", autocompletion=complete_experiment),
    ] = None,
    to: To = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """List experiments by name, or copy one.

    They come with rosearch, and their names stand for files: `rosearch search quickstart`.
    """
    from rosearch.config.shipped import EXPERIMENTS

    if copy is None:
        _print_all(EXPERIMENTS, "Experiments", "rosearch search NAME", to, as_json)
    else:
        copied = EXPERIMENTS.copy(copy, to, overwrite)
        _print_copy(copy, copied, f"Next: rosearch check {shlex.quote(str(copied))}", as_json)


def spaces(
    copy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Write one as a file to change.", autocompletion=complete_space),
    ] = None,
    to: To = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """List search spaces by name, or copy one.

    They come with rosearch. An experiment names one, `search_space: robust_dag`, or a file of yours.
    """
    from rosearch.config.shipped import SPACES

    if copy is None:
        _print_all(SPACES, "Search spaces", "search_space: NAME, in an experiment", to, as_json)
    else:
        copied = SPACES.copy(copy, to, overwrite)
        _print_copy(copy, copied, f"An experiment beside it names it: search_space: {copied.name}", as_json)


def _print_all(shelf: Shelf, title: str, use: str, to: Path | None, as_json: bool) -> None:
    from rosearch.report.data import Column, Row, Table, lefts
    from rosearch.terminal.console import print_json, print_table

    if to is not None:
        raise typer.BadParameter("give --copy NAME with it", param_hint="--to")
    found = shelf.entries()
    if as_json:
        listed = [{"name": one.name, "about": one.about, "file": str(one.file)} for one in found]
        print_json({shelf.command.rpartition(" ")[2]: listed})
        return
    columns = (Column("name", align="left", whole=True), *lefts("about"))
    notes = (f"Use: {use}", f"To change one: {shelf.command} --copy NAME")
    print_table(Table(title, columns, tuple(Row((one.name, one.about)) for one in found), notes))


def _print_copy(name: str, file: Path, more: str, as_json: bool) -> None:
    from rosearch.terminal.console import print_json, print_line

    if as_json:
        print_json({"name": name, "file": str(file)})
    else:
        print_line(f"Copied to {file}. {more}")
