"""The output of commands about a run: its status, its end, one record, its statistics."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from rosearch.records.record import Record
from rosearch.report.course import course_lines
from rosearch.report.data import Table
from rosearch.report.details import record_tables
from rosearch.report.kin import broken_table, kin_table
from rosearch.report.overview import (
    explanation,
    finalists_table,
    predictions_table,
    ranked_table,
    results_table,
    rungs_line,
    seconds_line,
)
from rosearch.report.sketch import sketch
from rosearch.report.summary import counts
from rosearch.report.verdicts import verdicts
from rosearch.run.hours import stop_in_words
from rosearch.run.results import Results
from rosearch.terminal.console import out, print_line, print_prose, print_table

_MOST = 50  # candidates that the status lists


def print_status(results: Results) -> None:
    """The progress of a run, its failures, and all that is measured so far."""
    evolution, state = results.experiment.evolution, results.state
    names = {"running": "cut off"} if state == "interrupted" else {}
    told = ", ".join(f"{count} {names.get(name, name)}" for name, count in counts(results).items())
    ended = "; finished" if results.finished else ""
    budget = f"{evolution.candidates} candidates" + ("" if results.hours is None else f" or {results.hours:g} hours")
    print_line(f"{results.run.path}: {told}; budget {budget}, strategy {evolution.strategy}{ended}")
    if ended := stop_in_words(results):
        print_line(ended)
    if not results.finished:
        for line in course_lines(results, time.time()):
            print_line(line)
    if state == "interrupted":
        print_line(f"Interrupted: no process works on it. Go on with:\n  {results.run.resume_command}")
    for record in results.failures:
        print_line(f"  #{record.number} {record.id[:8]} failed: {record.failure}")
    if results.teacher is not None or results.counts["candidate", "done"]:
        print_table(ranked_table(results, _MOST))
    if baselines := results.measured("baseline"):
        print_table(results_table("Baselines", results, baselines))
    if results.measured("finalist"):
        print_table(finalists_table(results))
    if episodes := results.predictions:
        print_table(predictions_table(episodes))
    _print_teacher(results)
    print_prose(*verdicts(results), *_time(results))


def _time(results: Results) -> list[str]:
    """A sentence of the students that were stopped early, and one of the workers' time; none where there is none."""
    line = seconds_line(results)
    return [*filter(None, (rungs_line(results),)), *([f"Time: {line}"] if line else [])]


def _print_teacher(results: Results) -> None:
    """The folder of a teacher that was fine-tuned."""
    if results.teacher is not None and results.teacher.folder:
        print_line(f"Teacher: {results.run.path.parent / '.cache' / results.teacher.folder}")


def print_results(results: Results) -> None:
    """The end of a search: the front, the baselines, the finalists, and the commands that come next."""
    path, front = results.run.path, results.front
    named = shlex.quote(str(path))
    print_table(results_table("Front (validation rows)", results, front, teacher=results.teacher))
    if baselines := results.measured("baseline"):
        print_table(results_table("Baselines (named architectures, same distillation)", results, baselines))
    if results.measured("finalist"):
        print_table(finalists_table(results))
    if not front:
        tried = any(record.status in ("done", "failed") for record in results.of("candidate"))
        missed = ": `rosearch status` names those that were missed" if tried else ""
        told = "No candidate passed the gates" if tried else "No candidate was tried"
        out.print(Text.assemble((told, "yellow"), missed))
    if ended := stop_in_words(results):
        print_line(ended)
    print_prose(*verdicts(results))
    print_prose(explanation(results), style="dim")
    print_prose(*_time(results))
    _print_teacher(results)
    failed = sum(record.status == "failed" for record in results.records)
    counted = f"{len(results.of('candidate'))} candidates, {failed} failed. The run: "
    out.print(Text.assemble(counted, (str(path), "bold")), soft_wrap=True)
    print_line(f"Next:\n  rosearch stats {named}")
    if front:
        print_line(f"  rosearch show {named} {front[0].number}\n  rosearch export {named} --best")


def print_record(results: Results, record: Record) -> None:
    """One record, for reading: its figures, its kin, its architecture as a table and drawn."""
    *measured, architecture = record_tables(results, record)
    found = record.measurements
    attacks = () if found is None else found.attacks or filter(None, (found.robustness,))
    for table in (*measured, broken_table(list(attacks)), kin_table(results, record), architecture):
        if table.rows:
            print_table(table)
    plain = not (out.is_terminal and out.encoding.startswith("utf"))  # of a pipe nobody knows what reads it
    for line in sketch(record.genotype, plain=plain):
        print_line(line)


def print_statistics(tables: Sequence[Table], paths: Sequence[Path]) -> None:
    """Each student against the best, then the statistics of architectures, then the files that were written."""
    for table in tables:
        print_table(table)
    print_line("Many features are compared at once: trust Holm's p, and pool several seeds: rosearch stats RUN RUN.")
    for line in ("Written:", *(f"  {path}" for path in paths)) if paths else ():
        print_line(line)


def print_export(folder: Path, record: Record, auto: str) -> None:
    """The folder of an exported student, and the lines of Python that load it with `auto`, a class of transformers."""
    exported = Text.assemble(f"Exported {record.id[:8]} to ", (str(folder), "bold"), ". Load it with:")
    out.print(exported, soft_wrap=True)
    for kind in ("AutoTokenizer", auto):
        print_line(f"  {kind}.from_pretrained({str(folder)!r}, trust_remote_code=True)")


def print_recommendations(table: Table, figure: Path | None, run: Path, numbers: Sequence[int]) -> None:
    """The best within each budget, the figure of the front, and how to see each of them in full."""
    print_table(table)
    if figure is not None:
        print_line(f"The front: {figure}")
    for number in dict.fromkeys(numbers):
        print_line(f"  rosearch show {shlex.quote(str(run))} {number}")
