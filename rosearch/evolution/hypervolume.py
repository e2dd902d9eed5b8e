"""The hypervolume that points would add to a front of three objectives, all maximised, above 0.

>>> free = Free(front)
>>> free.gains(points)  # (..., 3) to (...)

What the front leaves free is cut into boxes: slabs of the third objective, in each of which the front is a staircase of
the other two. A point's gain is its overlap with each box, for thousands of points at once.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np

from rosearch.evolution.front import Objectives, undominated

_Array = np.ndarray[Any, np.dtype[np.float64]]


class Free:
    """The space that no point of a front dominates."""

    def __init__(self, front: Sequence[Objectives]) -> None:
        self._front = undominated(front)
        low: list[float] = []
        high: list[float] = []
        second: list[float] = []
        third: list[float] = []  # of the slabs, descending
        sizes: list[int] = []  # boxes of each slab
        firsts: list[float] = []  # of the stairs, ascending
        seconds: list[float] = []  # descending
        for one, two, three in [*sorted(self._front, key=lambda point: -point[2]), (0.0, 0.0, 0.0)]:
            if not third or three < third[-1]:  # a slab, from here to the one before
                low += [0.0, *firsts]
                high += [*firsts, math.inf]
                second += [*seconds, 0.0]
                third.append(three)
                sizes.append(len(firsts) + 1)
            _add_stair(firsts, seconds, one, two)
        slabs = np.repeat([third, [math.inf, *third[:-1]]], sizes, axis=1)
        self._boxes = np.vstack([np.array([low, high, second]), slabs])

    def gains(self, points: _Array) -> _Array:
        """The volume that each of (..., 3) points would add alone."""
        low, high, second, third, top = self._boxes
        wide = np.maximum(np.minimum(points[..., 0, None], high) - low, 0.0)
        deep = np.maximum(points[..., 1, None] - second, 0.0)
        tall = np.maximum(np.minimum(points[..., 2, None], top) - third, 0.0)
        volumes: _Array = (wide * deep * tall).sum(axis=-1)
        return volumes

    def without(self, point: Objectives) -> Free:
        """The rest, once a point is taken into the front."""
        return Free([*self._front, point])


def _add_stair(firsts: list[float], seconds: list[float], one: float, two: float) -> None:
    """Takes a point into a staircase, and what it dominates out of it."""
    after = bisect_left(firsts, one)
    if after < len(firsts) and seconds[after] >= two:
        return
    end = bisect_right(firsts, one)
    begin = bisect_left(seconds, -two, hi=end, key=lambda value: -value)
    firsts[begin:end], seconds[begin:end] = [one], [two]
