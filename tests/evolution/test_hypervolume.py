from __future__ import annotations

import random

import moocore
import numpy as np
import pytest

from rosearch.evolution.front import Objectives
from rosearch.evolution.hypervolume import Free


def volume(points: list[Objectives]) -> float:
    return float(moocore.hypervolume(-np.array(points), ref=np.zeros(3))) if points else 0.0


def drawn(count: int, seed: int, digits: int = 6) -> list[Objectives]:
    rng = random.Random(seed)
    return [tuple(round(rng.random(), digits) for _ in range(3)) for _ in range(count)]


@pytest.mark.parametrize("digits", [6, 1])  # 1: many ties
@pytest.mark.parametrize("count", [0, 1, 7, 40])
def test_a_gain_is_the_hypervolume_that_a_point_adds(count: int, digits: int) -> None:
    front, points = drawn(count, 1, digits), drawn(50, 2, digits)
    gains = Free(front).gains(np.array(points).reshape(5, 10, 3)).ravel()
    assert gains == pytest.approx([volume([*front, point]) - volume(front) for point in points], abs=1e-12)


def test_what_is_taken_into_the_front_adds_no_more() -> None:
    front, (point, *others) = drawn(10, 1), drawn(20, 2)
    left = Free(front).without(point)
    assert left.gains(np.array([point])) == pytest.approx([0.0])
    gains = [volume([*front, point, other]) - volume([*front, point]) for other in others]
    assert left.gains(np.array(others)) == pytest.approx(gains, abs=1e-12)
