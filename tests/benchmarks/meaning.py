"""What do students tell apart? Invariance and contrast of the teacher and of any number of students, on equal texts.

    python -m tests.benchmarks.meaning experiments/robustness/sst2.yaml PLAIN ROBUST --data-root FOLDER --cache FOLDER

The first student is the one that the others are compared with. `--cache` is where the teacher was fine-tuned. The JSON
is a list with an object for the teacher and for each student: model, invariance (by kind), contrast, purity, and
`points`, the differences to the first student in points. docs/methods/robust_encodings.md says what is measured.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import rosearch.student  # noqa: F401  (its import teaches the Auto classes our students)
from rosearch.config.file import load_experiment
from rosearch.materials.task import TaskMaterials, gather_materials
from rosearch.measurements import Estimate, Meaning
from rosearch.models.saved import load_classifier


def main(arguments: list[str] | None = None) -> None:
    """Measure all models and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path)
    parser.add_argument("students", type=Path, nargs="+")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".rosearch"))
    options = parser.parse_args(arguments)
    materials = gather_materials(load_experiment(options.experiment, (), options.data_root), options.cache)
    teacher = measured(materials, materials.teacher)
    found = [measured(materials, folder) for folder in options.students]
    names = ["teacher", *map(str, options.students)]
    rows = [told(name, one, found[0]) for name, one in zip(names, [teacher, *found], strict=True)]
    print(json.dumps(rows, indent=1))


def measured(materials: TaskMaterials, folder: Path) -> Meaning:
    """The meaning of a model with its own tokenizer, on the task's validation rows."""
    model, tokenizer = load_classifier(folder)
    meaning = materials.meaning(model.to(materials.device), tokenizer, "validation")
    assert meaning is not None
    return meaning


def told(name: str, meaning: Meaning, first: Meaning) -> dict[str, Any]:
    """A model's figures, and what they differ from the first student's in points."""
    shares = _shares(meaning)
    points = {key: round(100 * (value - _shares(first)[key]), 1) for key, value in shares.items()}
    return {"model": name, **asdict(meaning), "points": points}


def _shares(meaning: Meaning) -> dict[str, float]:
    return {name: value.value for name, value in meaning.figures.items() if isinstance(value, Estimate)}


if __name__ == "__main__":
    main()
