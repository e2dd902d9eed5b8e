from __future__ import annotations

import hashlib
import itertools
import json
import math
from dataclasses import asdict, replace

import pytest
from evolution.landscapes import measurements, score
from hypothesis import given
from hypothesis import strategies as st

from rosearch.config.fitness import FitnessConfig, RewardConfig, WeightsConfig
from rosearch.errors import BadInput
from rosearch.evolution.fitness import FORMULA, Yardstick, reward
from rosearch.measurements import Estimate, Latency, Meaning, Measurements, SingleSwaps, Stopped
from rosearch.records.record import Record
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node

CONFIG = FitnessConfig(weights=WeightsConfig(robustness=0.5, accuracy=0.3, efficiency=0.2))


def test_the_scalar_is_the_weighted_mean_of_the_three_terms() -> None:
    fitness = score(measurements(quality=0.9, words=0.4, compression=math.sqrt(20.0)), CONFIG, 0.9)
    assert (fitness.robustness, fitness.accuracy) == (0.4, 0.9)
    assert fitness.efficiency == pytest.approx(0.5)
    assert fitness.scalar == pytest.approx(0.5 * 0.4 + 0.3 * 0.9 + 0.2 * 0.5)
    assert fitness.objectives == (0.4, 0.9, fitness.efficiency)
    assert fitness.eligible and fitness.violation == 0


def test_weights_count_by_their_share_of_the_sum() -> None:
    tenfold = CONFIG.model_copy(update={"weights": WeightsConfig(robustness=5, accuracy=3, efficiency=2)})
    found = measurements()
    assert score(found, tenfold, 0.9).scalar == pytest.approx(score(found, CONFIG, 0.9).scalar)


def test_robustness_is_what_the_experiment_names() -> None:
    found = measurements(under_attack=0.15, words=0.35)
    assert score(found, CONFIG, 0.9).robustness == 0.35
    assert score(found, FitnessConfig(robustness="accuracy_under_attack"), 0.9).robustness == 0.15


def test_robustness_may_be_that_of_single_swaps_in_the_worst_recipe() -> None:
    def swaps(worst: float, margin: float) -> SingleSwaps:
        return SingleSwaps("any", 100, 900, Estimate(worst, 0, 1, 100), Estimate(margin, -4, 4, 100), 0.1)

    found = replace(measurements(), single_swaps=(swaps(0.5, -2.0), swaps(0.4, 1.0)))
    assert score(found, FitnessConfig(robustness="single_swap_worst"), 0.9).robustness == 0.4
    assert score(found, FitnessConfig(robustness="single_swap_margin"), 0.9).robustness == 0.25
    with pytest.raises(BadInput, match=r"search\.single_swaps.*none measured"):
        score(measurements(), FitnessConfig(robustness="single_swap_margin"), 0.9)
    assert score(measurements(attacked=False), FitnessConfig(robustness="single_swap_worst"), 0.9).robustness is None


def test_the_weight_of_an_unmeasured_robustness_goes_to_the_other_terms() -> None:
    fitness = score(measurements(quality=0.9, compression=20.0, attacked=False), CONFIG, 0.9)
    assert fitness.robustness is None
    assert fitness.scalar == pytest.approx((0.3 * 0.9 + 0.2 * 1.0) / 0.5)
    assert fitness.objectives[0] == 0.0


def test_robustness_as_the_only_weight_needs_an_attack() -> None:
    only = FitnessConfig(weights=WeightsConfig(robustness=1, accuracy=0, efficiency=0))
    assert score(measurements(words=0.4), only, 0.9).scalar == pytest.approx(0.4)
    with pytest.raises(BadInput, match=r"fitness\.weights"):
        score(measurements(attacked=False), only, 0.9)


@pytest.mark.parametrize(("compression", "efficiency"), [(0.5, 0.0), (1.0, 0.0), (20.0, 1.0), (400.0, 1.0)])
def test_efficiency_is_clipped_between_the_teacher_and_full_compression(compression: float, efficiency: float) -> None:
    assert score(measurements(compression=compression), CONFIG, 0.9).efficiency == pytest.approx(efficiency)


def test_efficiency_counts_what_the_experiment_names() -> None:
    found = measurements(compression=8.0)  # its FLOPs are compressed by 4
    timed = replace(found, efficiency=replace(found.efficiency, latency=(Latency(1, 2.0, 1.9, 2.1),)))
    by = {
        kind: score(timed, FitnessConfig(efficiency=kind), 0.9, teacher_latency_ms=4.0).efficiency  # type: ignore[arg-type]
        for kind in ("parameters", "flops", "latency")
    }
    assert by == pytest.approx({"parameters": math.log(8, 20), "flops": math.log(4, 20), "latency": math.log(2, 20)})


def test_latency_that_was_not_measured_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(BadInput, match="repeats above 0"):
        score(measurements(), FitnessConfig(efficiency="latency"), 0.9, teacher_latency_ms=4.0)


