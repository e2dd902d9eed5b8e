from __future__ import annotations

import numpy as np
import pandas as pd
from report.descent import evolve

from rosearch.report.kinship import Kinship


def table(**columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame({"role": ["candidate"] * len(columns["id"]), "generation": 0, **columns})


def test_those_of_the_same_parents_are_siblings_whatever_their_order_and_founders_are_siblings_of_each_other() -> None:
    kin = Kinship.of(
        table(
            id=["a", "b", "c", "d", "e", "f"],
            parents=["", "", "a", "a b", "b a", "a"],
            origin=["sample", "sample", "mutation:x", "crossover", "crossover", "mutation:y"],
        )
    )
    assert kin.families.tolist() == [0, 0, 1, 2, 2, 1] and kin.comparisons == 3
    assert kin.lineages.tolist() == [0, 1, 0, 0, 1, 0]


def test_a_named_start_is_alone_and_what_was_chosen_is_kin_to_its_own_generation_only() -> None:
    made = table(
        id=["a", "b", "c", "d"],
        parents=[""] * 4,
        origin=["warm_start:tinybert4", "chosen:0.7", "chosen:0.6", "chosen:0.9"],
    )
    kin = Kinship.of(made.assign(generation=[0, 1, 1, 2]))
    assert kin.families.tolist() == [0, 1, 1, 2]


def test_runs_are_kept_apart_though_they_tried_the_same_architecture() -> None:
    made = table(id=["a", "b", "a", "b"], parents=["", "a", "", "a"], origin=["sample", "mutation:x"] * 2)
    kin = Kinship.of(made.assign(run=["0", "0", "1", "1"]))
    assert kin.families.tolist() == [0, 1, 2, 3] and kin.lineages.tolist() == [0, 0, 1, 1]


def test_a_random_search_is_one_family_of_as_many_lineages_as_candidates() -> None:
    kin = Kinship.of(evolve(1, 12, 1))
    assert kin.comparisons == 11 and kin.effective_lineages == 12


def test_an_evolution_has_fewer_lineages_than_candidates_and_a_table_without_descent_is_one_family() -> None:
    kin = Kinship.of(evolve(1, 6, 4))
    assert len(np.unique(kin.lineages)) == 6 and kin.effective_lineages < 6 < len(kin.families)
    assert Kinship.of(pd.DataFrame({"depth": [1, 2, 3]})).comparisons == 2
