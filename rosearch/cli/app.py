"""The command line: parse, call, print. No logic of its own.

Exit codes: 0 done, 1 anything else, 2 a misused command, 3 bad input (every problem is listed), 4 a missing hub,
dataset, teacher, package or GPU, 5 a run that cannot be used as asked, 6 a search stopped by its circuit
breaker, 130 Ctrl-C.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rosearch.cli.attack import ATTACK_EXAMPLES, attack, attack_resources
from rosearch.cli.distil import DISTIL_EXAMPLES, distil
from rosearch.cli.recommend import RECOMMEND_EXAMPLES, recommend
from rosearch.config.file import load_experiment
from rosearch.errors import BadInput, RosearchError
from rosearch.records.record import Role
from rosearch.records.run_directory import RunDirectory
from rosearch.report.description import describe_record, describe_run
from rosearch.report.words import predictions_table
from rosearch.run.results import load_results
from rosearch.terminal.progress import SearchDisplay
from rosearch.terminal.run import (
    err,
    out,
    print_comparisons,
    print_record,
    print_results,
    print_statistics,
    seconds_line,
)
from rosearch.terminal.table import results_table


class _Commands(TyperGroup):
    """`attack resources` is a command of its own beside `attack MODEL`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        first = " ".join(args[:2])
        return super().resolve_command(ctx, [first, *args[2:]] if first == "attack resources" else args)