def test_quality_below_the_share_of_the_teachers_is_gated_by_how_much_is_missing() -> None:
    fitness = score(measurements(quality=0.70), CONFIG, teacher_quality=0.9)  # 0.8 x 0.9 = 0.72 is needed
    assert fitness.gates == ("min_quality",)
    assert fitness.violation == pytest.approx(0.02)
    assert score(measurements(quality=0.8 * 0.9), CONFIG, teacher_quality=0.9).eligible


def test_a_constant_predictor_is_gated_whatever_its_quality() -> None:
    fitness = score(measurements(quality=0.95, share=1.0), CONFIG, 0.9)
    assert fitness.gates == ("max_class_share",)
    assert fitness.violation == pytest.approx(0.1)
    assert score(measurements(share=0.9), CONFIG, 0.9).eligible


def test_a_candidate_whose_attack_was_stopped_as_hopeless_never_wins() -> None:
    found = measurements(under_attack=0.05)
    assert found.robustness is not None
    stopped = replace(found, robustness=replace(found.robustness, stopped=Stopped(40, 200, 0.2, 0.05)))
    fitness = score(stopped, CONFIG, 0.9)
    assert fitness.gates == ("hopeless",) and fitness.violation == pytest.approx(0.15)
    assert fitness.finite and not fitness.eligible


def test_both_gates_add_their_violations() -> None:
    fitness = score(measurements(quality=0.5, share=1.0), CONFIG, 0.9)
    assert fitness.gates == ("min_quality", "max_class_share")
    assert fitness.violation == pytest.approx(0.22 + 0.1)


def test_a_regression_has_no_class_share_and_a_negative_correlation_counts_as_none() -> None:
    fitness = score(measurements(quality=-0.3, share=None, attacked=False), CONFIG, 0.9)
    assert fitness.accuracy == 0.0
    assert fitness.gates == ("min_quality",)
    assert fitness.violation == pytest.approx(0.72 + 0.3)


@pytest.mark.parametrize("worthless", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["quality", "words", "compression", "share"])
def test_a_value_that_is_no_finite_number_is_never_eligible(field: str, worthless: float) -> None:
    whole = measurements()
    spoilt = {
        "quality": lambda: replace(whole, quality=replace(whole.quality, value=worthless)),
        "words": lambda: replace(
            whole,
            robustness=replace(
                whole.robustness, words_to_break=replace(whole.robustness.words_to_break, value=worthless)
            ),  # type: ignore[type-var,union-attr]
        ),
        "compression": lambda: replace(whole, efficiency=replace(whole.efficiency, compression=worthless)),
        "share": lambda: replace(whole, quality=replace(whole.quality, largest_class_share=worthless)),
    }[field]()
    fitness = score(spoilt, CONFIG, 0.9)
    assert not fitness.finite and not fitness.eligible
    assert fitness.gates == ("finite",)


def rewarded(loss: float | None = 0.3, latency_ms: float = 6.0) -> Measurements:
    found = measurements()
    timed = replace(found.efficiency, latency=(Latency(1, latency_ms, 1, 9), Latency(32, 99.0, 90, 110)))
    return replace(found, held_out_loss=loss, efficiency=timed)


def test_a_reward_takes_the_place_of_the_weighted_mean() -> None:
    config = FitnessConfig(reward=RewardConfig(alpha=-0.06, beta=0.6))
    fitness = score(rewarded(loss=0.3, latency_ms=6.0), config, 0.9, teacher_latency_ms=20.0)
    assert fitness.scalar == pytest.approx(0.7 * 0.5**-0.06)
    weighted = score(rewarded(), FitnessConfig(), 0.9)
    assert fitness.objectives == weighted.objectives and fitness.eligible
    even = score(rewarded(loss=0.3, latency_ms=12.0), config, 0.9, teacher_latency_ms=20.0)
    assert even.scalar == pytest.approx(0.7)  # at beta of the teacher's latency the loss alone counts


def test_gates_hold_whatever_the_reward() -> None:
    config = FitnessConfig(reward=RewardConfig())
    constant = replace(rewarded(loss=0.0), quality=measurements(share=1.0).quality)
    assert score(constant, config, 0.9, 20.0).gates == ("max_class_share",)


LOSSES, LATENCIES = st.floats(0, 1e6), st.floats(1e-3, 1e6)


@given(LOSSES, LOSSES, LATENCIES, LATENCIES)
def test_less_loss_and_less_latency_never_have_a_lower_reward(a: float, b: float, slow: float, fast: float) -> None:
    low, high = sorted((a, b))
    fast, slow = sorted((fast, slow))
    config = RewardConfig()
    rewards = [reward(loss, ms, 30.0, config) for loss, ms in ((low, fast), (low, slow), (high, fast), (high, slow))]
    assert all(math.isfinite(value) for value in rewards)
    best, slower, lossier, worst = rewards
    assert best >= slower and best >= lossier and slower >= worst and lossier >= worst


