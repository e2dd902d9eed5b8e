"""Exports the student of a record, with the facts of its model card."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from rosearch.config.experiment import Experiment
from rosearch.errors import RunError
from rosearch.export.card_facts import CardFacts
from rosearch.export.destination import PICTURE
from rosearch.records.record import Record
from rosearch.run.results import Results


def _purpose(experiment: Experiment) -> dict[str, Any]:
    """The card's facts about the task, or about the corpus if there is no task."""
    task, corpus = experiment.task, experiment.corpus
    if task is not None:
        return {
            "task": task.name,
            "problem": task.problem,
            "labels": tuple(task.labels),
            "texts": 2 if len(task.text) == 2 else 1,
            "max_length": task.length,
        }
    assert corpus is not None
    # Names only: a card is public and shows no folders of this machine.
    names = ", ".join(source.hub or Path(str(source.path)).name for source in corpus.sources)
    return {"task": names, "problem": "encoder", "labels": (), "texts": 1, "max_length": corpus.block_length}


def missed_gates(results: Results, record: Record) -> tuple[str, ...]:
    """In words, the gates of the search that a record misses; nothing where it misses none.

    A finalist may: its seed is another, and it is measured on other rows than the candidate that it retrains.
    """
    gates = results.fitness[record.number].gates if record.number in results.fitness else ()
    return (f"it misses a gate of the search: {', '.join(gates)}",) if gates else ()


def export_record(
    results: Results, record: Record, destination: Path, overwrite: bool, picture: bytes | None = None
) -> Path:
    """Writes the student of a record as a Hugging Face folder; returns its path. `picture` shows its graph (PNG).

    Raises `RunError` if its weights were not kept, `BadInput` if they are damaged.
    """
    from rosearch.export.targets import TARGETS

    weights, found = results.run.student_folder(record), record.measurements
    if found is None or not weights.is_dir():
        raise RunError(
            f"{results.run.path}: expected the weights of {record.id[:8]}, got none: only the front, the best, "
            "the baselines and the finalists are kept (execution.keep_students: all keeps every one)"
        )
    results.run.require_undamaged(record)
    facts = CardFacts(
        name=f"{results.experiment.name}-{record.id[:8]}",
        **_purpose(results.experiment),
        genotype=record.genotype,
        measurements=found,
        teacher=Path(results.experiment.teacher.name).name,
        called=results.experiment.teacher.called,
        run=results.run.path.name,
        date=datetime.date.today().isoformat(),
        split="test" if record.role == "finalist" else "validation",
        notes=(*(results.teacher.notes if results.teacher is not None else ()), *missed_gates(results, record)),
        candidates=len(results.measured("candidate")) if record.role == "candidate" else 0,
        hours=sum(results.seconds.values()) / 3600,
    )
    own = (weights / "tokenizer_config.json").is_file()  # a student with a robust encoding has its own tokenizer
    tokenizer = weights if own else results.run.tokenizer
    more = {} if picture is None else {PICTURE: picture}
    return TARGETS["hf"](weights, tokenizer, destination, facts, overwrite=overwrite, more=more)
