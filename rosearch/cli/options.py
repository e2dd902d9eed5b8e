"""Arguments and options that several commands share, each with one definition."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


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
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object in place of tables.")]
