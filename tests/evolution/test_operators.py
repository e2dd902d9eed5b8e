from __future__ import annotations

import random
from dataclasses import replace

import pytest
from evolution.landscapes import DAG, ENCODERS
from hypothesis import given, settings
from hypothesis import strategies as st

from rosearch.evolution.mutation import mutations_of
from rosearch.evolution.operators import ENCODER_MUTATIONS, cross_encoders, operators_of
from rosearch.space.encoder_space import EncoderChoice

FIELDS = EncoderChoice._fields
SEEDS = st.integers(0, 2**32)


def test_there_is_a_mutation_for_each_choice() -> None:
    assert list(ENCODER_MUTATIONS) == [f"change_{name}" for name in FIELDS]


@pytest.mark.parametrize("name", FIELDS)
@settings(max_examples=20)
@given(choice=st.sampled_from(ENCODERS.choices()), seed=SEEDS)
def test_a_mutation_changes_the_choice_of_its_name_and_no_other(name: str, choice: EncoderChoice, seed: int) -> None:
    child = ENCODER_MUTATIONS[f"change_{name}"](ENCODERS.genotype(choice), ENCODERS, random.Random(seed))
    assert child is not None
    changed = ENCODERS.choice(child)
    assert [field for field in FIELDS if getattr(changed, field) != getattr(choice, field)] == [name]


def test_a_mutation_reaches_every_other_value() -> None:
    rng, start = random.Random(1), ENCODERS.choices()[0]
    reached = {ENCODER_MUTATIONS["change_ffn"](ENCODERS.genotype(start), ENCODERS, rng) for _ in range(150)}
    assert {ENCODERS.choice(genotype).ffn for genotype in reached if genotype} == set(ENCODERS.ffn) - {start.ffn}


def test_a_mutation_gives_none_where_no_other_value_goes_with_the_rest() -> None:
    one = replace(ENCODERS, layers=(3,), heads=(3, 5), hidden=(24, 40), ffn=(48,))
    three = one.genotype(EncoderChoice(3, 3, 24, 48, "gelu"))  # 5 heads do not divide 24, nor 3 heads 40
    for name in ("layers", "heads", "hidden", "ffn"):
        assert ENCODER_MUTATIONS[f"change_{name}"](three, one, random.Random(1)) is None
    assert ENCODER_MUTATIONS["change_activation"](three, one, random.Random(1)) is not None


@settings(max_examples=60)
@given(a=st.sampled_from(ENCODERS.choices()), b=st.sampled_from(ENCODERS.choices()), seed=SEEDS)
def test_a_child_has_each_choice_from_either_parent(a: EncoderChoice, b: EncoderChoice, seed: int) -> None:
    parents = ENCODERS.genotype(a), ENCODERS.genotype(b)
    child = ENCODERS.choice(cross_encoders(*parents, ENCODERS, random.Random(seed)))
    assert all(value in pair for value, pair in zip(child, zip(a, b)))
    different = sum(one != other for one, other in zip(a, b))
    assert (child in (a, b)) == (different < 2)  # there is a new child of parents that differ in two choices
    assert different >= 2 or child == a


def test_crossover_reaches_every_mixture_of_two_parents() -> None:
    rng = random.Random(1)
    a, b = EncoderChoice(3, 2, 384, 384, "gelu"), EncoderChoice(12, 12, 768, 3072, "silu")
    parents = ENCODERS.genotype(a), ENCODERS.genotype(b)
    assert len({cross_encoders(*parents, ENCODERS, rng).id for _ in range(250)}) == 2**5 - 2


def test_what_is_no_encoder_of_the_space_is_not_varied() -> None:
    foreign = replace(ENCODERS, layers=(5,)).genotype(EncoderChoice(5, 2, 384, 384, "gelu"))
    with pytest.raises(ValueError, match="layers must be one of 3, 4, 6, 10, 12, got 5"):
        ENCODER_MUTATIONS["change_heads"](foreign, ENCODERS, random.Random(1))


def test_each_kind_of_space_has_operators_of_its_own() -> None:
    assert list(operators_of(DAG).mutations) == mutations_of(DAG)
    assert set(operators_of(ENCODERS).mutations) == set(ENCODER_MUTATIONS)


def test_a_kind_without_operators_is_named() -> None:
    with pytest.raises(TypeError, match="no operators vary the genotypes of a dict"):
        operators_of({})  # type: ignore[arg-type]
