from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attacked_results import attacked, measured, record, results_of

from rosearch.config.experiment import Experiment, FinalistsConfig
from rosearch.evolution.fitness import Fitness
from rosearch.measurements import Rung
from rosearch.records.record import Failure, Record
from rosearch.records.stored import Columns
from rosearch.run.course import Overall, overall, planned_students
from rosearch.run.tally import Tally

WEAK, STRONG = measured(attacked("deepwordbug", "mbbb")), measured(attacked("deepwordbug", "ssss"))


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    made = results_of(tmp_path).experiment
    changes = {"candidates": 8, "population": 4, "elite": 1}
    return made.model_copy(
        update={
            "baselines": ["bert_mini", "bert_mini"],
            "evolution": made.evolution.model_copy(update=changes),
            "finalists": made.finalists.model_copy(update={"count": 2, "replicates": 2}),
            "execution": made.execution.model_copy(update={"workers": 2}),
        }
    )


def told_of(experiment: Experiment, records: list[Record], fitness: dict[int, Fitness], **options: Any) -> Overall:
    return overall(experiment, Tally.of(records, fitness), **options)


def done(number: int, seconds: float, **changes: object) -> Record:
    return replace(record(number, WEAK), seconds={"distil": seconds}, **changes)  # type: ignore[arg-type]


def test_a_run_without_records_is_at_its_first_stage_and_promises_no_time(experiment: Experiment) -> None:
    told = told_of(experiment, [], {})
    assert told == Overall(1, 4, "data and teacher", 0, 1 + 8 + 6, None, None, None)


def test_stages_that_an_experiment_does_not_have_are_not_counted(tmp_path: Path) -> None:
    made = results_of(tmp_path).experiment
    told = told_of(made.model_copy(update={"finalists": FinalistsConfig(count=0)}), [record(1, WEAK)], {})
    assert (told.stage, told.stages, told.title) == (2, 2, "generation 0")


@pytest.mark.parametrize(
    ("measured_at", "title"),
    [
        ([0, 0], "generation 3, rung 1 of 2"),
        ([1, 0], "generation 3, rung 1 of 2"),
        ([1, 1], "generation 3, rung 2 of 2"),
        ([2, 2], "generation 3, promoted"),
    ],
)
def test_a_generation_on_its_rungs_says_at_which_it_is(
    experiment: Experiment, measured_at: list[int], title: str
) -> None:
    climbing = experiment.model_copy(
        update={"evolution": experiment.evolution.model_copy(update={"rungs": [0.2, 0.5]})}
    )
    rung = Rung(0.2, 10, 0.5, 0.5, 0.5, 0.5, 1)
    open_ones = [
        replace(record(n, replace(WEAK, rungs=(rung,) * count) if count else None), status="pending", generation=3)
        for n, count in enumerate(measured_at, start=2)
    ]
    records = [replace(record(1, WEAK), generation=3), *open_ones]
    assert told_of(climbing, records, {}).title == title
    passed = {one.id: count for one, count in zip(open_ones, measured_at, strict=True) if count}
    onlooker = Tally.counted(Columns.of(records), None, passed)
    assert overall(climbing, onlooker).title == title
    assert told_of(experiment, records, {}).title == "generation 3"


def test_the_best_is_the_candidate_of_highest_fitness_that_passed_the_gates(tmp_path: Path) -> None:
    results = results_of(tmp_path, record(1, WEAK), record(2, STRONG), record(3, STRONG))
    fitness = {**results.fitness, 3: replace(results.fitness[3], gates=("min_quality",), scalar=9.0)}
    told = told_of(results.experiment, results.records, fitness)
    assert (told.best, told.fitness) == (2, fitness[2].scalar)
    baseline = replace(record(4, STRONG), role="baseline")
    assert told_of(results.experiment, [baseline], {4: fitness[2]}).best is None