app = typer.Typer(
    cls=_Commands,
    help="Search for small students of BERT that are robust, accurate and cheap. Start with: "
    "`rosearch search experiments/quickstart.yaml`.",
    epilog="Exit codes: 0 done, 1 a model or a training failed, 2 misused command, 3 bad input, "
    "4 something missing (hub, data, teacher, GPU), 5 run cannot be used as asked, "
    "6 stopped because candidates all fail alike, 130 Ctrl-C.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

ExperimentFile = Annotated[Path, typer.Argument(help="An experiment file, such as experiments/quickstart.yaml.")]
RunFolder = Annotated[Path, typer.Argument(help="The folder of a run, such as runs/quickstart-0001.")]
Override = Annotated[
    list[str] | None,
    typer.Option("--override", "-o", help="Change a key: -o evolution.candidates=50. Repeatable."),
]
DataRoot = Annotated[
    Path | None,
    typer.Option("--data-root", envvar="ROSEARCH_DATA", help="Read task.local.folder below this, not the hub."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object in place of tables.")]


@app.command()
def search(
    experiment: ExperimentFile,
    override: Override = None,
    data_root: DataRoot = None,
    runs: Annotated[Path, typer.Option(help="Where run folders go; teachers and tokens are cached below it.")] = Path(
        "runs"
    ),
    as_json: Json = False,
) -> None:
    """Launch a search and print its front. Everything is recorded; Ctrl-C or a crash loses nothing."""
    from rosearch.run.check import check_experiment, check_resources

    loaded = load_experiment(experiment, tuple(override or ()), data_root)
    check_experiment(loaded, str(experiment))
    check_resources(loaded)
    _drive(RunDirectory.create(runs, loaded), as_json)


@app.command()
def resume(run: RunFolder, as_json: Json = False) -> None:
    """Finish a run that was stopped or killed. Its budget and settings are those it was started with."""
    _drive(RunDirectory.open(run), as_json)


@app.command()
def status(run: RunFolder, as_json: Json = False) -> None:
    """How far a run is, its failures and its front; works while it runs."""
    results = load_results(RunDirectory.open(run))
    summary = describe_run(results)
    if as_json:
        _print_json(summary)
        return
    counts = ", ".join(f"{count} {name}" for name, count in summary["counts"].items())
    out.print(
        f"{run}: {counts}; budget {summary['budget']} candidates, strategy {results.experiment.evolution.strategy}"
    )
    for record in results.records:
        if record.failure is not None:
            out.print(f"  #{record.number} {record.id[:8]} failed: {record.failure}", markup=False, soft_wrap=True)
    done = sorted(
        (r for r in results.of("candidate") if r.number in results.fitness),
        key=lambda r: -results.fitness[r.number].scalar,
    )
    out.print(results_table("Candidates so far, by fitness", results, done, teacher=True))
    roles: tuple[tuple[str, Role], ...] = (
        ("Baselines", "baseline"),
        ("Finalists (fresh seeds, test split)", "finalist"),
    )
    for title, role in roles:
        if found := results.measured(role):
            out.print(results_table(title, results, found))
    if episodes := results.predictions:
        out.print(predictions_table(episodes))
    out.print(f"Time: {seconds_line(results)}", highlight=False)


@app.command()
def show(
    run: RunFolder,
    record: Annotated[str, typer.Argument(help="The first letters of an id, or a baseline's name.")],
    as_json: Json = False,
) -> None:
    """Everything about one candidate: architecture, measurements with intervals, parents, seconds per stage."""
    results = load_results(RunDirectory.open(run))
    found = results.find(record)
    if as_json:
        _print_json(describe_record(results, found))
    else:
        print_record(results, found)


@app.command()
def stats(run: RunFolder, as_json: Json = False) -> None:
    """Which features go with robustness and accuracy, who beats the best; writes tables and figures into the run."""
    from rosearch.report.evidence import write_comparisons, write_statistics

    results = load_results(RunDirectory.open(run))
    statistics, paths = write_statistics(results)
    comparisons, more = write_comparisons(results)
    paths += more
    if as_json:
        _print_json(
            {
                "statistics": json.loads(statistics.to_json(orient="records")),
                "comparisons": json.loads(comparisons.to_json(orient="records")),
                "files": [str(path) for path in paths],
            }
        )
    else:
        print_comparisons(comparisons)
        print_statistics(statistics, paths)


@app.command()
def export(
    run: RunFolder,
    best: Annotated[bool, typer.Option("--best", help="The candidate of highest fitness.")] = False,
    record: Annotated[
        str | None, typer.Option("--id", help="Another one, by the first letters of its id or its name.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="The new folder; default: RUN/export/ID.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the folder if it exists.")] = False,
    as_json: Json = False,
) -> None:
    """Write a student as a Hugging Face folder that plain transformers loads, without rosearch.

    Where finalists were retrained, the weights are those of the first retraining.
    """
    from rosearch.export.record import export_record

    if best == (record is not None):
        raise typer.BadParameter("give either --best or --id ID")
    results = load_results(RunDirectory.open(run))
    chosen = results.best() if record is None else results.find(record)
    chosen = results.retrained(chosen)
    folder = export_record(results, chosen, to or run / "export" / chosen.id, overwrite)
    if as_json:
        _print_json({"id": chosen.id, "folder": str(folder)})
        return
    auto = "AutoModel" if results.experiment.task is None else "AutoModelForSequenceClassification"
    out.print(f"Exported {chosen.id[:8]} to [bold]{folder}[/]. Load it with:", highlight=False, soft_wrap=True)
    for kind in ("AutoTokenizer", auto):
        line = f"  {kind}.from_pretrained({str(folder)!r}, trust_remote_code=True)"
        out.print(line, highlight=False, markup=False, soft_wrap=True)


@app.command()
def check(
    experiment: ExperimentFile, override: Override = None, data_root: DataRoot = None, as_json: Json = False
) -> None:
    """Check an experiment without running it: every key, the space, names, data, teacher and device."""
    from rosearch.run.check import check_experiment, check_resources

    loaded = load_experiment(experiment, tuple(override or ()), data_root)
    check_experiment(loaded, str(experiment))
    found = check_resources(loaded)
    if as_json:
        _print_json({"experiment": str(experiment), "ok": True, **found})
        return
    for name, what in found.items():
        out.print(f"{name}: {what}", highlight=False, markup=False, soft_wrap=True)
    again = ["rosearch", "search", str(experiment), *(["--data-root", str(data_root)] if data_root else [])]
    again += [part for text in override or () for part in ("-o", text)]
    out.print(f"{experiment}: all well. Next:\n  {shlex.join(again)}", highlight=False, markup=False, soft_wrap=True)


app.command("distil", epilog=DISTIL_EXAMPLES)(distil)
app.command("recommend", epilog=RECOMMEND_EXAMPLES)(recommend)
app.command("attack", epilog=ATTACK_EXAMPLES)(attack)
app.command("attack resources")(attack_resources)


def _drive(run: RunDirectory, as_json: bool) -> None:
    from rosearch.search import run_search

    try:
        with SearchDisplay(err) as display:
            results = run_search(run, display)
    except KeyboardInterrupt:
        err.print(
            f"Stopped; what was done is recorded. Go on with:\n  rosearch resume {run.path}",
            highlight=False,
            soft_wrap=True,
        )
        raise
    if as_json:
        _print_json(describe_run(results))
    else:
        print_results(results)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, allow_nan=False))


def main() -> None:
    """The program `rosearch`: every error of ours becomes one clear line and its exit code."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Threads that spin while they wait make a busy machine many times slower; must be set before torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A Ctrl-C that meets it while it gives back a connection, it would tell with a traceback; we tell it in one line.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    try:
        app()
    except BadInput as error:
        for problem in error.problems:
            err.print(f"[red]error[/] {_escaped(str(problem))}", highlight=False, soft_wrap=True)
        raise SystemExit(error.exit_code) from None
    except RosearchError as error:
        err.print(f"[red]error[/] {_escaped(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(error.exit_code) from None
    except OSError as error:  # a full disk, a folder that may not be written
        err.print(f"[red]error[/] {_escaped(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(RosearchError.exit_code) from None


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
