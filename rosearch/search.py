"""The outer loop of a search.

Ask a strategy for a generation, run its candidates, record each outcome, tell the strategy. A resumed run replays
its recorded candidates to the strategy and reruns those that were cut short. A steady search asks for one candidate at
a time (`run/steady.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rosearch.config.experiment import Experiment
from rosearch.evolution.fitness import Yardstick
from rosearch.evolution.registry import make_strategy
from rosearch.evolution.strategy import Strategy
from rosearch.records.beginning import go_on
from rosearch.records.record import Proposal, Record
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.run.backends import Given, make_backend
from rosearch.run.check import check_room, complete
from rosearch.run.devices import crowded, place_workers
from rosearch.run.driver import Driver, guarded
from rosearch.run.finalists import require_finished, retrain_finalists, retrain_pick
from rosearch.run.following import Following
from rosearch.run.founders import noted_founders
from rosearch.run.hours import Hours, allow_hours, stop_in_words
from rosearch.run.observer import Nobody, Observer
from rosearch.run.results import Results, load_results
from rosearch.run.rungs import climb
from rosearch.run.standing import StandingFile
from rosearch.run.steady import evolve
from rosearch.run.teacher import measure_on_test, prepare_run
from rosearch.run.tracking import require_trackers, tracked
from rosearch.space.known import known_architecture
from rosearch.space.loading import load_space


def cache_folder(run: RunDirectory) -> Path:
    """The cache of teachers, tokens and teacher outputs: keyed by content, shared by all runs in a folder.

    It is safe to delete.
    """
    return run.path.parent / ".cache"


def run_search(
    run: RunDirectory | Experiment,
    observer: Observer | None = None,
    runs: str | Path = "runs",
    hours: float | None = None,
    records: str | Path | None = None,
) -> Results:
    """Begin or go on with a run until its budget is spent, then retrain the finalists.

    >>> from rosearch import load_experiment, run_search
    >>> experiment = load_experiment("quickstart", ["evolution.candidates=6"])
    >>> results = run_search(experiment)  # in a new folder below runs/
    >>> results.front[0].id, results.run.path
    >>> results = run_search(results.run)  # goes on with a run; nothing is left to do with this one

    A script calls it under `if __name__ == "__main__":`, because workers are processes that import the script; with
    `execution.workers=0` there are none. `observer` is told what happens. `hours` in all take the place of
    `evolution.hours`, so that a search that they have ended goes on. `records` is a folder on a disk of this machine
    that gets the records of a new run, where `runs` lies on a network file system, or takes over those of one.

    Raises `BadInput` and `MissingResource` before any candidate runs, `RunError` where another process works on the
    run, or where more hours do not let it go on, `SearchAborted` where candidates all fail alike, `MachineFault` where
    the machine fails, as when its disk is full. Whatever happens, recorded candidates stay recorded, and the same call
    goes on.
    """
    if isinstance(run, Experiment):
        require_trackers(run.execution.track)
        there = None if records is None else Path(records)
        run = RunDirectory.create(Path(runs), complete(run, (observer or Nobody()).note), there)
    elif records is not None:
        run.move_records(Path(records))
    with _opened(run) as store:
        if hours is not None:
            allow_hours(store, hours)
        clock = Hours(store, run.experiment())
        with clock.running():
            _search(run, store, observer or Nobody(), clock)
    return load_results(run)


def retrain(run: RunDirectory, number: int, observer: Observer | None = None) -> Results:
    """Retrain one record of a finished run on the finalists' budget and seeds, and measure it on the test split.

    >>> results = retrain(results.run, results.best().number)
    >>> results.retrained(results.best()).measurements.quality.value

    Retrainings that are there already stay as they are. A call that was stopped goes on. Raises `RunError` for a run
    that is not finished, or that another process works on; else as `run_search`.
    """
    with _opened(run) as store:
        require_finished(run, store)
        experiment, records, cache = run.experiment(), store.records(), cache_folder(run)
        following = Following(experiment, records, StandingFile(run.standing), observer or Nobody())
        teacher, _ = prepare_run(run, store, cache, following)
        places = place_workers(experiment.execution)
        given = Given(places.visible, (run.place("driver"),), places.room)
        with make_backend(places.execution, given) as backend:
            driver = Driver(run, store, experiment, cache, teacher, backend, following, places.device, records)
            retrain_pick(driver, store.record(number))
    return load_results(run)


@contextmanager
def _opened(run: RunDirectory) -> Iterator[Store]:
    """The store of a run in the hands of this process alone."""
    run.require_local()
    with guarded(run), run.lock(), run.open_store() as store:
        go_on(store, run.path, run.experiment_file, run.search_space)
        store.reset_running()
        try:
            yield store
        finally:
            with suppress(Exception):  # on a full disk; the next driver begins with it
                store.reset_running()  # after Ctrl-C nothing runs any more, and `status` should say so


def _search(run: RunDirectory, store: Store, observer: Observer, hours: Hours) -> None:
    experiment, cache = run.experiment(), cache_folder(run)
    records = store.records()
    following = Following(experiment, records, StandingFile(run.standing), observer)
    following.limited(hours.seconds_left)
    space = load_space(run.search_space)
    taken = noted_founders(store, experiment, space, following)
    teacher, limit = prepare_run(run, store, cache, following)
    following.measured(teacher)
    yardstick = Yardstick.of(experiment.fitness, teacher)
    strategy = make_strategy(experiment.evolution, space, experiment.seed, yardstick, limit, taken)
    check_room(run, strategy, limit, following)
    places = place_workers(experiment.execution)
    if told := crowded(places):
        following.note(told)
    with (
        make_backend(places.execution, Given(places.visible, (run.place("driver"),), places.room)) as backend,
        tracked(run, experiment, yardstick, records, following) as told_too,
    ):
        driver = Driver(run, store, experiment, cache, teacher, backend, told_too, places.device, records)
        driver.work("baselines", _baselines(driver))
        if experiment.evolution.mode == "steady":
            evolve(driver, strategy, hours.are_left)
        else:
            while _try_generation(driver, strategy, hours):
                if not driver.recorded("candidate", strategy.generation):  # else it was told again
                    driver.prune_students(strategy.breeding)
        if strategy.finished:
            driver.prune_students()  # nobody breeds any more
        hours.stop("patience" if strategy.stands_still else "" if strategy.finished else "hours")
        if ended := stop_in_words(load_results(run)):
            following.note(ended)
        retrain_finalists(driver)
    measure_on_test(run, store, cache, following)
    store.set_finished()


def _baselines(driver: Driver) -> list[Record]:
    """The named architectures of the experiment, distilled and measured as every candidate is."""
    records = driver.recorded("baseline", -1)
    if records or not driver.experiment.architectures:
        return records
    proposals = [
        (Proposal(known_architecture(name).genotype, f"known:{name}"), 0, name)
        for name in driver.experiment.architectures
    ]
    return driver.propose("baseline", -1, proposals)


def _try_generation(driver: Driver, strategy: Strategy, hours: Hours) -> bool:
    """Runs the strategy's generation and tells it, or what was recorded of it before; False where nothing is left.

    So it is where the strategy is finished, or its hours are over. Candidates that were proposed and not begun then
    stay pending: a resume with more hours begins with them.
    """
    records = driver.recorded("candidate", strategy.generation)
    if not records and not strategy.finished and hours.are_left():
        records = _propose(driver, strategy)
    work = climb if driver.experiment.evolution.rungs else Driver.work
    work(driver, f"generation {strategy.generation}", records, more=hours.are_left)
    told = driver.recorded("candidate", strategy.generation)
    if not told or any(record.status in ("pending", "running") for record in told):
        return False
    strategy.tell(told)
    return True


def _propose(driver: Driver, strategy: Strategy) -> list[Record]:
    return driver.propose("candidate", strategy.generation, [(proposal, 0, "") for proposal in strategy.ask()])
