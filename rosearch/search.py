"""The outer loop: ask a strategy for a generation, run its candidates, record what became of them, tell the strategy.

The same loop serves a new run and a resumed one: what is recorded is told again, what was cut short runs again.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter

from rosearch.config.experiment import Experiment
from rosearch.errors import RunError
from rosearch.evolution.strategies import make_strategy
from rosearch.evolution.strategy import Strategy
from rosearch.materials.encoder import (
    EncoderMaterials,
    find_encoder,
    measure_encoder_teacher,
    prepare_encoder_materials,
)
from rosearch.materials.required_resources import require_training
from rosearch.materials.task import Materials, measure_teacher, prepare_materials
from rosearch.materials.training_inputs import save_whole
from rosearch.measurements import TeacherFacts
from rosearch.records.record import Proposal, Record
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.run.backends import make_backend
from rosearch.run.driver import Driver, Observer
from rosearch.run.finalists import retrain_finalists
from rosearch.run.results import Results, load_results
from rosearch.space.known import known_architecture
from rosearch.space.loading import load_space
from rosearch.space.space import Space

_FACTS: TypeAdapter[TeacherFacts] = TypeAdapter(TeacherFacts)


def cache_folder(run: RunDirectory) -> Path:
    """Teachers, tokens and teacher outputs, shared by all runs beside this one; keyed by content, safe to delete."""
    return run.path.parent / ".cache"


def run_search(run: RunDirectory, observer: Observer) -> Results:
    """Begin or go on with a run until its budget is spent, then retrain the finalists.

    Raises `BadInput` and `MissingResource` before any candidate runs, `RunError` where another process works on the
    run, `SearchAborted` where candidates all fail alike. Whatever happens, what is recorded stays recorded.
    """
    with run.lock(), Store.open(run.store) as store:
        store.reset_running()
        try:
            _search(run, store, observer)
        finally:
            store.reset_running()  # after Ctrl-C nothing runs any more, and `status` should say so
    return load_results(run)


def _search(run: RunDirectory, store: Store, observer: Observer) -> None:
    experiment = run.experiment()
    space = load_space(run.search_space)
    cache = cache_folder(run)
    teacher = _teacher(run, store, experiment, space, cache, observer)
    strategy = make_strategy(
        experiment.evolution,
        experiment.fitness,
        space,
        experiment.seed,
        teacher.quality.value,
        teacher.latency_ms,
    )
    with make_backend(experiment.execution) as backend:
        driver = Driver(run, store, experiment, cache, teacher, backend, observer)
        driver.work("baselines", _baselines(driver))
        while not strategy.finished:
            records = driver.recorded("candidate", strategy.generation) or _propose(driver, strategy)
            driver.work(f"generation {strategy.generation}", records)
            strategy.tell(driver.recorded("candidate", strategy.generation))
            prune_students(driver)
        retrain_finalists(driver)
    store.set_meta("finished", True)


def _teacher(
    run: RunDirectory, store: Store, experiment: Experiment, space: Space, cache: Path, observer: Observer
) -> TeacherFacts:
    """The teacher's facts: measured once, then read from the run: a resumed run judges by the same yardstick."""
    materials: Materials | EncoderMaterials
    if experiment.distillation.target == "encoder":
        find_encoder(experiment, space.most_layers)  # before the corpus is tokenised
        materials = prepare_encoder_materials(experiment, cache, observer.progress)
    else:
        require_training(experiment, space.encodings)  # before a teacher is fine-tuned
        materials = prepare_materials(experiment, cache, observer.progress)
    _check_same_materials(run, store, materials)
    if not run.tokenizer.is_dir():
        save_whole(run.tokenizer, materials.tokenizer)  # an export must not need the teacher
    facts = store.get_meta("teacher")
    if facts is not None:
        return _FACTS.validate_python(facts)
    if isinstance(materials, EncoderMaterials):
        teacher = measure_encoder_teacher(materials, experiment)
    else:
        teacher = measure_teacher(materials, experiment, observer.progress)
    store.set_meta("teacher", _FACTS.dump_python(teacher, mode="json"))
    return teacher


def _check_same_materials(run: RunDirectory, store: Store, materials: Materials | EncoderMaterials) -> None:
    """A run compares candidates on one yardstick: it cannot go on with other data or another teacher."""
    found = materials.identity
    before = store.get_meta("materials")
    if before is None:
        store.set_meta("materials", found)
    elif changed := [name for name in found if before.get(name) != found[name]]:
        raise RunError(f"{run.path}: the {' and '.join(changed)} changed since the run began: start a new run")


def _baselines(driver: Driver) -> list[Record]:
    """The named architectures of the experiment, distilled and measured as every candidate is."""
    records = driver.recorded("baseline", -1)
    if records or not driver.experiment.baselines:
        return records
    proposals = [
        (Proposal(known_architecture(name).genotype, f"known:{name}"), 0, name)
        for name in dict.fromkeys(driver.experiment.baselines)
    ]
    return driver.propose("baseline", -1, proposals)


def _propose(driver: Driver, strategy: Strategy) -> list[Record]:
    return driver.propose("candidate", strategy.generation, [(proposal, 0, "") for proposal in strategy.ask()])


def prune_students(driver: Driver) -> None:
    """Delete the weights of candidates that are neither on the front nor among the best, unless all are to be kept."""
    if driver.experiment.execution.keep_students == "all":
        return
    results = load_results(driver.run)
    kept = {r.id for r in (*results.front, *results.ranking[: max(1, driver.experiment.finalists.count)])}
    for record in results.of("candidate"):
        if record.id not in kept:
            driver.run.remove_student(record)
