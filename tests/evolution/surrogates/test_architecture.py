from __future__ import annotations

import random

import numpy as np
import pytest
from evolution.landscapes import DAG, ENCODERS

from rosearch.evolution.surrogates.architecture import farthest, features, table
from rosearch.space.genotype import Genotype
from rosearch.space.loading import load_space
from rosearch.space.node import Node
from rosearch.space.space import Space


@pytest.mark.parametrize("space", [DAG, ENCODERS, load_space("robust_input")], ids=["graphs", "encoders", "input"])
def test_unlike_architectures_have_unlike_features_and_a_table_holds_them(space: Space) -> None:
    rng = random.Random(1)
    genotypes = {one.id: one for one in (space.sample(rng).canonical() for _ in range(40))}
    told = [features(one) for one in genotypes.values()]
    rows = table(told, sorted(set().union(*told)))
    assert np.isfinite(rows).all() and len(np.unique(rows, axis=0)) == len(genotypes)


def test_features_hang_on_no_numbering() -> None:
    one, other = Node.of("ffn", (0,), ratio=1.0, activation="gelu"), Node.of("glu", (0,))
    either = [Genotype(64, 32, "mean", nodes).canonical() for nodes in ((one, other), (other, one))]
    assert features(either[0]) == features(either[1])


def test_the_farthest_are_spread_and_far_from_the_others() -> None:
    rng = random.Random(1)
    genotypes = [DAG.sample(rng).canonical() for _ in range(40)]
    places = farthest(genotypes, [], 8)
    assert places[0] == 0 and len({*places}) == 8
    assert farthest(genotypes, [genotypes[0]], 7) == places[1:]
    assert sorted(farthest(genotypes, genotypes[:3], 50)) == list(range(40))
    assert farthest([], genotypes, 3) == []
