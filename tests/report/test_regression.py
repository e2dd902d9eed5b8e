from __future__ import annotations

import numpy as np
from report.descent import evolve

from rosearch.report.regression import regression_statistics, regression_tables


def test_a_feature_that_makes_the_outcome_predicts_strangers_and_is_named() -> None:
    table = evolve(1, 40, 1)
    found = regression_statistics(table.assign(quality=table["depth"])).set_index("predictors")
    assert found.loc["architecture", "r2_low"] > 0.9 and found.loc["architecture", "strongest"].startswith("depth +")
    assert found.loc["parameters", "r2"] < 0.2 and found.loc["architecture", "groups"] == 40


def test_what_relatives_share_predicts_relatives_but_no_strangers() -> None:
    rng = np.random.default_rng(1)
    table = evolve(2, 10, 8)
    first = table["parents"].str.split().str[0]
    place = {one: at for at, one in enumerate(table["id"])}
    lineage = list(range(len(table)))
    for at, parent in enumerate(first):
        lineage[at] = lineage[place[parent]] if isinstance(parent, str) else at
    marks, luck = rng.normal(size=(2, len(table)))
    relatives = table.assign(depth=marks[lineage], quality=luck[lineage], width=np.nan, parameters=marks[lineage] ** 2)
    strangers = regression_statistics(relatives).set_index("predictors")
    known = regression_statistics(relatives.assign(parents="", origin="sample")).set_index("predictors")
    assert strangers.loc["architecture", "r2"] < known.loc["architecture", "r2"]


def test_of_several_runs_a_run_is_held_out_whole() -> None:
    import pandas as pd

    runs = pd.concat([evolve(seed, 8, 2, run=str(seed)) for seed in range(5)], ignore_index=True)
    found = regression_statistics(runs)
    assert set(found["held_out"]) == {"run"} and set(found["groups"]) == {5} and set(found["folds"]) == {5}


def test_too_few_lineages_and_a_constant_outcome_are_told_in_a_line() -> None:
    (shown,) = regression_tables(regression_statistics(evolve(1, 3, 5)))
    assert shown.rows == () and "only 15 candidates in 3 groups" in shown.notes[0]
    (shown,) = regression_tables(regression_statistics(evolve(1, 20, 1).assign(quality=0.5)))
    assert "the outcome is constant: nothing is predicted" in shown.notes
