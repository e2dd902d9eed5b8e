"""The teacher of a run: measured once, then read from the records, so that a resumed run has the same yardstick."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rosearch.config.experiment import Experiment
from rosearch.errors import RunError
from rosearch.materials.kind import Materials, kind_of
from rosearch.materials.neighbours import measure_neighbours
from rosearch.materials.task import TaskMaterials
from rosearch.measurements import TeacherFacts
from rosearch.models.saved import save_whole
from rosearch.progress import Progress
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.run.observer import Observer
from rosearch.space.loading import load_space
from rosearch.space.size_limit import SizeLimit
from rosearch.space.space import Space


def prepare_run(
    run: RunDirectory, store: Store, cache: Path, observer: Observer
) -> tuple[TeacherFacts, SizeLimit | None]:
    """Prepare the materials of a run in the cache; give the facts of its teacher, and the limit of its students' size.

    There is no limit where `fitness.max_parameters` sets none. Raises `BadInput` and `MissingResource` before anything
    is trained, `RunError` where the data or the teacher changed since the run began.
    """
    experiment, space = run.experiment(), load_space(run.search_space)
    materials = kind_of(experiment).prepare(experiment, space, cache, observer.progress)
    for note in materials.notes:
        observer.note(note)
    _check_same(run, store, materials)
    if not run.has_tokenizer():
        save_whole(run.tokenizer, materials.tokenizer)  # an export must not need the teacher
    teacher = store.teacher()
    if teacher is None:
        teacher = _measured(materials, experiment, observer, "validation")
        store.set_teacher(teacher)
    return teacher, _size_limit(experiment, space, materials, teacher)


def _size_limit(experiment: Experiment, space: Space, materials: Materials, teacher: TeacherFacts) -> SizeLimit | None:
    most = experiment.fitness.max_parameters
    if most is None:
        return None
    vocabularies = {encoding: materials.vocabulary(encoding) for encoding in space.encodings}
    return SizeLimit(most, vocabularies, teacher.positions, teacher.token_types, materials.outputs_of_students)


def measure_on_test(run: RunDirectory, store: Store, cache: Path, observer: Observer) -> None:
    """Measure the teacher as the finalists were: on the test split, under the report's suite. It is not timed again."""
    experiment = run.experiment()
    if experiment.finalists.count == 0 or store.finished() or store.teacher("test") is not None:
        return
    materials = kind_of(experiment).prepare(experiment, load_space(run.search_space), cache, observer.progress)
    found, before = _measured(materials, experiment, observer, "test"), store.teacher()
    store.set_teacher(replace(found, latency_ms=None if before is None else before.latency_ms), "test")


def _measured(materials: Materials, experiment: Experiment, observer: Observer, split: str) -> TeacherFacts:
    """The teacher, and beside it the pretrained models among the baselines."""
    facts = materials.measure_teacher(experiment, _of_teacher(observer), split)
    if not experiment.pretrained:
        return facts
    assert isinstance(materials, TaskMaterials)  # encoders have no such baselines
    return replace(facts, neighbours=measure_neighbours(materials, experiment, observer.progress, split))


def _of_teacher(observer: Observer) -> Progress:
    """Tells the observer who is measured."""
    return lambda stage, done, total: observer.progress(f"teacher, {stage}", done, total)


def _check_same(run: RunDirectory, store: Store, materials: Materials) -> None:
    """Refuse to go on with other data or another teacher: a run compares all its candidates on one yardstick."""
    found, before = materials.identity, store.materials()
    if before is None:
        store.set_materials(found)
    elif changed := [name for name in found if before.get(name) != found[name]]:
        raise RunError(f"{run.path}: the {' and '.join(changed)} changed since the run began: start a new run")
