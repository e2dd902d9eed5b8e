"""A candidate is chosen by a term, by the knee of the front, within a condition; never one that missed a gate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from attacked_results import attacked, measured, record, results_of

from rosearch.errors import BadInput, RunError
from rosearch.measurements import Latency
from rosearch.report.choice import Wish, choose
from rosearch.run.results import Results

# Survivors of ten rows, accuracy, compression, milliseconds: in the order of their numbers.
KNOWN = [(9, 0.80, 10.0, 9.0), (2, 0.95, 10.0, 3.0), (7, 0.92, 10.0, 5.0), (7, 0.92, 10.0, 1.0)]


@pytest.fixture
def results(tmp_path: Path) -> Results:
    records = []
    for number, (rows, quality, compression, ms) in enumerate(KNOWN, start=1):
        found = measured(attacked("deepwordbug", "s" * rows + "b" * (10 - rows)), quality=quality)
        efficiency = replace(found.efficiency, compression=compression, latency=(Latency(1, ms, ms, ms),))
        records.append(record(number, replace(found, efficiency=efficiency)))
    return results_of(tmp_path, *records)


def chosen(results: Results, **wish: object) -> int:
    return choose(results, Wish(**wish)).record.number  # type: ignore[arg-type]


def test_the_best_by_each_term_is_chosen(results: Results) -> None:
    assert chosen(results) == results.best().number
    assert chosen(results, by="robustness") == 1 and chosen(results, by="accuracy") == 2


def test_the_knee_is_near_the_best_of_all_terms_and_the_earlier_of_equals(results: Results) -> None:
    choice = choose(results, Wish(knee=True))
    assert choice.record.number == 3 and choice.among == 4 and choice.by == "the knee of the front"


def test_a_condition_narrows_what_is_chosen_from(results: Results) -> None:
    assert chosen(results, where="latency_ms < 3") == 4
    assert chosen(results, by="accuracy", where="latency_ms_1 >= 5 and accuracy > 0.85") == 3
    assert chosen(results, knee=True, where="under_attack < 0.5 or number == 1") in (1, 2)
    assert choose(results, Wish(where="accuracy>0.85")).among == 3


def test_what_nobody_fulfils_is_told_by_comparison(results: Results) -> None:
    with pytest.raises(RunError, match=r"none of 4 candidates .* \(latency_ms < 2: 1; accuracy > 0.93: 1\)"):
        chosen(results, where="latency_ms<2 and accuracy>0.93")


def test_candidates_that_missed_a_gate_are_never_chosen(results: Results) -> None:
    fitness = results.experiment.fitness.model_copy(update={"min_quality": 0.9})
    strict = replace(results, experiment=results.experiment.model_copy(update={"fitness": fitness}))
    assert chosen(strict, by="robustness") == 3
    with pytest.raises(RunError, match=r"none of 3 candidates"):
        chosen(strict, where="accuracy<0.85")
    none = results.experiment.fitness.model_copy(update={"min_quality": 1.2})
    nobody = replace(results, experiment=results.experiment.model_copy(update={"fitness": none}))
    with pytest.raises(RunError, match="no candidate has passed the gates"):
        chosen(nobody, knee=True)


def test_a_term_that_is_none_or_was_not_measured_is_one_clear_line(results: Results, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"Did you mean robustness\?"):
        chosen(results, by="robustnes")
    found = replace(measured(attacked("deepwordbug", "sb")), robustness=None, attacks=(), single_swaps=())
    with pytest.raises(RunError, match="no candidate was attacked"):
        chosen(results_of(tmp_path, record(1, found)), by="robustness")
