from __future__ import annotations

import pytest

from rosearch.report.scale import Scale


def test_a_value_has_its_place_between_the_ends() -> None:
    assert Scale(0.0, 1.0, 40.0, 440.0).place(0.5) == 240.0
    assert Scale(1.0, 100.0, 0.0, 400.0, log=True).place(10.0) == pytest.approx(200.0)
    assert Scale(0.0, 1.0, 300.0, 0.0).place(0.25) == 225.0  # upwards


@pytest.mark.parametrize(
    ("low", "high", "log", "expected"),
    [
        (0.0, 1.0, False, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.913, 0.947, False, [0.92, 0.93, 0.94]),
        (-0.3, 0.1, False, [-0.3, -0.2, -0.1, 0.0, 0.1]),
        (0.19, 23.0, True, [0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0]),
        (1e-3, 1e3, True, [1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1000.0]),
        (4.0, 6.0, True, [4.0, 4.5, 5.0, 5.5, 6.0]),
    ],
)
def test_ticks_are_round_numbers_within_the_scale(low: float, high: float, log: bool, expected: list[float]) -> None:
    assert Scale(low, high, 0.0, 1.0, log).ticks() == pytest.approx(expected)


@pytest.mark.parametrize("value", [0.0, 5.0, -2.0])
def test_equal_values_have_room_around_them(value: float) -> None:
    scale = Scale.around(value, value, 0.0, 100.0)
    assert scale.low < value < scale.high and scale.place(value) == pytest.approx(50.0)
