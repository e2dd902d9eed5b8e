"""Runs and records as JSON data; docs/json.md describes the keys."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic_core import to_jsonable_python

from rosearch.errors import RunError
from rosearch.measurements import Estimate, Robustness
from rosearch.records.record import Record
from rosearch.report.verdicts import verdicts
from rosearch.run.results import Results
from rosearch.run.standing import standing_data

_PLACE = ("number", "id", "name", "role", "generation", "replicate", "origin")  # fields of a record, as they are
_STATES = ("done", "failed", "running", "pending")


def describe_run(results: Results) -> dict[str, Any]:
    """Progress, failures, front, baselines and finalists."""
    return {
        "run": str(results.run.path),
        "experiment": results.experiment.name,
        "strategy": results.experiment.evolution.strategy,
        "mode": results.experiment.evolution.mode,
        "finished": results.finished,
        "state": results.state,
        "overall": asdict(results.overall),
        "standing": None if (standing := results.standing) is None else standing_data(standing),
        "budget": results.experiment.evolution.candidates,
        "hours": results.hours,
        "worked_seconds": results.budget.worked_seconds,
        "stopped_by": results.budget.stopped,
        "generations": _generations(results),
        "counts": counts(results),
        "teacher": to_jsonable_python(results.teacher),
        "teacher_on_test": to_jsonable_python(results.teacher_on_test),
        "seconds": results.seconds,
        "attack_over_training": results.attack_over_training,
        "predictions": [asdict(episode) for episode in results.predictions],
        "verdicts": verdicts(results),
        "front": [_brief(results, record) for record in results.front],
        "candidates": [_brief(results, record) for record in results.measured("candidate")],
        "baselines": [_brief(results, record) for record in results.measured("baseline")],
        "finalists": [_brief(results, record) for record in results.measured("finalist")],
        "failures": [
            {
                "number": r.number,
                "id": r.id,
                "kind": r.failure.kind,
                "stage": r.failure.stage,
                "message": r.failure.message,
            }
            for r in results.failures
            if r.failure is not None
        ],
    }


def counts(results: Results) -> dict[str, int]:
    """The number of candidates in each state."""
    return {state: results.counts["candidate", state] for state in _STATES}


def describe_record(results: Results, record: Record) -> dict[str, Any]:
    """Everything about one record."""
    fitness = results.fitness.get(record.number)
    failure = record.failure
    return {
        **{key: getattr(record, key) for key in _PLACE},
        "parents": list(record.parents),
        "seed": record.seed,
        "status": record.status,
        "architecture": str(record.genotype),
        "genotype": record.genotype.to_dict(),
        "fitness": None
        if fitness is None
        else {
            "scalar": fitness.scalar,
            "robustness": fitness.robustness,
            "accuracy": fitness.accuracy,
            "efficiency": fitness.efficiency,
            "gates_missed": list(fitness.gates),
        },
        "measurements": to_jsonable_python(record.measurements),
        "failure": None
        if failure is None
        else {"kind": failure.kind, "stage": failure.stage, "message": failure.message},
        "seconds": record.seconds,
        "student": str(path) if (path := results.run.student_folder(record)).is_dir() else None,
    }


def _generations(results: Results) -> int | None:
    if results.experiment.evolution.mode == "steady":
        return None
    return max((record.generation for record in results.of("candidate")), default=-1) + 1


def _brief(results: Results, record: Record) -> dict[str, Any]:
    found = record.measurements
    assert found is not None
    if record.number not in results.fitness:
        raise RunError(f"{results.run.store}: damaged: it has measured students and no facts about the teacher")
    robust = found.robustness
    return {
        "id": record.id,
        "name": record.name,
        "number": record.number,
        "replicate": record.replicate,
        "fitness": results.fitness[record.number].scalar,
        "gates_missed": list(results.fitness[record.number].gates),
        "rung": found.stopped_at or None,
        "quality": found.quality.value,
        "under_attack": None if robust is None else _interval(robust.under_attack),
        "words_to_break": None if robust is None else _interval(robust.words_to_break),
        "attacks": [_alone(attack) for attack in found.attacks],
        "meaning": to_jsonable_python(found.meaning),
        "notes": list(robust.notes) if robust is not None else [],
        "collapse": found.quality.collapse,
        "parameters": found.efficiency.parameters,
        "compression": found.efficiency.compression,
        "architecture": str(record.genotype),
    }


def _alone(robust: Robustness) -> dict[str, Any]:
    return {
        "attack": robust.attack,
        "differs": robust.differs,
        "under_attack": _interval(robust.under_attack),
        "words_to_break": _interval(robust.words_to_break),
        "notes": list(robust.notes),
    }


def _interval(estimate: Estimate) -> dict[str, float]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}
