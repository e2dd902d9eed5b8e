"""The best candidates, trained again on fresh seeds and measured on rows that the search never saw.

No other code touches the test split. A search picks the best of many on its validation rows, so the figures there
flatter the winner. Replicates with other seeds, other rows, other attack letters, and at least one attack that the
search never saw, do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rosearch.config.experiment import FinalistsConfig
from rosearch.errors import RunError
from rosearch.materials.life import CandidateJob
from rosearch.materials.suites import attack_seed, suite_of
from rosearch.records.record import Proposal, Record
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.run.driver import Driver, candidate_job
from rosearch.run.results import Results, load_results


def retrain_finalists(driver: Driver) -> list[Record]:
    """Retrain the best of the search and the baselines, `finalists.replicates` times each; measure on the test rows."""
    config = driver.experiment.finalists
    if config.count == 0:
        return []
    before, results = driver.recorded("finalist", -1), load_results(driver.run)
    newest = max((record.number for record in results.of("candidate")), default=0)
    if not before or before[-1].number < newest:  # a search that more hours let go on may have found better ones
        driver.propose("finalist", -1, _missing(results, before, config))
    driver.work("finalists on the test split", driver.recorded("finalist", -1), finalist_job)
    return driver.recorded("finalist", -1)


def require_finished(run: RunDirectory, store: Store) -> None:
    """Raises `RunError` for a search that goes on: what is picked from it may not be its pick in the end."""
    if not store.finished():
        raise RunError(f"{run.path}: is not finished, so that its pick may change: {run.resume_command}")


def retrain_pick(driver: Driver, record: Record) -> list[Record]:
    """Retrain one record of a finished search as a finalist, as often as finalists are; what is there stays.

    Its measurements of the search chose it, so that they are no fair figures: those of its retrainings are.
    """
    before = [one for one in driver.recorded("finalist", -1) if one.id == record.id]
    driver.propose("finalist", -1, _retrainings([record], before, driver.experiment.finalists))
    found = [one for one in driver.recorded("finalist", -1) if one.id == record.id]
    driver.work("the pick on the test split", found, finalist_job)
    return [one for one in driver.recorded("finalist", -1) if one.id == record.id]


def _missing(results: Results, before: Sequence[Record], config: FinalistsConfig) -> list[tuple[Proposal, int, str]]:
    """The retrainings of the best and the baselines that were not proposed before."""
    return _retrainings([*results.ranking[: config.count], *results.of("baseline")], before, config)


def _retrainings(
    chosen: Sequence[Record], before: Sequence[Record], config: FinalistsConfig
) -> list[tuple[Proposal, int, str]]:
    there = {(record.id, record.replicate) for record in before}
    return [
        (
            Proposal(record.genotype, f"{record.role}:{record.name or record.number}", (record.id,)),
            replicate,
            record.name,
        )
        for record in {record.id: record for record in chosen if record.status == "done"}.values()
        for replicate in range(config.replicates)
        if (record.id, replicate) not in there
    ]


def finalist_job(driver: Driver, record: Record) -> CandidateJob:
    """The job of a finalist: its own budget, the test split, the report's suite and another attack seed.

    Its training is long, so a killed finalist goes on from its checkpoint; candidates start again.
    """
    experiment = driver.experiment
    config = experiment.finalists
    budget = {} if config.epochs is None else {"epochs": config.epochs, "max_steps": None}
    distillation = experiment.distillation.model_copy(update=budget)
    return replace(
        candidate_job(driver, record),
        experiment=experiment.model_copy(update={"distillation": distillation}),
        suite=suite_of(experiment, "test"),
        attack_seed=attack_seed(experiment, "test"),
        split="test",
        unfinished=driver.run.unfinished_folder(record),
    )
