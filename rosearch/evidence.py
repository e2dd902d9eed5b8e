"""From the records of a run to what people take away: tables and figures of its statistics, an exported student."""

from __future__ import annotations

import datetime
from pathlib import Path

import pandas as pd

from rosearch.analysis.figures import draw_correlations, draw_front
from rosearch.analysis.statistics import feature_statistics
from rosearch.analysis.tables import Scored, records_table, write_tables
from rosearch.errors import RunError
from rosearch.evolution.fitness import score
from rosearch.export.card import CardFacts
from rosearch.records.measurements import Measurements
from rosearch.records.record import Record
from rosearch.results import Results


def candidates_table(results: Results) -> pd.DataFrame:
    """Every record of a run as a row, with its fitness."""
    teacher = results.teacher
    if teacher is None:
        return records_table(results.records)

    def scored(measurements: Measurements) -> Scored:
        return score(measurements, results.experiment.fitness, teacher.quality.value, teacher.latency_ms)

    return records_table(results.records, scored)


def write_statistics(results: Results) -> tuple[pd.DataFrame, tuple[Path, ...]]:
    """Correlate architecture features with robustness and accuracy; write tables and figures into the run.

    Returns the statistics and the paths written. Raises `RunError` where no candidate has been measured.
    """
    if not results.measured("candidate"):
        raise RunError(f"{results.run.path}: no candidate has been measured yet: there is nothing to correlate")
    candidates = candidates_table(results)
    statistics = feature_statistics(candidates, max_class_share=results.experiment.fitness.max_class_share)
    folder, name = results.run.tables, results.run.path.name
    tables = write_tables(folder, candidates, statistics)
    front = draw_front(candidates, folder / "front.png", title=name)
    correlations = draw_correlations(statistics, folder / "correlations.png", title=name)
    return statistics, (*tables, front, correlations)


def export_record(results: Results, record: Record, destination: Path, overwrite: bool) -> Path:
    """Write the student of a record as a Hugging Face folder. Raises `RunError` where its weights were not kept."""
    from rosearch.export.bundle import export_student

    weights, found = results.run.student_folder(record), record.measurements
    if found is None or not weights.is_dir():
        raise RunError(
            f"{results.run.path}: expected the weights of {record.id[:8]}, got none: only the front, the best, "
            "the baselines and the finalists are kept (execution.keep_students: all keeps every one)"
        )
    task = results.experiment.task
    facts = CardFacts(
        name=f"{results.experiment.name}-{record.id[:8]}",
        task=task.name,
        problem=task.problem,
        labels=tuple(task.labels),
        texts=2 if len(task.text) == 2 else 1,
        max_length=task.max_length,
        genotype=record.genotype,
        measurements=found,
        teacher=Path(results.experiment.teacher.model).name,  # a card is public: no folders of this machine
        run=results.run.path.name,
        date=datetime.date.today().isoformat(),
        split="test" if record.role == "finalist" else "validation",
        candidates=len(results.measured("candidate")) if record.role == "candidate" else 0,
    )
    return export_student(weights, results.run.tokenizer, destination, facts, overwrite=overwrite)
