from __future__ import annotations

import random

import pytest
from evolution.landscapes import answer, build, evolution, hilly, measurements, run

from rosearch.measurements import Measurements
from rosearch.space.genotype import Genotype


@pytest.mark.parametrize("sound", range(9))
def test_parents_are_found_whatever_number_of_a_generation_is_sound(sound: int) -> None:
    strategy = build("nsga2")
    proposals = strategy.ask()
    ids = [proposal.genotype.id for proposal in proposals[:sound]]
    failed = answer(proposals, 0, 1, lambda genotype: measurements(share=1.0))
    done = answer(proposals, 0, 1, hilly)
    strategy.tell([good if good.id in ids else bad for good, bad in zip(done, failed)])
    parents = {parent for proposal in strategy.ask() for parent in proposal.parents}
    assert parents
    if sound >= 4:  # half a population: the gated are not needed
        assert parents <= set(ids)


def corner(genotype: Genotype) -> Measurements:
    """One objective is high at the cost of the others; which one is luck."""
    values = [0.75, 0.05, 2.0]
    kind = random.Random(genotype.id).randrange(3)
    values[kind] = (1.0, 0.9, 15.0)[kind]
    return measurements(quality=values[0], words=values[1], compression=values[2])


def test_the_front_keeps_every_corner_that_a_scalar_would_give_up() -> None:
    strategy = build(evolution("nsga2", candidates=40))
    records = [record for records in run(strategy, corner) for record in records]
    kinds = {random.Random(record.id).randrange(3) for record in strategy.front()}
    assert kinds == {0, 1, 2}
    last = [parent for record in records[-8:] for parent in record.parents]
    assert {random.Random(parent).randrange(3) for parent in last} == {0, 1, 2}


def test_the_dominated_of_earlier_generations_no_longer_breed() -> None:
    strategy = build(evolution("nsga2", candidates=40))
    first = {proposal.genotype.id for proposal in strategy.ask()}
    poor = measurements(quality=0.73, words=0.0, compression=1.1)
    told = run(strategy, lambda genotype: poor if genotype.id in first else hilly(genotype))
    assert {parent for record in told[1] for parent in record.parents} <= first
    assert not {parent for record in told[2] for parent in record.parents} & first


def test_winners_come_front_by_front() -> None:
    strategy = build(evolution("nsga2", candidates=40))
    run(strategy)
    front = strategy.front()
    assert [record.id for record in strategy.best()[: len(front)]] == [record.id for record in front]
