"""`rosearch recommend`: parse, call, print. What it does is in `recommendation`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

RECOMMEND_EXAMPLES = """Examples:

`rosearch recommend runs/kd_nas-0001 --latency-ms 5,10,20`

`rosearch recommend runs/kd_nas-0001 --latency-ms 8 --device cuda --json`"""


def recommend(
    run: Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")],
    latency_ms: Annotated[str, typer.Option(help="Budgets in milliseconds, parted by commas.", metavar="MS,MS,...")],
    device: Annotated[str, typer.Option(help="cpu or cuda: where the run was timed.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object in place of tables.")] = False,
) -> None:
    """Name the best architecture for each latency budget, from the records of a run, and draw the whole front."""
    from rosearch.records.run_directory import RunDirectory
    from rosearch.report.figures import draw_latency
    from rosearch.report.recommendation import describe, recommend, recommendations_table, timed_candidates
    from rosearch.report.tables import records_table
    from rosearch.run.results import load_results
    from rosearch.terminal.run import out

    budgets = _budgets(latency_ms)
    if device not in ("cpu", "cuda"):
        raise typer.BadParameter(f"expected cpu or cuda, got {device!r}", param_hint="--device")
    results = load_results(RunDirectory.open(run))
    found = recommend(results, budgets, device)
    timed = [record for record, _ in timed_candidates(results, device)]
    teacher = results.teacher.latency_ms if results.teacher is not None else None
    named = [one.record.id for one in found if one.record is not None]
    path = draw_latency(records_table(timed), results.run.tables / "latency.png", budgets, named, teacher)
    if as_json:
        out.print_json(json.dumps({"recommendations": [describe(one) for one in found], "figure": str(path)}))
        return
    out.print(recommendations_table(results, found))
    out.print(f"The front: {path}", highlight=False, soft_wrap=True)
    for identity in dict.fromkeys(named):
        out.print(f"  rosearch show {run} {identity[:8]}", highlight=False, soft_wrap=True)


def _budgets(text: str) -> list[float]:
    try:
        budgets = [float(part) for part in text.split(",")]
    except ValueError:
        budgets = []
    if not budgets or not all(0 < budget < float("inf") for budget in budgets):
        expected = "milliseconds above 0, parted by commas, as in 5,10,20"
        raise typer.BadParameter(f"expected {expected}, got {text!r}", param_hint="--latency-ms")
    return sorted(set(budgets))
