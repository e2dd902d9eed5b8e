"""`rosearch status`, `show` and `export`: parse, call, print."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rosearch.cli.formats import (
    GateAttacks,
    GateOptions,
    GateRows,
    GateSplit,
    GateTask,
    Int8,
    finish,
)
from rosearch.cli.options import DataRoot, Json, ResourceFolder, RunFolder
from rosearch.cli.push import Public, Push, PushToHub, Yes
from rosearch.cli.whole_run import export_whole, print_graph
from rosearch.progress import step

if TYPE_CHECKING:
    from rosearch.export.formats import Format
    from rosearch.records.record import Record
    from rosearch.run.results import Results


def status(
    run: RunFolder,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until the run ends or Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """Show a run's progress, its failures and its best students.

    It works while the run goes on.
    """
    if watch and as_json:
        raise typer.BadParameter("give either --watch or --json")
    results = _watched(run) if watch else results_of(run)
    from rosearch.report.summary import describe_run
    from rosearch.terminal.console import print_json
    from rosearch.terminal.run import print_status

    if as_json:
        print_json(describe_run(results))
    else:
        print_status(results)


def show(
    run: RunFolder,
    record: Annotated[str, typer.Argument(help="Number, first letters (6 or more) of an id, or a baseline's name.")],
    graph: Annotated[
        str | None, typer.Option("--format", help="Its graph alone, for other programs: graphml, dot.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show everything about one candidate.

    Measurements with intervals, what each attack broke, parents and children, and the architecture, drawn.
    """
    if graph is not None:
        print_graph(results_of(run).find(record), graph, as_json)
        return
    results = results_of(run)
    from rosearch.report.summary import describe_record
    from rosearch.terminal.console import print_json
    from rosearch.terminal.run import print_record

    found = results.find(record)
    if as_json:
        print_json(describe_record(results, found))
    else:
        print_record(results, found)


