from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from attacked_results import attacked, measured, record, results_of

from rosearch.measurements import Estimate, Measurements
from rosearch.records.record import Record
from rosearch.report.verdicts import overlap_sentence, verdicts


def kept(value: float, low: float, high: float) -> Measurements:
    return measured(replace(attacked("deepwordbug", "sb"), under_attack=Estimate(value, low, high, 50)))


def records(*found: Measurements) -> list[Record]:
    return [record(number, one) for number, one in enumerate(found, start=3)]


def test_those_whose_interval_overlaps_with_that_of_the_best_are_named_by_number() -> None:
    told = overlap_sentence(records(kept(0.8, 0.7, 0.9), kept(0.7, 0.6, 0.8), kept(0.3, 0.2, 0.4), kept(0.9, 0.8, 1.0)))
    assert told == (
        "The 95 % intervals of #3, the best, and of #4 and #6 overlap (accuracy under attack, 50 rows): "
        "these rows do not tell which is better."
    )


def test_many_are_counted() -> None:
    told = overlap_sentence(records(*[kept(0.8, 0.7, 0.9)] * 9))
    assert "of #4, #5, #6, #7, #8 and 3 more overlap" in told


def test_nothing_is_said_where_nothing_overlaps_or_nothing_has_an_interval() -> None:
    apart = records(kept(0.8, 0.7, 0.9), kept(0.3, 0.2, 0.4))
    assert overlap_sentence(apart) == "" == overlap_sentence([]) == overlap_sentence(apart[:1])
    bare = replace(kept(0, 0, 0), robustness=None)
    bare = replace(bare, quality=replace(bare.quality, accuracy=None))
    assert overlap_sentence(records(bare, bare)) == ""


def test_clean_accuracy_decides_where_nobody_was_attacked() -> None:
    clean = replace(kept(0, 0, 0), robustness=None)
    assert "(accuracy, 100 rows)" in overlap_sentence(records(clean, clean))


def test_a_run_says_it_of_its_front_and_of_its_finalists(tmp_path: Path) -> None:
    front = records(
        replace(kept(0.8, 0.7, 0.9), efficiency=replace(kept(0, 0, 0).efficiency, compression=2.0)), kept(0.8, 0.7, 0.9)
    )
    finalists = [replace(one, role="finalist", number=one.number + 10) for one in front]
    told = verdicts(results_of(tmp_path, *front, *finalists))
    assert len(told) >= 1 and told[-1].startswith("Finalists: the 95 % intervals of #1")
