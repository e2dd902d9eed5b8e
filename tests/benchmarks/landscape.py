"""The landscape that strategies are compared on: every architecture of a small space, distilled once, with its curve.

    python -m tests.benchmarks.landscape record FOLDER    # hours; goes on after Ctrl-C or kill -9
    python -m tests.benchmarks.landscape write FOLDER > tests/benchmarks/landscapes/generated.json

`record` is a search of the experiment in `landscapes`, by random search without repeats until nothing is left, and
besides it measures each student a few times while it learns: the curve. A curve changes no record (a test holds it).
A figure of the curve is taken in the middle of one training of all steps, whose learning rate falls to 0 at the end.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from transformers import PreTrainedModel

from rosearch.config.file import load_experiment
from rosearch.evaluation.quality import predict
from rosearch.materials.life import TaskLife, Trained
from rosearch.materials.task import quality_of, run_suite
from rosearch.materials.training_inputs import training_inputs
from rosearch.progress import Progress, silent
from rosearch.records.run_directory import RunDirectory
from rosearch.run.results import Results
from rosearch.search import run_search
from rosearch.training.quick_steps import ByteDropout
from rosearch.training.trainer import distil

LANDSCAPES = Path(__file__).parent / "landscapes"
EXPERIMENT = LANDSCAPES / "experiment.yaml"
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
    runs = sorted(path for path in folder.iterdir() if path.name.startswith("landscape-"))
    begun = RunDirectory.open(runs[-1]) if runs else load_experiment(EXPERIMENT)
    with curves_kept(folder / "curves.jsonl"):
        return run_search(begun, runs=folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("record",):
        commands.add_parser(name).add_argument("folder", type=Path)
    given = parser.parse_args()
    record(given.folder)


if __name__ == "__main__":
    main()
