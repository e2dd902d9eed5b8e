"""`rosearch status`, `show`, `stats`, `recommend` and `export`: parse, call, print."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rosearch.cli.options import Json, RunFolder
from rosearch.cli.whole_run import export_whole, print_graph

if TYPE_CHECKING:
    from rosearch.export.formats import Format
    from rosearch.records.record import Record
    from rosearch.run.results import Results

RECOMMEND_EXAMPLES = """Examples:

`rosearch recommend runs/kd_nas-0001 --latency-ms 5,10,20`

`rosearch recommend runs/kd_nas-0001 --latency-ms 8 --device cuda --json`"""


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
    results = _watched(run) if watch else _results(run)
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
        print_graph(_results(run).find(record), graph, as_json)
        return
    results = _results(run)
    from rosearch.report.summary import describe_record
    from rosearch.terminal.console import print_json
    from rosearch.terminal.run import print_record

    found = results.find(record)
    if as_json:
        print_json(describe_record(results, found))
    else:
        print_record(results, found)


def stats(run: RunFolder, as_json: Json = False) -> None:
    """Correlate features, compare students.

    Rank correlations of architecture features with robustness and accuracy, and each student against the best, row by
    row. Tables and figures are written into the run.
    """
    from rosearch.terminal.progress import loading

    with loading():
        from rosearch.report.comparisons import comparison_tables, comparison_verdicts
        from rosearch.report.run_files import write_comparisons, write_statistics
        from rosearch.report.statistics import statistics_tables, statistics_verdicts
        from rosearch.terminal.console import print_json
        from rosearch.terminal.run import print_statistics

    results = _results(run)
    statistics, paths = write_statistics(results)
    comparisons, more = write_comparisons(results)
    if not (paths and more):
        _say_unwritten("tables and figures", results)
    paths += more
    if as_json:
        print_json(
            {
                "statistics": json.loads(statistics.to_json(orient="records")),
                "comparisons": json.loads(comparisons.to_json(orient="records")),
                "verdicts": [*comparison_verdicts(comparisons), *statistics_verdicts(statistics)],
                "files": [str(path) for path in paths],
            }
        )
    else:
        print_statistics(comparison_tables(comparisons), statistics_tables(statistics), paths)


def recommend(
    run: RunFolder,
    latency_ms: Annotated[str, typer.Option(help="Budgets in milliseconds, parted by commas.", metavar="MS,MS,...")],
    device: Annotated[str, typer.Option(help="cpu or cuda: where the run was timed.")] = "cpu",
    as_json: Json = False,
) -> None:
    """Name the best architecture for each latency budget.

    It comes from the records of a run; the whole front is drawn.
    """
    from rosearch.report.figures import draw_latency
    from rosearch.report.recommendation import (
        describe,
        recommend,
        recommendation_verdicts,
        recommendations_table,
        timed_candidates,
    )
    from rosearch.report.run_files import where_allowed
    from rosearch.report.tables import records_table
    from rosearch.terminal.console import print_json
    from rosearch.terminal.run import print_recommendations

    budgets = _budgets(latency_ms)
    if device not in ("cpu", "cuda"):
        raise typer.BadParameter(f"expected cpu or cuda, got {device!r}", param_hint="--device")
    results = _results(run)
    found = recommend(results, budgets, device)
    timed = [record for record, _ in timed_candidates(results, device)]
    teacher = results.teacher.latency_ms if results.teacher is not None else None
    chosen = [one.record for one in found if one.record is not None]
    named = [record.id for record in chosen]
    table, picture = records_table(timed), results.run.tables / "latency.png"
    drawn = where_allowed(lambda: [draw_latency(table, picture, budgets, named, teacher)])
    if not drawn:
        _say_unwritten("the figure", results)
    if as_json:
        described = [describe(one) for one in found]
        told = {"verdicts": recommendation_verdicts(found), "figure": str(picture) if drawn else None}
        print_json({"recommendations": described, **told})
    else:
        numbers = [record.number for record in chosen]
        print_recommendations(recommendations_table(results, found), picture if drawn else None, run, numbers)


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
    to: Annotated[Path | None, typer.Option(help="The new folder; default: RUN/export/ID.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the folder if it exists.")] = False,
    target: Annotated[
        str, typer.Option(help="hf is the folder; beside it, with commas: onnx, openvino (extras of those names).")
    ] = "hf",
    whole: Annotated[
        str | None,
        typer.Option("--format", help="The whole run in place of a student, as the file --to: optuna, parquet."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a student as a Hugging Face folder.

    Plain transformers loads it, without rosearch. Where finalists were retrained, the weights are those of the first
    retraining. Other formats lie in folders of their own inside it; each is held against torch before it is written.
    With --format, all records of the run become one file: a study that optuna-dashboard opens, or a table.
    """
    from rosearch.export.formats import formats_of

    formats = formats_of(target)
    for one in formats:
        one.require()
    asked = [*filter(None, (record, named)), *(["--best"] if best else []), *(["--knee"] if knee else [])]
    if whole is not None:
        if asked or by or where or formats:
            raise typer.BadParameter("it takes the whole run: name no student and no --target", param_hint="--format")
        export_whole(run, whole, to, overwrite, as_json)
        return
    if (run / "config.json").is_file():
        if asked or by or where or to is not None or not formats:
            raise typer.BadParameter("an exported folder takes further formats alone: --target onnx,openvino")
        _print_formats(run, formats, as_json, {"folder": str(run)})
        return
    wished = best or knee or by is not None or bool(where)
    if len(asked) > 1 or not (asked or wished):
        raise typer.BadParameter("name one student: --best, or a RECORD such as 3")
    if (wished and (record or named)) or (knee and by is not None):
        raise typer.BadParameter("--by goes with --best, and --where with --best or --knee")
    results = _results(run)
    found = _choose(results, by or "fitness", knee, where, as_json) if wished else results.find(asked[0])
    chosen = results.retrained(found)
    _export(results, chosen, to or results.run.export_folder(chosen), overwrite, formats, as_json)


