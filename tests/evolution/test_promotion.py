from __future__ import annotations

from dataclasses import replace

import pytest
from evolution.landscapes import measurements
from hypothesis import given
from hypothesis import strategies as st

from rosearch.config.fitness import FitnessConfig
from rosearch.evolution.fitness import Yardstick
from rosearch.evolution.front import by_front
from rosearch.evolution.promotion import measured_rung, promoted
from rosearch.measurements import Estimate, Latency, Meaning, Rung

SHARES = st.floats(0, 1).map(lambda value: round(value, 2))


def rung(robustness: float | None, accuracy: float, efficiency: float = 1.0, gates: tuple[str, ...] = ()) -> Rung:
    scalar = ((robustness or 0.0) + accuracy + efficiency) / 3
    return Rung(0.2, 10, robustness, accuracy, efficiency, scalar, 100, gates)


def test_the_share_that_goes_on_is_that_of_the_first_fronts() -> None:
    rungs = {1: rung(0.1, 0.9), 2: rung(0.9, 0.1), 3: rung(0.05, 0.8), 4: rung(0.8, 0.05)}
    assert promoted(rungs, 0.5, None) == {1, 2}
    assert promoted(rungs, 0.51, None) == {1, 2, 3}  # of equal scalars the one that was proposed earlier
    assert promoted(rungs, 1.0, None) == {1, 2, 3, 4}


def test_one_goes_on_at_least() -> None:
    assert promoted({7: rung(0.0, 0.5)}, 0.01, None) == {7}
    assert promoted({}, 0.5, 0.02) == set()


def test_with_slack_those_go_on_too_that_none_of_the_first_beats_by_so_much() -> None:
    rungs = {1: rung(0.5, 0.8), 2: rung(0.49, 0.79), 3: rung(0.49, 0.5), 4: rung(0.4, 0.7), 5: rung(0.45, 0.75, 0.9)}
    assert promoted(rungs, 0.2, None) == {1}
    assert promoted(rungs, 0.2, 0.02) == {1, 2, 3}  # the third may be as robust
    assert promoted(rungs, 0.2, 0.2) == {1, 2, 3, 4, 5}
    assert promoted(rungs, 0.2, 0.0) == {1}
    assert promoted({1: rung(0.5, 0.8), 2: rung(0.5, 0.7, 1.0), 3: rung(0.1, 0.1, 1.1)}, 0.2, 0.0) == {1, 3}


def test_where_nothing_is_attacked_accuracy_and_efficiency_decide() -> None:
    rungs = {1: rung(None, 0.8), 2: rung(None, 0.79), 3: rung(None, 0.6)}
    assert promoted(rungs, 0.3, 0.02) == {1, 2}


def test_none_goes_on_that_surely_misses_a_gate() -> None:
    rungs = {1: rung(0.9, 0.9, gates=("max_parameters",)), 2: rung(0.1, 0.5), 3: rung(0.1, 0.4)}
    assert promoted(rungs, 1 / 3, None) == {2}
    assert promoted({1: rungs[1]}, 1.0, 0.5) == set()


@given(st.lists(st.tuples(SHARES, SHARES, SHARES), min_size=1, max_size=12), st.floats(0.01, 1), SHARES)
def test_nobody_stops_whom_only_those_that_stop_as_well_dominate(
    points: list[tuple[float, float, float]], keep: float, slack: float
) -> None:
    rungs = {number: rung(*point) for number, point in enumerate(points, start=1)}
    going_on = promoted(rungs, keep, None)
    assert going_on <= promoted(rungs, keep, slack) <= rungs.keys()
    assert len(going_on) == max(1, -(-round(keep * len(rungs) * 1e9) // 10**9)) or keep * len(rungs) % 1 < 1e-6
    places = {number: place for place, number in enumerate(ranked(rungs))}
    assert max(places[number] for number in going_on) == len(going_on) - 1


def ranked(rungs: dict[int, Rung]) -> list[int]:
    """Front by front, as `by_front` ranks records of the same fitness."""

    class Numbered:
        def __init__(self, number: int) -> None:
            self.number = number

    class Scored:
        eligible = True

        def __init__(self, found: Rung) -> None:
            self.scalar = found.scalar
            self.objectives = (found.robustness or 0.0, found.accuracy, found.efficiency)

    scored = [(Numbered(number), Scored(found)) for number, found in rungs.items()]
    return [one.number for front in by_front(scored) for one in front]  # type: ignore[arg-type]


def yardstick(**changes: object) -> Yardstick:
    return Yardstick(FitnessConfig(full_compression=20, **changes), 0.9)  # type: ignore[arg-type]


def test_a_rung_has_the_terms_of_the_fitness_there() -> None:
    found = measurements(0.6, 0.4, 0.3, 10.0, 0.7)
    score, told = yardstick().score(found), measured_rung(found, 0.25, yardstick())
    assert (told.robustness, told.accuracy, told.efficiency) == score.objectives and told.scalar == score.scalar
    assert told.share == 0.25 and told.steps == found.training.steps and not told.promoted


def test_a_gate_that_training_may_still_pass_stops_nobody() -> None:
    """A quality far below its gate, nearly all predictions in one class, nothing left under attack."""
    found = measurements(0.5, 0.0, 0.0, 10.0, 1.0)
    strict = yardstick(min_quality=1.0, max_class_share=0.6, min_under_attack=0.5)
    assert len(strict.score(found).gates) == 3 and measured_rung(found, 0.2, strict).gates == ()


@pytest.mark.parametrize(("limit", "gates"), [(9, ("max_parameters",)), (10, ())])
def test_a_student_above_the_limit_of_size_is_stopped(limit: int, gates: tuple[str, ...]) -> None:
    found = measurements(0.9, 0.5, 0.5, 10.0, 0.5)
    small = replace(found, efficiency=replace(found.efficiency, parameters=10))
    assert measured_rung(small, 0.2, yardstick(max_parameters=limit)).gates == gates


@pytest.mark.parametrize(("low", "gates"), [(4.9, ()), (5.1, ("max_latency_ms",))])
def test_a_student_is_too_slow_where_its_lower_quartile_is(low: float, gates: tuple[str, ...]) -> None:
    found = measurements(0.9, 0.5, 0.5, 10.0, 0.5)
    timed = replace(found, efficiency=replace(found.efficiency, latency=(Latency(1, 6.0, low, 7.0),)))
    assert measured_rung(timed, 0.2, Yardstick(FitnessConfig(max_latency_ms=5.0), 0.9, 50.0)).gates == gates


def test_codes_that_mean_something_else_stop_a_student() -> None:
    found = replace(
        measurements(0.9, 0.5, 0.5, 10.0, 0.5), meaning=Meaning({"name": Estimate(0.9, 0.9, 0.9, 100)}, None, 0.4)
    )
    assert measured_rung(found, 0.2, yardstick(min_purity=0.8)).gates == ("min_purity",)


def test_a_student_that_was_stopped_misses_a_gate_by_more_the_earlier_it_was() -> None:
    found = measurements(0.9, 0.8, 0.8, 10.0, 0.5)
    early, late = (replace(found, rungs=(measured_rung(found, share, yardstick()),)) for share in (0.2, 0.5))
    assert yardstick().score(found).gates == () and yardstick().score(early).gates == ("rung",)
    assert yardstick().score(early).violation > yardstick().score(late).violation > 1
    through = replace(found, rungs=(replace(early.rungs[0], promoted=True),))
    assert yardstick().score(through) == yardstick().score(found)
