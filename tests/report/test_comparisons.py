from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from attacked_results import attacked, measured, record, results_of

from rosearch.measurements import Robustness, Stopped
from rosearch.report.columns import COMPARISONS
from rosearch.report.comparisons import comparison_tables, comparison_verdicts
from rosearch.report.run_files import write_comparisons

STRONG, WEAK = "s" * 30 + "b" * 10, "s" * 10 + "b" * 20 + "s" * 1 + "b" * 9


def pair(folder: Path, best: Robustness, other: Robustness) -> pd.DataFrame:
    """Two candidates of a front: the second is the more accurate one."""
    records = record(1, measured(best)), record(2, measured(other, quality=0.82))
    results = results_of(folder, *records)
    assert [r.number for r in results.front] == [1, 2]
    return write_comparisons(results)[0]


def test_the_front_is_compared_with_its_best_row_by_row_and_written(tmp_path: Path) -> None:
    table = pair(tmp_path, attacked("deepwordbug", STRONG), attacked("deepwordbug", WEAK))
    (row,) = table.to_dict(orient="records")
    assert (row["role"], row["attack"], row["n"]) == ("candidate", "deepwordbug", 40)
    assert (row["only_student"], row["only_other"]) == (1, 20)
    assert row["survival"] == -19 / 40 and row["survival_low"] < row["survival"] < row["survival_high"] < 0
    assert row["words_to_break"] == pytest.approx(-19 / 80)
    assert row["separated"] and row["warning"] == "" and row["survival_p"] == row["survival_p_holm"]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "tables/comparisons.parquet"), table)
    assert list(pd.read_csv(tmp_path / "tables/comparisons.csv").columns) == list(COMPARISONS)


def test_rows_that_cannot_separate_two_students_say_how_many_would(tmp_path: Path) -> None:
    table = pair(tmp_path, attacked("deepwordbug", "s" * 3 + "b" * 7), attacked("deepwordbug", "sbsbbbbbbb"))
    (row,) = table.to_dict(orient="records")
    assert not row["separated"] and row["rows_needed"] > 10
    assert row["warning"].startswith("the 10 rows cannot separate")


@pytest.mark.parametrize(
    "changes",
    [{"plan": "another"}, {"seed": 6}, {"attack": "pwws"}, {"outcomes": "", "shares": ()}, {"outcomes": "sss"}],
)
def test_students_that_did_not_meet_the_same_frozen_rows_are_not_compared(
    changes: dict[str, object], tmp_path: Path
) -> None:
    other = replace(attacked("deepwordbug", WEAK), **changes)  # type: ignore[arg-type]
    assert pair(tmp_path, attacked("deepwordbug", STRONG), other).empty


def test_a_student_that_was_stopped_early_is_not_compared(tmp_path: Path) -> None:
    stopped = attacked("deepwordbug", WEAK, stopped=Stopped(40, 200, 0.5, 0.05))
    best, second = record(1, measured(attacked("deepwordbug", STRONG))), record(2, measured(stopped))
    finalists = [replace(which, number=which.number + 2, role="finalist") for which in (best, second)]
    table, _ = write_comparisons(results_of(tmp_path, best, second, *finalists))
    assert table.empty and list(table.columns) == list(COMPARISONS)


def test_finalists_are_compared_with_the_retraining_of_what_the_search_found_best(
    tmp_path: Path,
) -> None:
    best, second = (
        record(1, measured(attacked("deepwordbug", STRONG))),
        record(2, measured(attacked("deepwordbug", WEAK))),
    )
    finalists = [
        replace(which, number=10 + 2 * replicate + place, role="finalist", replicate=replicate,
                measurements=measured(attacked("pruthi", outcomes)))
        for replicate in (0, 1)
        for place, (which, outcomes) in enumerate(((best, WEAK), (second, STRONG)))
    ]  # fmt: skip
    table, _ = write_comparisons(results_of(tmp_path, best, second, *finalists))
    assert table["student"].tolist() == [f"{second.id[:8]}.{replicate}" for replicate in (0, 1)]
    assert table["against"].tolist() == [f"{best.id[:8]}.{replicate}" for replicate in (0, 1)]
    assert (table["survival"] > 0).all() and set(table["role"]) == {"finalist"}
    assert table["survival_p_holm"].tolist() == pytest.approx([2 * p for p in table["survival_p"]])
    (shown,) = comparison_tables(table)
    assert shown.title == "Against the best: finalists, paired by row" and len(shown.notes) == 3
    told = f"{second.id[:8]}.0 keeps 47.5 points of the 40 rows more under attack than {best.id[:8]}.0: they are told "
    assert shown.notes[0] == f"{told}apart (p below 0.001)."
    assert all(cells[3].startswith("+47.5 pts [") for cells in shown.texts())


def test_a_pair_that_is_not_separated_says_how_many_rows_would_and_that_the_best_was_chosen_on_them(
    tmp_path: Path,
) -> None:
    table = pair(tmp_path, attacked("deepwordbug", "s" * 3 + "b" * 7), attacked("deepwordbug", "sbsbbbbbbb"))
    (shown,) = comparison_tables(table)
    verdict = shown.notes[0]
    assert "cannot be told apart on 10 rows (p " in verdict and verdict.endswith(" would tell them apart.")
    assert comparison_verdicts(table) == [verdict]
    assert "the best was chosen on these very rows" in shown.notes[-1]
