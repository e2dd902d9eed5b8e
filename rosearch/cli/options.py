"""Arguments and options that several commands share, each with one definition."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ExperimentFile = Annotated[Path, typer.Argument(help="An experiment file, such as experiments/quickstart.yaml.")]
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
