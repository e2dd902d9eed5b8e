"""`rosearch recommend`: parse, call, print."""

from __future__ import annotations

from typing import Annotated

import typer

from rosearch.cli.options import Json, RunFolder
from rosearch.cli.run import results_of, say_unwritten

RECOMMEND_EXAMPLES = """Examples:

`rosearch recommend runs/kd_nas-0001 --latency-ms 5,10,20`

`rosearch recommend runs/kd_nas-0001 --latency-ms 8 --device cuda --json`"""


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
    results = results_of(run)
    found = recommend(results, budgets, device)
    timed = [record for record, _ in timed_candidates(results, device)]
    teacher = results.teacher.latency_ms if results.teacher is not None else None
    chosen = [one.record for one in found if one.record is not None]
    named = [record.id for record in chosen]
    table, picture = records_table(timed), results.run.tables / "latency.png"
    drawn = where_allowed(lambda: [draw_latency(table, picture, budgets, named, teacher)])
    if not drawn:
        say_unwritten("the figure", results)
    if as_json:
        described = [describe(one) for one in found]
        told = {"verdicts": recommendation_verdicts(found), "figure": str(picture) if drawn else None}
        print_json({"recommendations": described, **told})
    else:
        numbers = [record.number for record in chosen]
        print_recommendations(recommendations_table(results, found), picture if drawn else None, run, numbers)


def _budgets(text: str) -> list[float]:
    try:
        budgets = [float(part) for part in text.split(",")]
    except ValueError:
        budgets = []
    if not budgets or not all(0 < budget < float("inf") for budget in budgets):
        expected = "milliseconds above 0, parted by commas, as in 5,10,20"
        raise typer.BadParameter(f"expected {expected}, got {text!r}", param_hint="--latency-ms")
    return sorted(set(budgets))
