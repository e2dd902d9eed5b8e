from __future__ import annotations

import math
from dataclasses import replace

import pytest
from landscapes import measurements

from rosearch.config import FitnessConfig, WeightsConfig
from rosearch.errors import BadInput
from rosearch.evolution import score
from rosearch.records.measurements import Estimate, Latency, SingleSwaps, Stopped

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
