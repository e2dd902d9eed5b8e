"""The landscape that strategies are compared on: every architecture of a small space, distilled once, with its curve.

    python -m tests.benchmarks.landscape record FOLDER    # hours; goes on after Ctrl-C or kill -9
    python -m tests.benchmarks.landscape write FOLDER > tests/benchmarks/landscapes/generated.json.xz

`record` is a search of the experiment in `landscapes`, by random search without repeats until nothing is left, and
besides it measures each student a few times while it learns: the curve. A curve changes no record (a test holds it).
A figure of the curve is taken in the middle of one training of all steps, whose learning rate falls to 0 at the end.
"""

from __future__ import annotations

import argparse
import json
import lzma
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any
from unittest.mock import patch

import moocore  # type: ignore[import-untyped]  # it comes with DEAP
import numpy as np
import torch
from transformers import PreTrainedModel

from rosearch.config.file import load_experiment
from rosearch.config.fitness import FitnessConfig
from rosearch.evaluation.quality import predict
from rosearch.evolution.fitness import Fitness, Yardstick
from rosearch.materials.life import TaskLife, Trained
from rosearch.materials.task import quality_of, run_suite
from rosearch.materials.training_inputs import training_inputs
from rosearch.measurements import Measurements
from rosearch.models.device import machine
from rosearch.progress import Progress, silent
from rosearch.records.record import Record
from rosearch.records.run_directory import RunDirectory
from rosearch.run.results import Results, load_results
from rosearch.search import run_search
from rosearch.space.genotype import Genotype
from rosearch.space.loading import load_space
from rosearch.space.search_space import SearchSpace
from rosearch.training.quick_steps import ByteDropout
from rosearch.training.trainer import distil
from tests.evolution.landscapes import measurements

LANDSCAPES = Path(__file__).parent / "landscapes"
EXPERIMENT, SPACE = LANDSCAPES / "experiment.yaml", LANDSCAPES / "space.yaml"
POINTS = (40, 80, 120, 160, 240)  # steps, multiples of 20; the record holds the figures of the last


@dataclass
class Curve:
    """Measures a student at some steps of its training: called with steps done, all steps and the mean loss."""

    life: TaskLife
    student: PreTrainedModel
    points: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, step: int, steps: int, loss: float) -> None:
        if step not in POINTS or step == steps:
            return
        job, materials = self.life.job, self.life.materials
        self.student.eval()
        with torch.random.fork_rng(devices=[]), without_dropout(self.student):
            logits = predict(self.student, materials.tokenised(job.split), materials.device, 64, silent)
            quality = quality_of(logits, materials, job.split, None)
            under = run_suite(self.student, materials, job.split, job.suite, job.attack_seed, silent)
        self.student.train()
        attacked = under.robustness
        assert attacked is not None
        self.points.append(
            {
                "step": step,
                "loss": loss,
                "accuracy": quality.value,
                "under_attack": attacked.under_attack.value,
                "words_to_break": attacked.words_to_break.value,
                "queries": attacked.queries.value,  # mean of an attacked row
                "outcomes": attacked.outcomes,  # a letter of each row
            }
        )


@contextmanager
def without_dropout(student: PreTrainedModel) -> Iterator[None]:
    """Inside, the dropout of the training loop, which never asks for the mode of the model, keeps everything."""
    layers = [layer for layer in student.modules() if isinstance(layer, ByteDropout)]
    before = [(layer.threshold, layer.scale) for layer in layers]
    for layer in layers:
        layer.threshold, layer.scale = 0, 1.0
    try:
        yield
    finally:
        for layer, (threshold, scale) in zip(layers, before, strict=True):
            layer.threshold, layer.scale = threshold, scale


@contextmanager
def curves_kept(file: Path) -> Iterator[None]:
    """Inside, each distillation of a task's student adds a line with its curve to a file of JSON lines."""

    def with_curve(life: TaskLife, student: PreTrainedModel, progress: Progress) -> Trained:
        job = life.job
        resources = job.experiment.evaluation.robustness.resources
        inputs = training_inputs(
            life.materials, job.experiment.distillation, seed=job.seed, resources=resources, progress=progress
        )
        curve = Curve(life, student)
        trained = Trained(distil(student, inputs, None, curve))
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"id": job.genotype.id, "seed": job.seed, "points": curve.points}) + "\n")
        return trained

    with patch.object(TaskLife, "distil", with_curve):
        yield


def record(folder: Path) -> Results:
    """Begins or goes on with the search in a folder, curves beside its records."""
    folder.mkdir(parents=True, exist_ok=True)
    with curves_kept(folder / "curves.jsonl"):
        return run_search(begun(folder) or load_experiment(EXPERIMENT), runs=folder)


def begun(folder: Path) -> RunDirectory | None:
    """The run that `record` began in a folder; None where it has not."""
    runs = sorted(path for path in folder.iterdir() if path.name.startswith("landscape-"))
    return RunDirectory.open(runs[-1]) if runs else None


