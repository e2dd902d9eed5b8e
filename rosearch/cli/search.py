"""`rosearch search`, `resume` and `check`: parse, call, print."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rosearch.cli.options import (
    DataRoot,
    ExperimentFile,
    Json,
    LabelColumn,
    OptionalExperiment,
    Override,
    OwnTeacher,
    RecordsFolder,
    RunFolder,
    TestFile,
    TextColumns,
    TrainFile,
    ValidationFile,
    load_own,
    own_data,
)
from rosearch.progress import Progress, silent, step

if TYPE_CHECKING:
    from rosearch.config.experiment import Experiment
    from rosearch.records.run_directory import RunDirectory
    from rosearch.run.check import Looked
    from rosearch.run.own_data import OwnData
    from rosearch.run.results import Results


def search(
    experiment: OptionalExperiment = None,
    train_file: TrainFile = None,
    validation_file: ValidationFile = None,
    test_file: TestFile = None,
    text: TextColumns = None,
    label: LabelColumn = None,
    teacher: OwnTeacher = None,
    override: Override = None,
    data_root: DataRoot = None,
    runs: Annotated[Path, typer.Option(help="Where run folders go; teachers and tokens are cached below it.")] = Path(
        "runs"
    ),
    records: RecordsFolder = None,
    as_json: Json = False,
) -> None:
    """Launch a search, print its front.

    Everything is recorded; Ctrl-C or a crash loses nothing.
    """
    from rosearch.records.lock import require_folder, require_local

    require_folder(runs, "--runs")
    if records is not None:
        require_folder(records, "--records")
    require_local(records or runs)
    looked = _look_at_own(
        experiment, own_data(train_file, validation_file, test_file, text, label, teacher), override, data_root
    )
    from rosearch.records.run_directory import RunDirectory  # late: what is wrong is told before more is loaded
    from rosearch.terminal.console import err, print_line
    from rosearch.terminal.progress import SearchDisplay

    with SearchDisplay(err) as display:
        path = experiment or Path(looked.experiment.name)
        completed, found = _check(looked, path, override or (), display.progress)
        if "derived" in found:
            print_line(f"derived: {found['derived']}", err)
        if "doubts" in found:
            print_line(f"warning: {found['doubts']}", err)
    _drive(RunDirectory.create(runs, completed, records), as_json)


def _look_at_own(experiment: Path | None, own: OwnData, override: list[str] | None, data_root: Path | None) -> Looked:
    """The named experiment with the user's own data and teacher, looked at; a first one, where none is named."""
    from rosearch.run.check import Looked, look_at

    if experiment is None:
        return Looked(load_own(None, own, override or (), data_root))
    own.require(False, not own.given)
    return look_at(experiment, own.overrides(override or ()), data_root)


def resume(
    run: RunFolder,
    hours: Annotated[
        float | None, typer.Option(help="Hours in all, in place of evolution.hours, which have ended it.", min=0)
    ] = None,
    records: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Move the records there first: a folder on a disk of this machine."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Finish a run that was stopped or killed.

    Its budget and settings are those it was started with, but for the hours.
    """
    if hours is not None and not isfinite(hours):
        raise typer.BadParameter(f"expected a number of hours, got {hours}", param_hint="--hours")
    from rosearch.records.beginning import refuse_changes
    from rosearch.records.lock import require_folder
    from rosearch.records.run_directory import RunDirectory

    found = RunDirectory.open(run)
    if records is not None:
        require_folder(records, "--records")
        found.move_records(records)
    found.require_local()
    with found.lock(), found.open_store() as store:  # what is wrong is told before torch is loaded
        refuse_changes(store, found.experiment_file, found.search_space)
    _drive(found, as_json, hours)


def check(
    experiment: ExperimentFile, override: Override = None, data_root: DataRoot = None, as_json: Json = False
) -> None:
    """Check an experiment without running it.

    All that is wrong is told at once: keys, names, space, data, teacher, device, attacks; each with its line.
    """
    from rosearch.run.check import estimate_time, look_at

    looked = look_at(experiment, override or (), data_root)
    from rosearch.terminal.console import print_json, print_line  # late: what is wrong is told before more is loaded
    from rosearch.terminal.progress import loading

    with loading("checking the experiment"):
        completed, found = _check(looked, experiment, override or (), silent)
        found |= estimate_time(completed, looked.task)
    if as_json:
        print_json({"experiment": str(experiment), "ok": True, **found})
        return
    for name, what in found.items():
        print_line(f"{name}: {what}")
    again = ["rosearch", "search", str(experiment), *(["--data-root", str(data_root)] if data_root else [])]
    again += [part for text in override or () for part in ("-o", text)]
    state = "it would run; see the doubts first" if "doubts" in found else "all well"
    print_line(f"{experiment}: {state}. Next:\n  {shlex.join(again)}")


def _check(
    looked: Looked, path: Path, overrides: Sequence[str], progress: Progress
) -> tuple[Experiment, dict[str, str]]:
    """The experiment, complete, and what was found, in words."""
    from rosearch.run.check import check_all

    with step(progress, "loading libraries"):
        from rosearch.run import teacher  # noqa: F401 (torch)
    with step(progress, "checking data and teacher"):
        return check_all(looked, path, overrides)


def _drive(run: RunDirectory, as_json: bool, hours: float | None = None) -> None:
    from rosearch.report.summary import describe_run
    from rosearch.terminal.console import err, print_json, print_line
    from rosearch.terminal.progress import SearchDisplay
    from rosearch.terminal.run import print_results

    try:
        with SearchDisplay(err) as display:
            with step(display.progress, "loading libraries"):
                from rosearch.search import run_search
            results = run_search(run, display, hours=hours)
    except KeyboardInterrupt:
        print_line(f"Stopped; what was done is recorded. Go on with:\n  {run.resume_command}", err)
        raise
    if as_json:
        print_json(describe_run(results))
    else:
        print_results(results)
    _refuse_failures(results)


def _refuse_failures(results: Results) -> None:
    """Raises `SearchAborted` for a finished run that has nothing to show."""
    from rosearch.errors import SearchAborted

    for role in ("candidate", "finalist"):
        found = results.of(role)
        if found and all(record.status == "failed" for record in found):
            told = f"finished, but all {len(found)} {role}s failed, the last by {found[-1].failure}"
            raise SearchAborted(f"{results.run.path}: {told}")
