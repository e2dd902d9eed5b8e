from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rosearch.records.record import Record
from rosearch.report.features import FEATURES
from rosearch.report.statistics import (
    COLUMNS,
    OUTCOMES,
    feature_statistics,
    usable_rows,
)
from rosearch.report.statistics_tables import statistics_tables, statistics_verdicts
from rosearch.report.tables import records_table

Search = Callable[[int], Sequence[Record]]


def table(rows: int, seed: int = 0, **columns: object) -> pd.DataFrame:
    """A minimal table of done candidates whose features and outcomes are random, but for `columns`."""
    rng = np.random.default_rng(seed)
    made = {name: rng.integers(0, 9, rows).astype(float) for name in (*FEATURES, *OUTCOMES)}
    fixed = {"role": "candidate", "status": "done", "largest_class_share": 0.5}
    return pd.DataFrame({**made, **columns}).assign(**{k: v for k, v in fixed.items() if k not in columns})


def row(statistics: pd.DataFrame, feature: str, outcome: str = "quality") -> pd.Series:
    return statistics[(statistics["feature"] == feature) & (statistics["outcome"] == outcome)].iloc[0]


def test_there_is_a_row_for_every_outcome_and_feature() -> None:
    statistics = feature_statistics(table(20))
    assert list(zip(statistics["outcome"], statistics["feature"])) == [(o, f) for o in OUTCOMES for f in FEATURES]
    assert {name: str(dtype) for name, dtype in statistics.dtypes.items()} == COLUMNS


@given(st.integers(0, 2**32), st.integers(10, 60))
@settings(max_examples=15)
def test_plain_correlations_are_scipys_spearman(seed: int, rows: int) -> None:
    made = table(rows, seed)
    expected = stats.spearmanr(made["depth"], made["quality"])
    got = row(feature_statistics(made, features=["depth"]), "depth")
    assert got["rho"] == pytest.approx(expected.statistic)
    assert got["p"] == pytest.approx(expected.pvalue)
    assert got["n"] == rows


@given(st.integers(0, 2**32), st.integers(10, 60))
@settings(max_examples=15)
def test_partial_correlations_are_those_of_what_a_regression_on_ranks_leaves(seed: int, rows: int) -> None:
    made = table(rows, seed)
    x, y, z = (stats.rankdata(made[name]) for name in ("depth", "quality", "parameters"))
    design = np.stack([np.ones(rows), z], axis=1)
    left = [values - design @ np.linalg.lstsq(design, values, rcond=None)[0] for values in (x, y)]
    rho = np.corrcoef(*left)[0, 1]
    got = row(feature_statistics(made, features=["depth"]), "depth")
    assert got["partial_rho"] == pytest.approx(rho)
    t = rho * math.sqrt((rows - 3) / (1 - rho**2))
    assert got["partial_p"] == pytest.approx(2 * stats.t.sf(abs(t), rows - 3))


def test_a_relation_through_parameters_alone_vanishes_when_they_are_controlled_for() -> None:
    rng = np.random.default_rng(1)
    size = rng.normal(size=400)
    made = table(
        400,
        parameters=size,
        depth=size + rng.normal(size=400),
        quality=size + rng.normal(size=400),
        width=size,
    )
    got = row(feature_statistics(made), "depth")
    assert got["rho"] > 0.3 and got["p_holm"] < 0.001
    assert abs(got["partial_rho"]) < 0.12


@pytest.mark.parametrize("rows", [6, 7])
def test_with_few_rows_p_is_the_share_of_orders_as_extreme(rows: int) -> None:
    made = table(rows, depth=np.arange(rows), quality=[*range(1, rows), 0], parameters=[0, 1] * 3 + [2] * (rows - 6))
    rho = stats.spearmanr(made["depth"], made["quality"]).statistic
    orders = [stats.spearmanr(made["depth"], list(order)).statistic for order in permutations(range(rows))]
    exact = np.mean(np.abs(orders) >= abs(rho) - 1e-9)
    assert row(feature_statistics(made), "depth")["p"] == pytest.approx(exact, abs=0.02)


def test_a_perfect_order_has_a_small_p_that_is_not_zero() -> None:
    got = row(feature_statistics(table(12, depth=np.arange(12), quality=np.arange(12))), "depth")
    assert got["rho"] == pytest.approx(1)
    assert 0 < got["p"] < 1e-6


def test_a_constant_feature_is_named_and_not_nan_without_a_word() -> None:
    statistics = feature_statistics(table(20, depth=4.0))
    got = row(statistics, "depth")
    assert math.isnan(got["rho"]) and math.isnan(got["p_holm"])
    assert got["note"] == "depth is constant (4)"
    missing = statistics[statistics["rho"].isna() | statistics["partial_rho"].isna()]
    assert (missing["note"] != "").all()


def test_a_constant_outcome_is_named() -> None:
    assert row(feature_statistics(table(20, quality=0.5)), "depth")["note"] == "quality is constant (0.5)"


def test_the_control_has_no_correlation_beyond_itself() -> None:
    got = row(feature_statistics(table(20)), "parameters")
    assert not math.isnan(got["rho"]) and math.isnan(got["partial_rho"])
    assert got["note"] == "is what the others are controlled for"