def export(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder of a run; or of an export, which gets further formats.")
    ],
    record: Annotated[
        str | None, typer.Argument(help="Which: number, first letters (6 or more) of an id, or a baseline's name.")
    ] = None,
    best: Annotated[bool, typer.Option("--best", help="The candidate that is best by --by.")] = False,
    by: Annotated[str | None, typer.Option(help="fitness, robustness or accuracy; default: fitness.")] = None,
    knee: Annotated[
        bool, typer.Option("--knee", help="The front's candidate that is nearest to the best of all terms.")
    ] = False,
    where: Annotated[
        str, typer.Option(help="Only those: 'latency_ms<5 and accuracy>0.85', of columns of the run's tables.")
    ] = "",
    named: Annotated[str | None, typer.Option("--id", help="The same as RECORD.")] = None,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="First train it again: full budget, fresh seeds, figures of test rows.")
    ] = False,
    to: Annotated[Path | None, typer.Option(help="The new folder; default: RUN/export/ID.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the folder if it exists.")] = False,
    target: Annotated[
        str,
        typer.Option(
            help="hf is the folder; inside it, with commas: onnx, openvino, transformersjs, torch_export, fp16, int8."
        ),
    ] = "hf",
    task: GateTask = None,
    attack: GateAttacks = "",
    n: GateRows = None,
    split: GateSplit = "test",
    data_root: DataRoot = None,
    resources: ResourceFolder = None,
    int8: Int8 = "gates",
    push_to_hub: PushToHub = None,
    public: Public = False,
    yes: Yes = False,
    whole: Annotated[
        str | None,
        typer.Option("--format", help="The whole run in place of a student, as the file --to: optuna, parquet."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a student as a Hugging Face folder.

    Plain transformers loads it, without rosearch. Where finalists were retrained, the weights are those of the first
    retraining. Other formats lie in folders of their own inside it; each is held against torch before it is written.
    `--retrain` does so for the one that is chosen: test rows, and an attack that the search never used.
    int8 is measured beside float32 on the rows of --task (of a run: its own), and written only through its gates.
    With --format, all records of the run become one file: a study that optuna-dashboard opens, or a table.
    """
    from rosearch.export.formats import formats_of

    gates = GateOptions(task, attack, n, split, data_root, resources, int8)

    formats = formats_of(target)
    gates.refuse_unused(formats)
    for one in formats:
        one.require()
    push = Push.asked(push_to_hub, public, yes, as_json)
    asked = [*filter(None, (record, named)), *(["--best"] if best else []), *(["--knee"] if knee else [])]
    if whole is not None:
        if asked or by or where or formats or retrain or push:
            told = "it takes the whole run: name no student, no --target, --retrain or --push-to-hub"
            raise typer.BadParameter(told, param_hint="--format")
        export_whole(run, whole, to, overwrite, as_json)
        return
    if (run / "config.json").is_file():
        if asked or by or where or retrain or to is not None or not (formats or push):
            raise typer.BadParameter("an exported folder takes further formats alone: --target onnx,int8")
        gates.require(formats)
        finish(run, formats, gates, push, as_json, {"folder": str(run)})
        return
    wished = best or knee or by is not None or bool(where)
    if len(asked) > 1 or not (asked or wished):
        raise typer.BadParameter("name one student: --best, or a RECORD such as 3")
    if (wished and (record or named)) or (knee and by is not None):
        raise typer.BadParameter("--by goes with --best, and --where with --best or --knee")
    results = results_of(run)
    found = _choose(results, by or "fitness", knee, where, as_json) if wished else results.find(asked[0])
    if retrain:
        results = _retrain(results, found, as_json)
    chosen = results.retrained(found)
    gates = gates.of_run(results)
    gates.require(formats)
    _export(results, chosen, to or results.run.export_folder(chosen), overwrite, formats, gates, push, as_json)


def _choose(results: Results, by: str, knee: bool, where: str, as_json: bool) -> Record:
    """The candidate that is asked for; on the terminal with what it was chosen by, but for the plain best."""
    from rosearch.report.choice import Wish, choose
    from rosearch.terminal.console import print_line

    choice = choose(results, Wish(by, knee, where))
    if not as_json and (knee or where or by != "fitness"):
        among = f"{choice.among} candidate{'s' if choice.among > 1 else ''}"
        print_line(f"Chosen by {choice.by} among {among}: #{choice.record.number} {choice.record.id[:8]}")
    return choice.record


def _retrain(results: Results, found: Record, as_json: bool) -> Results:
    """Trains the pick again as a finalist, unless it is one; on the terminal with its figures on the test rows."""
    from rosearch.report.overview import retrained_table
    from rosearch.terminal.console import err, print_table
    from rosearch.terminal.progress import SearchDisplay

    with SearchDisplay(err) as display:
        with step(display.progress, "loading libraries"):
            from rosearch.search import retrain
        results = retrain(results.run, found.number, display)
    if not as_json:
        print_table(retrained_table(results, found.id))
    return results


def _export(
    results: Results,
    chosen: Record,
    folder: Path,
    overwrite: bool,
    formats: Sequence[Format],
    gates: GateOptions,
    push: Push | None,
    as_json: bool,
) -> None:
    from rosearch.export.destination import check_destination

    check_destination(folder, overwrite)  # before torch is loaded
    from rosearch.export.record import export_record, missed_gates
    from rosearch.report.layers import lay_out
    from rosearch.report.plotting import graph_png
    from rosearch.terminal.console import print_message
    from rosearch.terminal.run import print_export

    folder = export_record(results, chosen, folder, overwrite, graph_png(lay_out(chosen.genotype)))
    if as_json:
        missed = results.fitness[chosen.number].gates
        facts = {"id": chosen.id, "folder": str(folder), "gates_missed": list(missed), "role": chosen.role}
        finish(folder, formats, gates, push, True, facts)
        return
    auto = "AutoModel" if results.experiment.task is None else "AutoModelForSequenceClassification"
    print_export(folder, chosen, auto)
    for note in missed_gates(results, chosen):
        print_message("warning", "yellow", note)
    finish(folder, formats, gates, push, False, {})


def _watched(run: Path) -> Results:
    """The results at the end of a run that is watched until then."""
    from rosearch.records.run_directory import RunDirectory
    from rosearch.terminal.watch import watch

    return watch(RunDirectory.open(run))


def results_of(run: Path) -> Results:
    """The results of a run. Modules that load leave no garbage; to look for it would take a third of `status`."""
    gc.disable()
    try:
        from rosearch.run.results import open_results

        return open_results(run)
    finally:
        gc.freeze()  # what is loaded stays to the end of the program
        gc.enable()


def say_unwritten(what: str, results: Results) -> None:
    """Warns that a run's folder is read-only, so that something was not written."""
    from rosearch.terminal.console import print_message

    print_message("warning", "yellow", f"{results.run.tables} is read-only; not written: {what}")
