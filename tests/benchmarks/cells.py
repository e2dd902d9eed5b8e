"""What benchmarks over tasks and seeds share: cells of `rosearch distil` that are run once, and means over seeds."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rosearch.config.file import load_experiment
from rosearch.distil import Options, distil_student


def distilled(
    options: argparse.Namespace, experiment: Path, label: str, seed: int, student: str, *overrides: str
) -> dict[str, Any]:
    """One student's quality on the test split beside its teacher's, and its seconds.

    It is distilled into `options.runs`, unless it is there. `options.override` holds settings of all tasks and of one.
    Raises `CandidateFailed` for a training that diverges.
    """
    task = experiment.stem
    folder = options.runs / f"{task}-{label}-{seed}"
    record = folder / "distillation.json"
    if not record.is_file():
        settings = (*overrides, *overrides_of(task, options.override))
        print(f"{task} {label} seed {seed} ...", file=sys.stderr, flush=True)
        distil_student(
            load_experiment(experiment, settings, options.data_root),
            student,
            folder,
            Options(seed, True, options.runs / "cache"),
        )
    found = json.loads(record.read_text(encoding="utf-8"))
    test = found["quality"]["test"]
    return {
        "metric": test["student"]["metric"],
        "quality": test["student"]["value"],
        "teacher": test["teacher"]["value"],
        "seconds": found["seconds"]["distil"],
    }


def overrides_of(task: str, given: list[str]) -> list[str]:
    """Those of all tasks, then those of `task`: what names another task is left out."""
    named = [(*override.split("=")[0].rpartition(":")[::2], override) for override in given]
    everywhere = [override for where, _, override in named if not where]
    return everywhere + [override.removeprefix(f"{task}:") for where, _, override in named if where == task]


def share_surviving(survived: Sequence[Sequence[bool]]) -> npt.NDArray[np.float64]:
    """Of each row the share of models, seeds of one recipe, that survived: (models, rows) -> (rows,)."""
    shares: npt.NDArray[np.float64] = np.asarray(survived, np.float64).mean(axis=0)
    return shares


def spread(values: Sequence[float]) -> str:
    """The mean of shares, the smallest and the largest, in percent."""
    low, mean, high = (100 * value for value in (min(values), statistics.fmean(values), max(values)))
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"
