"""How hard are AD^2's moved embeddings for a student, and do they leave the teacher's answer right?

    python -m tests.benchmarks.ad2_reach experiments/mrpc.yaml --runs RUNS --data-root DATA -o KEY=VALUE

RUNS holds students of layers of the teacher, TASK-METHOD-SEED, as `method_comparison` makes them; the overrides are
those that they were made with. On validation rows each student's embeddings are moved in one step, by at most
`--bounds`. Printed are means over the seeds: the share of the rows on which the student is right before and after, and
on which the teacher, whose embeddings are moved by the same (its table is where the student's began), still says what
it says of the clean row. A row that turns the teacher is one whose clean answer AD^2 should not teach.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from rosearch.config.ad2 import DEFAULT, Ad2Config
from rosearch.config.distillation import DistillationConfig
from rosearch.config.file import load_experiment
from rosearch.data.batches import evaluation_batches
from rosearch.materials.task import TaskMaterials, gather_materials
from rosearch.models.saved import load_classifier
from rosearch.training.ad2 import AdversarialDistillation
from rosearch.training.kd import LabelLoss
from rosearch.training.outputs import TeacherRows
from rosearch.training.perturbation import embed, with_embeddings
from tests.benchmarks.cells import overrides_of


def main(arguments: list[str] | None = None) -> None:
    """Move the embeddings of all students and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", type=Path, nargs="+")
    parser.add_argument("--runs", type=Path, default=Path("runs/method_comparison"))
    parser.add_argument("--methods", nargs="+", default=["kd", "ad2"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--bounds", type=float, nargs="+", default=[0.01, 0.04, 0.1, 0.2, 0.4])
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("-o", "--override", action="append", default=[], metavar="[TASK:]KEY=VALUE")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows = [row for path in options.experiments for row in _task_rows(options, path)]
    print(json.dumps(rows, indent=1) if options.json else table(rows))


def _task_rows(options: argparse.Namespace, path: Path) -> Iterator[dict[str, Any]]:
    experiment = load_experiment(path, overrides_of(path.stem, options.override), options.data_root)
    materials = gather_materials(experiment, options.runs / "cache")
    teacher = load_classifier(materials.teacher)[0]
    for method in options.methods:
        folders = [options.runs / f"{path.stem}-{method}-{seed}" for seed in options.seeds]
        students = [AutoModelForSequenceClassification.from_pretrained(folder).eval() for folder in folders]
        for bound in options.bounds:
            found = [reach(student, teacher, materials, sized(experiment.distillation, bound)) for student in students]
            means = {key: statistics.fmean(one[key] for one in found) for key in found[0]}
            yield {"task": path.stem, "method": method, "bound": bound, "seeds": len(found), **means}


def sized(config: DistillationConfig, bound: float) -> DistillationConfig:
    """The configuration with sizes in the proportions of our default ones."""
    assert DEFAULT.bound is not None
    times = bound / DEFAULT.bound
    given = Ad2Config(steps=1, step_size=DEFAULT.step_size * times, start=DEFAULT.start * times, bound=bound)
    return config.model_copy(update={"ad2": given})


def reach(
    student: PreTrainedModel, teacher: PreTrainedModel, materials: TaskMaterials, config: DistillationConfig
) -> dict[str, float]:
    """Shares of the validation rows: student right, right when moved, teacher unturned by the same perturbation."""
    tokenised, clean = materials.tokenised("validation"), torch.tensor(materials.teacher_logits("validation"))
    special = sorted(set(materials.tokenizer.all_special_ids) - {materials.tokenizer.unk_token_id})
    method = AdversarialDistillation(LabelLoss(config, "classification"), special)
    right, moved_right, unturned = (np.zeros(len(tokenised), bool) for _ in range(3))
    torch.manual_seed(1)
    for batch in evaluation_batches(tokenised, 32):
        rows, labels = batch.rows, batch.labels
        words = embed(student, batch.input_ids).detach()
        delta = method.perturbation(student, words, batch, TeacherRows(clean[rows], None))
        with torch.inference_mode():
            moved = student(**with_embeddings(batch.inputs, words + delta)).logits.argmax(-1)
            right[rows] = (student(**batch.inputs).logits.argmax(-1) == labels).numpy()
            theirs = teacher(**with_embeddings(batch.inputs, embed(teacher, batch.input_ids) + delta)).logits
        moved_right[rows] = (moved == labels).numpy()
        unturned[rows] = (theirs.argmax(-1) == clean[rows].argmax(-1)).numpy()
    return {
        "student": float(right.mean()),
        "student_moved": float(moved_right.mean()),
        "teacher_unturned": float(unturned.mean()),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown, in percent."""
    lines = ["| task | student | bound | right | right when moved | teacher unturned |", "|---" * 6 + "|"]
    for row in rows:
        shares = [f"{100 * row[key]:.1f}" for key in ("student", "student_moved", "teacher_unturned")]
        lines.append(f"| {row['task']} | {row['method']} | {row['bound']:g} | {' | '.join(shares)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
