from __future__ import annotations

import random
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from evolution.landscapes import DAG, ENCODERS, answer, measurements, score, smooth

from rosearch.config.fitness import FitnessConfig, RewardConfig
from rosearch.evolution.fitness import Fitness
from rosearch.evolution.foresight import LEAST, MOST, Foresight, Sizes, Worlds
from rosearch.evolution.front import Objectives, Scored
from rosearch.evolution.hypervolume import Free
from rosearch.measurements import Measurements
from rosearch.records.record import Proposal
from rosearch.space.cost import count_parameters
from rosearch.space.genotype import Genotype

CONFIG = FitnessConfig()


def drawn(count: int, seed: int = 1) -> list[Genotype]:
    rng = random.Random(seed)
    return [DAG.sample(rng).canonical() for _ in range(count)]


def told(genotypes: list[Genotype], config: FitnessConfig = CONFIG) -> list[Scored]:
    records = answer([Proposal(one, "sample") for one in genotypes], 0, 1, smooth)
    return [(record, score(smooth(record.genotype), config, 0.9)) for record in records]


def added(points: list[Objectives], front: list[Objectives]) -> float:
    """The hypervolume that points add together."""
    free, volume = Free(front), 0.0
    for point in points:
        volume += float(free.gains(np.array([point]))[0])
        free = free.without(point)
    return volume


def fronts(scored: list[Scored]) -> list[Fitness]:
    return [found for _, found in scored if found.eligible]


def test_what_it_chooses_adds_more_than_what_it_leaves() -> None:
    known, fresh = told(drawn(48)), drawn(60, seed=2)
    foresight = Foresight.of(known, CONFIG, 1)
    assert foresight is not None
    chosen = foresight.choose(fresh, 20, fronts(known))
    front = [found.objectives for found in fronts(known)]
    truth = [score(smooth(one), CONFIG, 0.9).objectives for one in fresh]
    left = [one for place, one in enumerate(truth) if place not in chosen]
    assert len({*chosen}) == 20
    assert added([truth[place] for place in chosen], front) > 1.5 * added(random.Random(1).sample(left, 20), front)


def test_it_knows_nothing_before_a_few_are_told_of_which_one_may_win() -> None:
    known = told(drawn(LEAST))
    assert Foresight.of(known, CONFIG, 1) is not None
    assert Foresight.of(known[1:], CONFIG, 1) is None
    gated = [(record, replace(found, gates=("min_quality",))) for record, found in known]
    assert Foresight.of(gated, CONFIG, 1) is None
    cut_short = [(record, replace(found, gates=("rung",))) for record, found in known[:1]]
    assert Foresight.of(cut_short + known[1:], CONFIG, 1) is None


def test_of_many_outcomes_it_learns_the_newest_and_a_part_of_those_before() -> None:
    one, other = told(drawn(2))
    many = [(replace(one[0], number=number), one[1]) for number in range(10 * MOST)] + [other] * (MOST // 2)
    foresight = Foresight.of(many, CONFIG, 1)
    assert foresight is not None and len(foresight._processes._rows) == MOST


def test_children_are_chosen_apart_from_those_under_way_and_from_each_other() -> None:
    known, fresh = told(drawn(48)), drawn(30, seed=2)
    foresight = Foresight.of(known, CONFIG, 1)
    assert foresight is not None
    (first,) = foresight.choose(fresh, 1, fronts(known))
    twice = [fresh[first], *fresh]  # the same expectation: it adds nothing once it is taken, or under way
    assert foresight.choose(twice, 2, fronts(known))[1] not in (0, first + 1)
    assert foresight.choose(fresh, 1, fronts(known), under_way=[fresh[first]]) != [first]


def test_worlds_that_begin_with_some_are_those_that_took_them_one_after_the_other() -> None:
    rng = np.random.default_rng(1)
    front = [(0.2, 0.9, 0.5), (0.7, 0.3, 0.6), (0.5, 0.6, 0.1)]
    under_way, children, passes = rng.random((16, 5, 3)), rng.random((16, 20, 3)), rng.random(20)
    one_by_one = Worlds(front, under_way[:, :0])
    before = one_by_one.gains(children, passes)
    for place in range(5):
        one_by_one.take(under_way[:, place])
    gains = Worlds(front, under_way).gains(children, passes)
    assert np.array_equal(gains, one_by_one.gains(children, passes))
    assert (gains <= before).all() and (gains < before).any()


def test_where_nothing_is_attacked_the_other_two_objectives_count() -> None:
    def unattacked(genotype: Genotype) -> Measurements:
        return replace(smooth(genotype), robustness=None)

    known = [(record, score(unattacked(record.genotype), CONFIG, 0.9)) for record, _ in told(drawn(40))]
    foresight = Foresight.of(known, CONFIG, 1)
    assert foresight is not None
    fresh = drawn(40, seed=2)
    chosen = foresight.choose(fresh, 8, fronts(known))
    sums = [sum(score(unattacked(one), CONFIG, 0.9).objectives) for one in fresh]
    assert fmean(sums[place] for place in chosen) > fmean(sums)


def test_of_a_reward_it_expects_the_reward() -> None:
    config = FitnessConfig(reward=RewardConfig(), min_quality=0)
    choices = list(ENCODERS.genotypes())[::7]
    records = answer([Proposal(one, "sample") for one in choices], 0, 1, lambda _: measurements())
    earned = [-0.001 * count_parameters(one).encoder / 1e6 for one in choices]
    whole = [
        (record, replace(score(measurements(), CONFIG, 0.9), scalar=value))
        for record, value in zip(records, earned, strict=True)
    ]
    known, fresh = whole[::2], whole[1::2]
    foresight = Foresight.of(known, config, 1)
    assert foresight is not None
    chosen = foresight.choose([record.genotype for record, _ in fresh], 3, [found for _, found in known])
    ranked = sorted(range(len(fresh)), key=lambda place: -fresh[place][1].scalar)
    assert set(chosen) & set(ranked[:6])


@pytest.mark.parametrize("words", [30522, 4000])
def test_efficiency_by_parameters_is_computed_from_that_of_a_few(words: int) -> None:
    def found(genotype: Genotype) -> Fitness:
        size = count_parameters(genotype, vocabulary=words, labels=5).total
        return score(measurements(compression=109e6 / size), FitnessConfig(full_compression=60), 0.9)

    genotypes = drawn(40)
    records = answer([Proposal(one, "sample") for one in genotypes], 0, 1, smooth)
    sizes = Sizes.of([(record, found(record.genotype)) for record in records[:6]], 60)
    for genotype in genotypes:
        assert sizes.efficiency(genotype) == pytest.approx(found(genotype).efficiency, abs=2e-3)
    other = genotypes[0].with_(source=(("encoding", "typos"),))
    assert np.isnan(sizes.efficiency(other))  # its table of words was never seen
