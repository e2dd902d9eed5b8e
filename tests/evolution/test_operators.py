from __future__ import annotations

import pytest
from evolution.landscapes import DAG, ENCODERS

from rosearch.evolution.encoder_variation import ENCODER_MUTATIONS
from rosearch.evolution.mutation import mutations_of
from rosearch.evolution.operators import operators_of


def test_each_kind_of_space_has_operators_of_its_own() -> None:
    assert list(operators_of(DAG).mutations) == mutations_of(DAG)
    assert set(operators_of(ENCODERS).mutations) == set(ENCODER_MUTATIONS)


def test_a_kind_without_operators_is_named() -> None:
    with pytest.raises(TypeError, match="no operators vary the genotypes of a dict"):
        operators_of({})  # type: ignore[arg-type]
