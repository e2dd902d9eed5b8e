from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from report.descent import evolve
from report.made_records import make_search
from scipy.stats import fisher_exact

from rosearch.report.motifs import motif_statistics, motif_tables, permutation_p
from rosearch.report.tables import records_table


def test_in_one_family_p_is_fishers_exact_test() -> None:
    for both in range(1, 5):
        table = [[both, 4 - both], [6 - both, 10 + both]]
        p, _ = permutation_p([20], [6], [4], [both])
        assert p == pytest.approx(fisher_exact(table).pvalue)


def test_over_families_p_counts_all_choices_of_as_many_siblings() -> None:
    carriers = [np.array([1, 1, 0, 0]), np.array([1, 0, 0])]
    chosen = [2, 1]
    choices = product(*(combinations(range(len(one)), count) for one, count in zip(carriers, chosen, strict=True)))
    sums = [sum(int(one[list(pick)].sum()) for one, pick in zip(carriers, picks, strict=True)) for picks in choices]
    share = {value: sums.count(value) / len(sums) for value in set(sums)}
    for both in ([2, 1], [1, 0], [0, 0]):
        expected = sum(one for one in share.values() if one <= share[sum(both)] + 1e-9)
        p, smallest = permutation_p([4, 3], [2, 1], chosen, both)
        assert p == pytest.approx(expected) and smallest <= p
    assert np.isnan(permutation_p([], [], [], [])).all()


def test_a_pair_that_makes_the_front_is_found_and_one_that_all_have_has_no_p() -> None:
    table = evolve(1, 60, 1)
    good = np.arange(60) < 20
    step = 0.001 * np.arange(60)
    best = {"accuracy": np.where(good, 0.9 + step, 0.5), "robustness": np.where(good, 0.9 - step, 0.5)}
    scored = {f"fitness_{name}": value for name, value in best.items()} | {"fitness_efficiency": 0.5}
    pairs = np.where(good, "conv>ffn glu>ffn", "glu>ffn")
    found = motif_statistics(table.assign(**scored, operation_pairs=pairs)).set_index("motif")
    assert found.loc["conv>ffn", "p_holm"] < 0.001 and np.isnan(found.loc["glu>ffn", "p"])
    assert found.loc["conv>ffn", "observed"] > found.loc["conv>ffn", "expected"]
    (shown,) = motif_tables(found.reset_index())
    assert "the front differs in: conv>ffn" in shown.notes[0]


def test_where_the_front_has_no_siblings_that_differ_a_line_says_so() -> None:
    table = evolve(1, 6, 1).assign(operation_pairs="conv>ffn")
    (shown,) = motif_tables(motif_statistics(table))
    assert shown.rows == () and shown.notes[0].startswith("No pair of operations can be tested")


def test_pairs_are_read_from_the_architectures_and_runs_have_fronts_of_their_own() -> None:
    table = records_table(make_search(30))
    table = table.assign(gates="", fitness=0.5, fitness_robustness=table["under_attack"])
    table = table.assign(fitness_accuracy=table["quality"], fitness_efficiency=-table["parameters"])
    assert "conv>" in " ".join(table["operation_pairs"])
    both = pd.concat([table.assign(run="0"), table.assign(run="1")], ignore_index=True)
    one, two = motif_statistics(table), motif_statistics(both)
    assert two["front"].iloc[0] == 2 * one["front"].iloc[0] and (one["p"].dropna() <= 1).all()
