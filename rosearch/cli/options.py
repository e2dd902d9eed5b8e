"""Arguments and options that several commands share, each with one definition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rosearch.config.experiment import Experiment
    from rosearch.run.own_data import OwnData


def complete_experiment(begun: str) -> list[str]:
    """Names of experiments, for a shell; where none begins so, it offers files."""
    from rosearch.config.shipped import EXPERIMENTS

    return [name for name in EXPERIMENTS.names() if name.startswith(begun)]


def complete_space(begun: str) -> list[str]:
    """Names of search spaces, for a shell."""
    from rosearch.config.shipped import SPACES

    return [name for name in SPACES.names() if name.startswith(begun)]


ExperimentFile = Annotated[
    Path,
    typer.Argument(
        help="A name that `rosearch experiments` lists, such as quickstart, or a file.",
        autocompletion=complete_experiment,
    ),
]
OptionalExperiment = Annotated[
    Path | None,
    typer.Argument(
        help="A name that `rosearch experiments` lists, such as quickstart, or a file. None: what `rosearch init` "
        "would write for the files given below.",
        autocompletion=complete_experiment,
    ),
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, such as runs/quickstart-0001.")]
Override = Annotated[
    list[str] | None,
    typer.Option("--override", "-o", help="Change a key of the experiment: -o evolution.candidates=50. Repeatable."),
]
DataRoot = Annotated[
    Path | None,
    typer.Option("--data-root", envvar="ROSEARCH_DATA", help="Read task.local.folder below this, not the hub."),
]
ResourceFolder = Annotated[
    Path | None, typer.Option("--resources", help="Local files for attacks; default: $ROSEARCH_RESOURCES.")
]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")]
TrainFile = Annotated[
    Path | None, typer.Option("--train-file", help="Your rows: TSV, CSV, JSON lines or Parquet, with a header.")
]
ValidationFile = Annotated[
    Path | None, typer.Option("--validation-file", help="Rows to choose students by; none: a part of --train-file.")
]
TestFile = Annotated[
    Path | None, typer.Option("--test-file", help="Rows that no choice has seen; none: a part of --train-file.")
]
TextColumns = Annotated[
    list[str] | None, typer.Option("--text", help="Column of the text; given twice, those of a pair.")
]
LabelColumn = Annotated[str | None, typer.Option("--label", help="Column of the label.")]
OwnTeacher = Annotated[str | None, typer.Option("--teacher", help="Your BERT: a folder, a hub name or package:NAME.")]
RecordsFolder = Annotated[
    Path | None,
    typer.Option(
        "--records", metavar="DIR", help="Keep the records in this folder, on a disk of this machine; default: the run."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object in place of tables.")]


def own_data(
    train: Path | None,
    validation: Path | None,
    test: Path | None,
    text: list[str] | None,
    label: str | None,
    teacher: str | None,
) -> OwnData:
    """The data and the teacher that these flags name."""
    from rosearch.run.own_data import OwnData

    return OwnData(train, validation, test, tuple(text or ()), label, teacher)


def load_own(
    named: Path | None, own: OwnData, overrides: Sequence[str], data_root: Path | None, way: str = "an experiment"
) -> Experiment:
    """The named experiment with the user's own data and teacher in place of its own; a first one, where none is named.

    What was derived for the latter is printed. `way` is how an experiment is named.
    """
    from rosearch.config.file import load_experiment
    from rosearch.terminal.console import err, print_line
    from rosearch.terminal.progress import loading

    own.require(named is None, named is not None and not own.given, f", or {way}" if named is None else "")
    if named is not None:
        return load_experiment(named, own.overrides(overrides), data_root)
    with loading("reading data and teacher"):
        from rosearch.run.first_experiment import first_experiment

        made = first_experiment(own, overrides=overrides)
    print_line("No experiment is named. This is the one that `rosearch init` would write:", err)
    for line in made.told:
        print_line(f"  {line}", err)
    return made.experiment(overrides)