def _choose(results: Results, by: str, knee: bool, where: str, as_json: bool) -> Record:
    """The candidate that is asked for; on the terminal with what it was chosen by, but for the plain best."""
    from rosearch.report.choice import Wish, choose
    from rosearch.terminal.console import print_line

    choice = choose(results, Wish(by, knee, where))
    if not as_json and (knee or where or by != "fitness"):
        among = f"{choice.among} candidate{'s' if choice.among > 1 else ''}"
        print_line(f"Chosen by {choice.by} among {among}: #{choice.record.number} {choice.record.id[:8]}")
    return choice.record


def _export(
    results: Results, chosen: Record, folder: Path, overwrite: bool, formats: Sequence[Format], as_json: bool
) -> None:
    from rosearch.export.destination import check_destination

    check_destination(folder, overwrite)  # before torch is loaded
    from rosearch.export.record import export_record, missed_gates
    from rosearch.terminal.console import print_message
    from rosearch.terminal.run import print_export

    folder = export_record(results, chosen, folder, overwrite)
    if as_json:
        gates = results.fitness[chosen.number].gates
        _print_formats(folder, formats, True, {"id": chosen.id, "folder": str(folder), "gates_missed": list(gates)})
        return
    auto = "AutoModel" if results.experiment.task is None else "AutoModelForSequenceClassification"
    print_export(folder, chosen, auto)
    _print_formats(folder, formats, False, {})
    for note in missed_gates(results, chosen):
        print_message("warning", "yellow", note)


def _print_formats(folder: Path, formats: Sequence[Format], as_json: bool, facts: Mapping[str, object]) -> None:
    """Writes the formats beside a folder, and prints where each lies; as JSON, behind the facts of the folder."""
    from rosearch.terminal.console import print_json, print_line

    written = {one.name: one.export(folder) for one in formats}
    told = {name: {"file": str(one.path), "apart": one.apart} for name, one in written.items()}
    if as_json:
        print_json({**facts, **({"formats": told} if told else {})})
        return
    for name, one in written.items():
        print_line(f"{name}: {one.path}; its logits differ from torch's by at most {one.apart:.0e} of the largest")


def _watched(run: Path) -> Results:
    """The results at the end of a run that is watched until then."""
    from rosearch.records.run_directory import RunDirectory
    from rosearch.terminal.watch import watch

    return watch(RunDirectory.open(run))


def _results(run: Path) -> Results:
    """The results of a run. Modules that load leave no garbage; to look for it would take a third of `status`."""
    gc.disable()
    try:
        from rosearch.run.results import open_results

        return open_results(run)
    finally:
        gc.freeze()  # what is loaded stays to the end of the program
        gc.enable()


def _say_unwritten(what: str, results: Results) -> None:
    from rosearch.terminal.console import print_message

    print_message("warning", "yellow", f"{results.run.tables} is read-only; not written: {what}")


def _budgets(text: str) -> list[float]:
    try:
        budgets = [float(part) for part in text.split(",")]
    except ValueError:
        budgets = []
    if not budgets or not all(0 < budget < float("inf") for budget in budgets):
        expected = "milliseconds above 0, parted by commas, as in 5,10,20"
        raise typer.BadParameter(f"expected {expected}, got {text!r}", param_hint="--latency-ms")
    return sorted(set(budgets))
