from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from attacked_results import attacked, measured, record, results_of
from rich.console import Console

from rosearch.measurements import Calibration, ClassQuality, Estimate, Quality, Stopped
from rosearch.report.data import Table
from rosearch.report.overview import finalists_table, results_table, size_in_words
from rosearch.report.summary import describe_record, describe_run
from rosearch.terminal.console import rendered
from rosearch.terminal.run import print_record

WORST = attacked("worst case of 2", "mbbs", plan="")
ALONE = attacked("deepwordbug", "mbss")
VARIANT = attacked("pwws-oewn", "mbbs", differs="Open English WordNet in place of WordNet 3.0", errors=2)
SEVERAL = measured(WORST, attacks=(ALONE, VARIANT))


def printed(table: Table) -> str:
    console = Console(width=200, file=io.StringIO())
    with console.capture() as captured:
        console.print(rendered(table, console))
    return captured.get()


def test_several_attacks_have_a_column_each_beside_the_worst_case(tmp_path: Path) -> None:
    results = results_of(tmp_path, record(1, SEVERAL))
    lines = printed(results_table("All", results, results.records)).splitlines()
    head = [line.split() for line in lines[1:4]]
    assert head[1][:1] == ["worst"] and [head[0][0], head[1][-1], head[2][-3]] == ["words", "to", "break"]
    assert {"deepwordbug", "pwws-oewn", "case"} <= set(head[2])
    assert "25.0% [15, 35]" in lines[5] and " 50.0% " in lines[5] and lines[5].startswith("#1 ")
    footnotes = [line.strip() for line in lines[6:]]
    assert "pwws-oewn: Open English WordNet in place of WordNet 3.0" in footnotes
    assert "pwws-oewn: rows whose attack raised, over all shown here: 2" in footnotes


def test_one_attack_is_the_worst_case_and_needs_no_column_of_its_own(tmp_path: Path) -> None:
    results = results_of(tmp_path, record(1, measured(ALONE)))
    text = printed(results_table("All", results, results.records, teacher=results.teacher))
    assert "under" in text and "attack" in text and "worst" not in text and "deepwordbug" not in text


def test_the_table_of_finalists_says_in_a_sentence_what_was_gained(tmp_path: Path) -> None:
    finalists = (
        record(3, measured(ALONE, quality=0.85), role="finalist"),
        record(4, measured(WORST), role="finalist", name="bert_mini"),
        record(5, SEVERAL, role="finalist", name="bert_mini", replicate=1),  # the first replicate counts
    )
    results = results_of(tmp_path, *finalists)
    assert "times smaller" not in printed(finalists_table(results))  # a run of an older version
    results = replace(results, teacher_on_test=results.teacher)
    text = printed(finalists_table(results))
    assert any(line.startswith("teacher ") for line in text.splitlines())
    sentence = (
        f"{finalists[0].label} is 10 times smaller than the teacher, keeps 50% of 4 test rows under deepwordbug "
        "(bert_mini 25%, the teacher 50%), and has 85.0% accuracy (the teacher 90.0%)"
    )
    assert sentence in " ".join(text.split())


@pytest.mark.parametrize(
    ("compression", "told"),
    [(31.4, "31 times smaller"), (1.44, "1.4 times smaller"), (1.0, "1.0 times smaller"), (0.5, "2.0 times larger")],
)
def test_a_student_above_its_teacher_is_larger(compression: float, told: str) -> None:
    assert size_in_words(compression) == told


def test_finalists_that_nobody_attacked_are_shown_without_a_sentence(tmp_path: Path) -> None:
    plain = replace(measured(ALONE), robustness=None, attacks=())
    results = results_of(tmp_path, record(3, plain, role="finalist"))
    assert "times smaller" not in printed(finalists_table(replace(results, teacher_on_test=results.teacher)))


def test_a_stopped_and_a_collapsed_candidate_are_marked(tmp_path: Path) -> None:
    stopped = attacked("deepwordbug", "mbbb", stopped=Stopped(4, 200, 0.3, 0.05))
    quality = Quality("accuracy", 0.5, 100, largest_class_share=1.0, collapse="predicts no for all 100 rows")
    results = results_of(tmp_path, record(1, replace(measured(stopped), quality=quality)))
    text = printed(results_table("All", results, results.records))
    assert "(4 of 200 rows)" in text and "50.0%!" in text
    assert "! collapsed: predicts no for all 100 rows" in text
    assert "not all rows: surely below 30%, with error rate 5%" in text


def test_a_record_shows_each_attack_each_class_and_what_went_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = results_of(tmp_path, record(1, SEVERAL))
    print_record(results, results.records[0])
    text = capsys.readouterr().out
    for expected in (
        "single swaps of worst case of 2",
        "Under attack",
        "pwws-oewn: rows whose attack raised, counted as broken: 2",
        "By class",
    ):
        assert expected in text
    rows = [line for line in text.splitlines() if line.startswith(("no ", "yes "))]
    assert "90.0%" in rows[0] and "10.0%" in rows[1]


def test_a_record_shows_its_classes_on_all_clean_rows_and_how_far_it_can_be_believed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ClassQuality(1, 40, Estimate(0.75, 0.6, 0.86, 40), 0.625, 0.68)
    quality = replace(SEVERAL.quality, per_class=(found,), calibration=Calibration(0.041, 1.32, 0.02))
    results = results_of(tmp_path, record(1, replace(SEVERAL, quality=quality), role="finalist"))
    print_record(results, results.records[0])
    text = capsys.readouterr().out
    assert "4.1%; where logits are divided by 1.32 (fitted on validation rows): 2.0%" in " ".join(text.split())
    assert "finalist: trained again with a seed of its own, measured on test rows" in text
    assert "recall" in text and "75.0% [60, 86]" in text and "62.5%" in text and "68.0%" in text


def test_the_description_carries_every_attack_and_its_notes(tmp_path: Path) -> None:
    results = results_of(tmp_path, record(1, SEVERAL))
    (brief,) = describe_run(results)["candidates"]
    assert [attack["attack"] for attack in brief["attacks"]] == ["deepwordbug", "pwws-oewn"]
    assert brief["attacks"][1]["notes"] == ["rows whose attack raised, counted as broken: 2"]
    whole = describe_record(results, results.records[0])["measurements"]
    assert whole["attacks"][1]["outcomes"] == "mbbs" and whole["robustness"]["shares"] == [0.0, 0.5, 0.5, 1.0]
    assert whole["single_swaps"][0]["margin"]["value"] == 0.5