def test_a_reward_needs_a_loss_and_latencies_that_were_measured() -> None:
    config = FitnessConfig(reward=RewardConfig())
    with pytest.raises(BadInput, match=r"fitness\.reward: expected a measured held-out loss of distillation, got none"):
        score(rewarded(loss=None), config, 0.9, 20.0)
    for untimed, teacher_ms in ((replace(measurements(), held_out_loss=0.3), 20.0), (rewarded(), None)):
        with pytest.raises(BadInput, match=r"fitness\.reward: expected measured latency .* remove fitness\.reward"):
            score(untimed, config, 0.9, teacher_ms)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_finite_number_is_never_eligible(loss: float) -> None:
    config = FitnessConfig(reward=RewardConfig())
    assert score(rewarded(loss), config, 0.9, 20.0).gates == ("finite",)
    assert score(rewarded(latency_ms=0.0), config, 0.9, 20.0).gates == ("finite",)


def meaning(name: float = 0.95, contrast: float = 0.6, purity: float = 0.95) -> Meaning:
    def share(value: float) -> Estimate:
        return Estimate(value, value - 0.05, value + 0.05, 100)

    return Meaning({"name": share(name), "religion": share(0.95)}, share(contrast), purity)


@pytest.mark.parametrize(
    ("found", "missed"),
    [
        (meaning(), ()),
        (meaning(name=0.7), ("min_invariance",)),
        (meaning(name=0.76), ()),  # the interval reaches the gate
        (meaning(purity=0.5), ("min_purity",)),
        (meaning(contrast=0.3), ("min_contrast",)),
        (replace(meaning(), contrast=None, purity=None), ()),
        (None, ()),  # a record of an older version, or a regression
    ],
)
def test_a_student_that_does_not_tell_words_apart_is_gated_however_robust_it_is(
    found: Meaning | None, missed: tuple[str, ...]
) -> None:
    config = FitnessConfig(min_contrast=0.4)
    fitness = score(replace(measurements(under_attack=1.0, words=1.0), meaning=found), config, 0.9)
    assert fitness.gates == missed
    assert fitness.eligible == (fitness.violation == 0) == (not missed)


@pytest.mark.parametrize(
    ("gate", "violation"), [("min_under_attack", 0.1), ("max_parameters", 1.0), ("max_latency_ms", 0.5)]
)
def test_a_hard_limit_that_is_missed_is_a_gate_with_its_margin(gate: str, violation: float) -> None:
    found = measurements(under_attack=0.2)
    timed = replace(found, efficiency=replace(found.efficiency, parameters=200, latency=(Latency(1, 3.0, 2.9, 3.1),)))
    strict = {"min_under_attack": 0.3, "max_parameters": 100, "max_latency_ms": 2.0}[gate]
    met = {"min_under_attack": 0.2, "max_parameters": 200, "max_latency_ms": 3.0}[gate]
    fitness = score(timed, CONFIG.model_copy(update={gate: strict}), 0.9)
    assert fitness.gates == (gate,) and fitness.violation == pytest.approx(violation)
    assert score(timed, CONFIG.model_copy(update={gate: met}), 0.9).eligible


def test_a_limit_of_latency_without_measured_latency_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(BadInput, match=r"fitness\.max_latency_ms.*repeats above 0, or remove fitness\.max_latency_ms"):
        score(measurements(), FitnessConfig(max_latency_ms=2.0), 0.9)


def test_a_student_that_no_attack_fits_misses_no_limit_of_attacks() -> None:
    assert score(measurements(attacked=False), FitnessConfig(min_under_attack=0.5), 0.9).eligible


def test_the_formula_has_the_number_under_which_fitness_is_written_down() -> None:
    configs = [
        FitnessConfig(),
        CONFIG,
        FitnessConfig(efficiency="flops", min_under_attack=0.3, max_parameters=9_000_000),
    ]
    grid = itertools.product(
        (0.0, 0.45, 0.8, 1.0), (0.1, 0.7), (0.0, 0.9), (0.5, 8.0, 40.0), (0.5, 0.99), (True, False)
    )
    found = [[asdict(score(measurements(*values), config, 0.9)) for config in configs] for values in grid]
    rounded = json.dumps(json.loads(json.dumps(found), parse_float=lambda text: round(float(text), 9)))
    # Where this differs, count FORMULA up: what runs have written down is then computed anew.
    assert (FORMULA, hashlib.sha256(rounded.encode()).hexdigest()[:8]) == (1, "bf516df4")


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.1, 50), st.booleans())
def test_a_fitness_that_is_written_is_read_to_the_last_bit(
    quality: float, words: float, compression: float, attacked: bool
) -> None:
    found = measurements(quality, words=words, compression=compression, attacked=attacked)
    yardstick = Yardstick(CONFIG, 0.9)
    fitness = yardstick.score(found)
    genotype = Genotype(64, 32, "mean", (Node.of("glu"),))
    record = Record(1, "candidate", 0, 0, genotype, "sample", (), 1, "done", None, judged=yardstick.write(fitness))
    assert yardstick.judge(record) == fitness
    assert yardstick.judge(replace(record, status="pending")) is None
    assert replace(yardstick, teacher_quality=0.8).judge(record) is None  # another one looks at the measurements


def test_a_fitness_that_is_not_finite_is_not_written() -> None:
    yardstick = Yardstick(CONFIG, 0.9)
    assert yardstick.write(yardstick.score(measurements(compression=5.0, quality=math.nan))) == ""
