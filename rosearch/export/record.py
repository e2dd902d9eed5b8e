"""The student of a record leaves its run, with the facts of its model card."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from rosearch.config.experiment import Experiment
from rosearch.errors import RunError
from rosearch.export.card import CardFacts
from rosearch.records.record import Record
from rosearch.run.results import Results


def _purpose(experiment: Experiment) -> dict[str, Any]:
    """What a card says of the task, or of the corpus where there is none."""
    task, corpus = experiment.task, experiment.corpus
    if task is not None:
        return {
            "task": task.name,
            "problem": task.problem,
            "labels": tuple(task.labels),
            "texts": 2 if len(task.text) == 2 else 1,
            "max_length": task.max_length,
        }
    assert corpus is not None
    names = ", ".join(
        source.hub or Path(str(source.path)).name for source in corpus.sources
    )  # no folders of this machine
    return {"task": names, "problem": "encoder", "labels": (), "texts": 1, "max_length": corpus.block_length}


def export_record(results: Results, record: Record, destination: Path, overwrite: bool) -> Path:
    """Write the student of a record as a Hugging Face folder. Raises `RunError` where its weights were not kept."""
    from rosearch.export.targets.huggingface import export_student

    weights, found = results.run.student_folder(record), record.measurements
    if found is None or not weights.is_dir():
        raise RunError(
            f"{results.run.path}: expected the weights of {record.id[:8]}, got none: only the front, the best, "
            "the baselines and the finalists are kept (execution.keep_students: all keeps every one)"
        )
    facts = CardFacts(
        name=f"{results.experiment.name}-{record.id[:8]}",
        **_purpose(results.experiment),
        genotype=record.genotype,
        measurements=found,
        teacher=Path(results.experiment.teacher.model).name,  # a card is public: no folders of this machine
        run=results.run.path.name,
        date=datetime.date.today().isoformat(),
        split="test" if record.role == "finalist" else "validation",
        candidates=len(results.measured("candidate")) if record.role == "candidate" else 0,
    )
    own = (weights / "tokenizer_config.json").is_file()  # of a student with a robust encoding
    tokenizer = weights if own else results.run.tokenizer
    return export_student(weights, tokenizer, destination, facts, overwrite=overwrite)
