"""`rosearch init`: parse or ask, call, print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rosearch.cli.options import LabelColumn, OwnTeacher, TestFile, TextColumns, TrainFile, ValidationFile
from rosearch.cli.search import check

if TYPE_CHECKING:
    from rosearch.run.own_data import OwnData

INIT_EXAMPLES = """Examples:

`rosearch init` asks for all it needs, and shows the file.

`rosearch init my.yaml --train-file tickets.csv --text message --label queue --teacher ./my-bert`

`rosearch init pairs.yaml --train-file a.tsv --test-file b.tsv --text question1 --text question2 --label same
--teacher ./my-bert`"""

SCHEMA = "experiment.schema.json"


def init(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The experiment to write, such as my.yaml.")
    ] = None,
    train_file: TrainFile = None,
    validation_file: ValidationFile = None,
    test_file: TestFile = None,
    text: TextColumns = None,
    label: LabelColumn = None,
    teacher: OwnTeacher = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it is there.")] = False,
) -> None:
    """Write an experiment for your data and BERT.

    Labels, lengths, splits and the metric follow from files and teacher; it says which, and checks what it wrote.
    On a terminal it asks for what is missing.
    """
    from rosearch.errors import BadInput, Problem
    from rosearch.run.own_data import OwnData

    own = OwnData(train_file, validation_file, test_file, tuple(text or ()), label, teacher)
    if file is not None:
        _refuse_place(file, overwrite)
    if own.missing() or file is None:
        from rosearch.terminal.questions import ask, ask_place, can_ask

        if not can_ask():
            own.require(way=", or a terminal to ask on")
            raise BadInput(Problem("command line", "FILE", "the experiment to write, such as my.yaml", "none"))
        own = ask(own)
        file = file or ask_place(own, lambda place: _refuse_place(place, overwrite))
    own.require()
    _write(own, file)
    check(file)


def _refuse_place(file: Path, overwrite: bool) -> None:
    """Refuses what is no place for an experiment, before anything is asked or read."""
    from rosearch.errors import BadInput, Problem, RunError

    if file.suffix not in (".yaml", ".yml"):
        raise BadInput(Problem("command line", "FILE", "a file that ends in .yaml", repr(str(file))))
    if file.exists() and not (overwrite and file.is_file()):
        raise RunError(f"{file}: exists already; name another file, or add --overwrite")


def _write(own: OwnData, file: Path) -> None:
    """Writes the experiment and, beside it, the schema by which editors complete and check its keys."""
    from rosearch.errors import RunError, one_line
    from rosearch.files import write_whole
    from rosearch.terminal.console import print_line
    from rosearch.terminal.progress import loading

    with loading("reading data and teacher"):
        from rosearch.run.first_experiment import first_experiment

        made = first_experiment(own, file.stem)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        text = made.text(file.parent, SCHEMA if _write_schema(file.with_name(SCHEMA)) else "")
        write_whole(file, text)  # an experiment that it replaces stays until the new one is whole
    except OSError as error:
        raise RunError(f"{file}: it cannot be written: {one_line(error)}") from None
    print_line(f"Wrote {file}. What you did not give:")
    for line in made.told:
        print_line(f"  {line}")


def _write_schema(place: Path) -> bool:
    """True where the schema lies there; a file of another kind that has its name stays."""
    from rosearch.config.plain_data import read_json
    from rosearch.errors import BadInput
    from rosearch.files import write_whole
    from rosearch.run.reference import schema_of

    schema = schema_of("experiment")
    if place.exists():
        try:
            if read_json(place).get("title") != schema["title"]:
                return False
        except BadInput:
            return False
    write_whole(place, f"{json.dumps(schema, indent=1)}\n")
    return True
