from __future__ import annotations

from dataclasses import replace
from math import log

import pytest
from evolution.landscapes import DAG, ENCODERS, answer, build, evolution, failing, hilly, measurements, run

from rosearch.config.fitness import FitnessConfig, RewardConfig
from rosearch.errors import BadInput
from rosearch.evolution.fitness import Yardstick
from rosearch.evolution.front import by_scalar
from rosearch.evolution.kd_nas import KdNas, agreements
from rosearch.measurements import Latency, Measurements
from rosearch.records.record import Record
from rosearch.space.genotype import Genotype

REWARDED = FitnessConfig(reward=RewardConfig(), min_quality=0)


def smooth(genotype: Genotype) -> Measurements:
    """Loss falls and latency rises with depth and width, as they do."""
    layers, _, hidden, ffn, activation = ENCODERS.choice(genotype)
    loss = 0.8 - 0.06 * log(layers) - 0.08 * log(hidden / 384) - 0.03 * log(ffn / 384) - 0.01 * (activation == "gelu")
    latency = 1.0 + 1e-6 * layers * (4 * hidden**2 + 2 * hidden * ffn)
    found = measurements()
    timed = replace(found.efficiency, latency=(Latency(1, latency, latency, latency),))
    return replace(found, held_out_loss=loss, efficiency=timed)


def search(predictor: str = "boosting", **controller: object) -> KdNas:
    settings = {"predictor": predictor, "passes": 40, "exploration_step": 0.25} | controller
    config = evolution("kd_nas", candidates=48, population=12, kd_nas=settings)
    strategy = KdNas(config, ENCODERS, 1, Yardstick(REWARDED, 0.9, 60.0))
    return strategy


def kinds(records: list[Record]) -> list[str]:
    return [record.origin.partition(":")[0] for record in records]


def test_exploration_falls_by_its_step_to_its_least() -> None:
    told = run(search(exploration_least=0.5), smooth)
    assert [kinds(records).count("sample") for records in told] == [12, 9, 6, 6]
    assert all(record.parents == () for records in told for record in records)


@pytest.mark.parametrize("predictor", ["lstm", "boosting", "gaussian_process"])
def test_what_it_chooses_is_better_than_what_it_draws(predictor: str) -> None:
    strategy = search(predictor)
    records = [record for records in run(strategy, smooth) for record in records]
    rewards = {kind: [] for kind in ("chosen", "sample")}
    for record in records:
        rewards[record.origin.partition(":")[0]].append(strategy.fitnesses[record.id].scalar)
    mean = {kind: sum(values) / len(values) for kind, values in rewards.items()}
    assert mean["chosen"] > mean["sample"]
    assert strategy.best() == by_scalar(strategy._scored())


def test_the_chosen_are_the_best_predicted_of_all_that_are_unseen() -> None:
    strategy = search()
    strategy.tell(answer(strategy.ask(), 0, 1, smooth))
    predicted = {kind: [] for kind in ("chosen", "sample")}
    for proposal in strategy.ask():
        kind, _, reward = proposal.origin.partition(":")
        predicted[kind].append(float(reward))
    assert len(predicted["chosen"]) == 3 and len(predicted["sample"]) == 9
    assert min(predicted["chosen"]) >= max(predicted["sample"])
    assert predicted["chosen"] == sorted(predicted["chosen"], reverse=True)


def test_a_first_episode_is_that_of_random_search() -> None:
    ours, random = search().ask(), build("random", ENCODERS).ask()
    assert {proposal.origin for proposal in ours} == {"sample"}
    assert [proposal.genotype.id for proposal in ours][: len(random)] == [one.genotype.id for one in random]


def test_predictions_are_held_against_what_was_observed_of_each_episode() -> None:
    strategy = search()
    told = run(strategy, smooth)
    found = strategy.correlations
    assert [one.episode for one in found] == [1, 2, 3]
    assert [(one.drawn.n, one.chosen.n) for one in found] == [(9, 3), (6, 6), (3, 9)]
    assert found[0].drawn.kendall is not None and found[0].drawn.kendall > 0.3
    scored = [(record, strategy.fitnesses[record.id]) for records in told for record in records]
    assert agreements(scored) == found  # by the records alone


def test_a_prediction_is_made_before_its_episode_is_told() -> None:
    """Another outcome of the second episode leaves what was predicted of it, and changes what follows."""
    one, other = search(), search()
    for strategy, second in ((one, smooth), (other, failing)):
        strategy.tell(answer(strategy.ask(), 0, 1, smooth))
        strategy.tell(answer(strategy.ask(), 1, 13, second))
    assert [p.origin for p in one.ask()] != [p.origin for p in other.ask()]
    assert one.correlations[0].drawn.n == 9 and other.correlations == []


def test_other_strategies_have_no_predictions() -> None:
    strategy = build("random", ENCODERS)
    told = [record for records in run(strategy, hilly) for record in records]
    assert agreements([(record, strategy.fitnesses[record.id]) for record in told]) == []


def test_a_space_of_graphs_is_refused_in_one_line() -> None:
    with pytest.raises(BadInput) as caught:
        build("kd_nas", DAG)
    (problem,) = caught.value.problems
    assert str(problem) == (
        "experiment: search_space: expected a search space of encoders (such as kd_nas), "
        "which kd_nas needs, got robust_dag, a space of graphs"
    )


def test_what_starts_warm_is_learnt_and_not_a_prediction() -> None:
    config = evolution("kd_nas", warm_start=["bert_mini"], kd_nas={"predictor": "boosting", "exploration": 0.5})
    strategy = build(config)
    first = strategy.ask()
    assert [proposal.origin for proposal in first] == ["warm_start:bert_mini", *["sample"] * 7]
    strategy.tell(answer(first, 0, 1, hilly))
    assert sum(proposal.origin.startswith("chosen:") for proposal in strategy.ask()) == 4