def test_the_time_left_is_that_of_the_students_to_come_over_the_workers_that_share_them(
    experiment: Experiment,
) -> None:
    baseline = done(1, 100.0, role="baseline", generation=-1, name="bert_mini")
    records = [baseline, done(2, 10.0), done(3, 30.0), replace(record(4, WEAK), status="running", measurements=None)]
    epochs, suites = experiment.distillation.epochs, experiment.evaluation.robustness
    longer = experiment.model_copy(update={"finalists": experiment.finalists.model_copy(update={"epochs": 2 * epochs})})
    told = told_of(longer, records, {})
    assert (told.done, told.of, told.title) == (3, 15, "generation 0")
    assert told.seconds_left == pytest.approx((6 * 20 + 6 * 2 * 20) / 2)  # finalists train twice as long
    attacked_only = [replace(one, seconds={"attack": 10.0}) for one in records]
    more = suites.report.rows * len(suites.report.attacks) / (suites.search.rows * len(suites.search.attacks))
    assert told_of(experiment, attacked_only, {}).seconds_left == pytest.approx((6 * 10 + 6 * more * 10) / 2)


def test_a_steady_search_has_candidates_and_no_generations_and_workers_that_no_generation_holds_up(
    experiment: Experiment,
) -> None:
    many = experiment.execution.model_copy(update={"workers": 6})  # a generation has four
    records = [done(1, 10.0), done(2, 10.0)]
    told = {}
    for mode in ("generational", "steady"):
        evolution = experiment.evolution.model_copy(update={"mode": mode})
        changed = experiment.model_copy(update={"evolution": evolution, "execution": many, "baselines": []})
        changed = changed.model_copy(update={"finalists": FinalistsConfig(count=0)})
        told[mode] = told_of(changed, records, {})
    assert [one.title for one in told.values()] == ["generation 0", "candidates"]
    assert [one.seconds_left for one in told.values()] == [6 * 10 / 4, 6 * 10 / 6]


def test_the_latest_students_say_how_long_the_next_will_take(experiment: Experiment) -> None:
    alone = experiment.model_copy(update={"finalists": experiment.finalists.model_copy(update={"count": 0})})
    many = alone.model_copy(update={"evolution": alone.evolution.model_copy(update={"candidates": 22})})
    slow = [done(number, 1000.0) for number in range(1, 9)]
    records = [*slow, *(done(number, 4.0) for number in range(9, 21)), done(21, 5.0, role="baseline")]
    assert told_of(many, records, {}).seconds_left == pytest.approx(2 * 4.0 / 2)


def test_failed_students_are_done_and_proposed_finalists_are_counted_as_they_are(experiment: Experiment) -> None:
    failed = replace(record(2, WEAK), status="failed", measurements=None, failure=Failure("nan", "distil", "nan"))
    finalist = replace(record(3, WEAK), role="finalist", status="pending", measurements=None)
    told = told_of(experiment, [done(1, 5.0), failed, finalist], {})
    assert (told.stage, told.title, told.done, told.of) == (4, "finalists", 2, 1 + 2 + 1)
    assert planned_students(experiment, Tally.of([finalist], {}))["finalist"] == 1


def test_a_budget_bounds_the_time_and_a_search_that_it_ended_plans_no_other_candidate(experiment: Experiment) -> None:
    records = [
        done(1, 100.0, role="baseline", name="bert_mini"),
        done(2, 10.0),
        replace(record(3, WEAK), status="pending"),
    ]
    alone = experiment.model_copy(update={"finalists": experiment.finalists.model_copy(update={"count": 0})})
    assert told_of(alone, records, {}).seconds_left == pytest.approx(7 * 10 / 2)
    assert told_of(alone, records, {}, budget_s=12.0).seconds_left == pytest.approx(12.0)
    told = told_of(alone, records, {}, stopped=True)
    assert (told.done, told.of, told.seconds_left) == (2, 2, 0.0)
