"""The teacher of an experiment, in a folder of the user's own.

>>> from rosearch import load_experiment
>>> from rosearch.distil.teacher import save_teacher
>>> save_teacher(load_experiment("sst2"), Path("teacher")).fine_tuned
True

A search and `rosearch distil` fine-tune a teacher without a head, and keep it in their caches. From its own folder it
can be attacked, be the teacher of other students, or be loaded by plain transformers.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from rosearch.attack.measure import open_cache
from rosearch.config.experiment import Experiment
from rosearch.data.loading import load_task, task_seed
from rosearch.errors import RunError
from rosearch.files import whole
from rosearch.materials.derivation import derive
from rosearch.materials.soft_labels import require_teacher
from rosearch.models.device import resolve_device
from rosearch.progress import Progress, silent
from rosearch.randomness import derive_seed
from rosearch.training.teacher import prepare_teacher


@dataclass(frozen=True)
class SavedTeacher:
    """A folder that plain transformers loads. `kept` is the folder that it was copied from."""

    folder: Path
    kept: Path
    fine_tuned: bool  # by rosearch; else the experiment names a classifier, which was copied


def save_teacher(
    experiment: Experiment, to: Path, cache: Path | None = None, progress: Progress = silent
) -> SavedTeacher:
    """Copy the teacher of an experiment to `to`; it is fine-tuned first where `cache` has none for it.

    `cache` is that of a search (RUNS/.cache) or of `rosearch distil`; None: `.rosearch` here. Raises `RunError` where
    `to` is there already, `BadInput` and `MissingResource` where data or teacher do not fit.
    """
    to = to.expanduser().resolve()
    if to.exists():
        raise RunError(f"{to}: exists already; name another folder")
    require_teacher(experiment, "to be saved")
    experiment = derive(experiment).experiment
    config, cache = experiment.require_task(), open_cache(cache)
    device = resolve_device(experiment.execution.own_device)
    task, seed = load_task(config, task_seed(experiment)), derive_seed(experiment.seed, "teacher")
    kept = prepare_teacher(experiment.teacher, task, config.length, cache, device, seed, progress)
    with whole(to) as draft:
        shutil.copytree(kept, draft)
    return SavedTeacher(to, kept, cache.resolve() in kept.resolve().parents)