def written(results: Results, curves: Path) -> dict[str, Any]:
    """The landscape as JSON data: one row for each student that was measured, with its curve."""
    experiment, teacher = results.experiment, results.teacher
    assert teacher is not None  # of a run that is over
    fitness = load_experiment(EXPERIMENT).fitness  # a run's own may be older; its students were measured alike
    yardstick = Yardstick.of(fitness, teacher)
    points = {(found := json.loads(line))["id"]: found["points"] for line in curves.read_text().splitlines()}
    students = []
    for one in results.measured("candidate"):
        assert one.measurements is not None
        row = _row(one, points[one.id])
        told, again = yardstick.score(one.measurements), yardstick.score(_measurements(row))
        if (told.objectives, told.gates) != (again.objectives, again.gates):
            raise ValueError(f"{one.id}: its row gives {again}, its record {told}")
        students.append(row)
    return {
        "about": f"{experiment.name}: {len(students)} architectures, each distilled once, seed {experiment.seed}",
        "machine": machine(),
        "space": SPACE.name,
        "fitness": fitness.model_dump(mode="json"),
        "teacher_quality": teacher.quality.value,
        "reference": [0.0, 0.5, 0.0],  # robustness, accuracy (chance), efficiency: what bounds a hypervolume below
        "batch_size": experiment.distillation.batch_size,
        "failed": len(results.of("candidate")) - len(students),
        "students": students,
    }


def _row(one: Record, curve: list[dict[str, Any]]) -> dict[str, Any]:
    found = one.measurements
    assert found is not None
    attacked = found.robustness
    assert attacked is not None
    return {
        "genotype": one.genotype.to_dict(),
        "accuracy": found.quality.value,
        "largest_class_share": found.quality.largest_class_share,
        "under_attack": attacked.under_attack.value,
        "words_to_break": attacked.words_to_break.value,
        "queries": round(attacked.queries.value * attacked.queries.n),
        "outcomes": attacked.outcomes,
        "parameters": found.efficiency.parameters,
        "compression": found.efficiency.compression,
        "steps": found.training.steps,
        "curve": curve,
    }


def _measurements(row: dict[str, Any]) -> Measurements:
    return measurements(
        row["accuracy"], row["under_attack"], row["words_to_break"], row["compression"], row["largest_class_share"]
    )


class Landscape:
    """A landscape that was written: its space, and of every architecture the outcome, the curve and the cost.

    `folder` holds the file of the space that `data` names. Scaling (`fitness`) and reference point are those of `data`.
    Costs are rows that went through a student: 3 for each row of a step, which goes forward and back, 1 for a query.
    """

    def __init__(self, data: dict[str, Any], folder: Path = LANDSCAPES) -> None:
        space = load_space(folder / data["space"])
        assert isinstance(space, SearchSpace)
        self.space = space
        self.about, self.reference = data["about"], tuple(data["reference"])
        self._batch = data["batch_size"]
        self._rows = {(one := Genotype.from_dict(row["genotype"])).id: (one, row) for row in data["students"]}
        if missing := sum(one.id not in self._rows for one in self.space.genotypes()):
            raise ValueError(f"{data['about']}: {missing} architectures of the space have no outcome")
        self.genotypes = [one for one, _ in self._rows.values()]
        self.yardstick = Yardstick(FitnessConfig.model_validate(data["fitness"]), data["teacher_quality"])
        self._found = {one: self.yardstick.score(self.measurements(one)) for one in self._rows}
        everything = [found.objectives for found in self._found.values() if found.eligible]
        self._whole = hypervolume(everything, self.reference)
        self.mean_cost = fmean(self.cost(one) for one in self._rows)

    def measurements(self, identity: str) -> Measurements:
        """The measurements of an architecture."""
        return _measurements(self._rows[identity][1])

    def fitness(self, identity: str) -> Fitness:
        """Its fitness, as a run scores it."""
        return self._found[identity]

    def parameters(self, identity: str) -> int:
        """Its parameters."""
        return int(self._rows[identity][1]["parameters"])

    def share(self, objectives: Sequence[tuple[float, float, float]]) -> float:
        """The hypervolume of students as a share of that of all architectures."""
        return hypervolume(objectives, self.reference) / self._whole

    def cost(self, identity: str) -> float:
        """The whole cost of a student, distilled and attacked."""
        row = self._rows[identity][1]
        return self.steps_cost(row["steps"]) + float(row["queries"])

    def steps_cost(self, steps: int) -> float:
        """The cost of so many steps of training."""
        return 3.0 * steps * self._batch

    def early(self, identity: str, step: int) -> tuple[bool, float]:
        """What is known of a student after so many steps, larger is better: whether it may win, and its scalar."""
        row = self._rows[identity][1]
        point = next(point for point in row["curve"] if point["step"] == step)
        told = {**row, **{key: point[key] for key in ("accuracy", "under_attack", "words_to_break")}}
        found = self.yardstick.score(_measurements(told))
        return found.eligible, found.scalar

    def rung_cost(self, identity: str, before: int, step: int) -> float:
        """The cost of training on from a step to the next rung, and of the attack there."""
        point = next(point for point in self._rows[identity][1]["curve"] if point["step"] == step)
        attacked = len(point["outcomes"]) - point["outcomes"].count("m")
        return self.steps_cost(step - before) + float(point["queries"] * attacked)


def hypervolume(objectives: Sequence[tuple[float, float, float]], reference: tuple[float, ...]) -> float:
    """The volume that objectives dominate above a reference point; all are maximised."""
    above = [point for point in objectives if all(value > least for value, least in zip(point, reference, strict=True))]
    return float(moocore.hypervolume(-np.array(above), ref=-np.array(reference))) if above else 0.0


def read_landscape(path: Path) -> Landscape:
    """The landscape in a file. Raises `ValueError` where an architecture of its space has no outcome."""
    return Landscape(json.loads(lzma.decompress(path.read_bytes())), path.parent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("record", "write"))
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.command == "record":
        record(given.folder)
    elif (run := begun(given.folder)) is not None:
        data = written(load_results(run), given.folder / "curves.jsonl")
        sys.stdout.buffer.write(lzma.compress(json.dumps(data).encode(), preset=9))


if __name__ == "__main__":
    main()