def test_a_feature_that_moves_only_with_parameters_is_named() -> None:
    got = row(feature_statistics(table(20, parameters=np.arange(20), rank=-np.arange(20.0))), "rank")
    assert math.isnan(got["partial_rho"])
    assert got["note"] == "feature is ordered exactly as parameters"


def test_constant_parameters_change_no_correlation() -> None:
    got = row(feature_statistics(table(20, parameters=1e6)), "depth")
    assert (got["partial_rho"], got["partial_p"]) == (got["rho"], got["p"])
    assert got["note"] == "parameters are constant: nothing to control for"


def test_a_feature_that_some_lack_is_counted_over_those_that_have_it() -> None:
    kernels = np.where(np.arange(20) < 6, math.nan, np.arange(20))
    statistics = feature_statistics(table(20, mean_kernel=kernels))
    assert row(statistics, "mean_kernel")["n"] == 14
    assert row(statistics, "depth")["n"] == 20


def test_a_feature_that_all_lack_is_named() -> None:
    assert row(feature_statistics(table(20, mean_kernel=math.nan)), "mean_kernel")["note"] == (
        "no candidate has this feature"
    )


def test_too_few_candidates_are_named() -> None:
    got = row(feature_statistics(table(4, depth=np.arange(4), quality=np.arange(4))), "depth")
    assert got["note"] == "only 4 candidates" and math.isnan(got["p"])


def test_outcomes_that_nobody_has_have_no_rows() -> None:
    statistics = feature_statistics(table(20, under_attack=math.nan, words_to_break=math.nan))
    assert set(statistics["outcome"]) == {"quality"}


def test_each_of_several_attacks_is_an_outcome_and_one_that_only_finalists_met_is_none() -> None:
    both = table(20, under_attack_a=np.arange(20.0), under_attack_b=np.arange(20.0) % 7)
    assert list(feature_statistics(both)["outcome"].unique()) == [*OUTCOMES, "under_attack_a", "under_attack_b"]
    roles = ["candidate"] * 19 + ["finalist"]
    alone = both.assign(under_attack_b=[math.nan] * 19 + [0.5], role=roles)
    assert list(feature_statistics(alone)["outcome"].unique()) == list(OUTCOMES)


def test_an_empty_table_has_no_statistics_and_all_columns() -> None:
    statistics = feature_statistics(records_table([]))
    assert len(statistics) == 0 and list(statistics.columns) == list(COLUMNS)


def test_failed_and_foreign_records_are_left_out_and_counted(search_records: Search) -> None:
    made = records_table(search_records(12))
    sample = usable_rows(made)
    assert (len(sample.rows), sample.failed, sample.unfinished, sample.baselines, sample.finalists) == (
        12,
        1,
        1,
        1,
        1,
    )
    assert str(sample) == "12 candidates (left out: 1 failed, 1 unfinished, 1 baseline, 1 finalist)"
    statistics = feature_statistics(made)
    assert set(statistics["failed"]) == {1}
    assert set(statistics.loc[statistics["feature"] == "depth", "n"]) == {12}


def test_baselines_are_used_when_asked_for(search_records: Search) -> None:
    sample = usable_rows(records_table(search_records(12)), include_baselines=True)
    assert (len(sample.rows), sample.baselines) == (13, 0)


def test_constant_predictors_are_left_out_and_counted() -> None:
    made = table(20, largest_class_share=[0.95, math.nan, *[0.6] * 18])
    sample = usable_rows(made)
    assert (len(sample.rows), sample.constant) == (19, 1)
    assert len(usable_rows(made, max_class_share=1.0).rows) == 20


def test_the_same_table_gives_the_same_statistics() -> None:
    pd.testing.assert_frame_equal(feature_statistics(table(8)), feature_statistics(table(8)))


def test_statistics_of_a_run_find_what_its_robustness_was_made_of(search_records: Search) -> None:
    statistics = feature_statistics(records_table(search_records(60)))
    got = row(statistics, "attention_share", "under_attack")
    assert got["rho"] > 0.6 and got["partial_rho"] > 0.5 and got["p_holm"] < 0.001


def test_features_without_a_correlation_are_one_line_for_each_reason_and_the_verdict_is_a_sentence() -> None:
    columns = {name: [float(value) for value in range(12)] for name in ("depth", "parameters")}
    table = pd.DataFrame({**columns, "width": [4.0] * 12, "rank": [8.0] * 12, "heads": [math.nan] * 12})
    table = table.assign(
        under_attack=[value / 20 for value in range(12)],
        words_to_break=math.nan,
        quality=math.nan,
        role="candidate",
        status="done",
        largest_class_share=0.5,
    )
    found = feature_statistics(table, features=("depth", "parameters", "width", "rank", "heads"))
    (shown,) = statistics_tables(found)
    assert shown.title == "What goes with accuracy under attack (Spearman)"
    assert [cells[0] for cells in shown.texts()] == ["depth", "parameters"]
    assert shown.notes[0].startswith("These go with accuracy under attack, at p below 0.05 after Holm's adjustment: ")
    assert "depth (+1.00)" in shown.notes[0] and statistics_verdicts(found) == [shown.notes[0]]
    assert "the same in all candidates: width, rank" in shown.notes
    assert "no candidate has this feature: heads" in shown.notes
