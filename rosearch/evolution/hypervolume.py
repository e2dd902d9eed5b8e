"""The hypervolume that points would add to a front of three objectives, all maximised, above 0.

>>> free = Free(front)
>>> free.gains(points)  # (..., 3) to (...)

What the front leaves free is cut into boxes: slabs of the third objective, in each of which the front is a staircase of
the other two. A point's gain is its overlap with each box, for thousands of points at once.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Any

import numpy as np

from rosearch.evolution.front import Objectives

_Array = np.ndarray[Any, np.dtype[np.float64]]


class Free:
    """The space that no point of a front dominates."""

    def __init__(self, points: Iterable[Objectives]) -> None:
        self._front: list[Objectives] = []
        low: list[float] = []
        high: list[float] = []
        second: list[float] = []
        slabs: list[float] = []  # where each begins in the third objective, descending
        sizes: list[int] = []  # boxes of each slab
        firsts: list[float] = []  # of the stairs, ascending
        seconds: list[float] = []  # descending
        by_third = sorted(points, key=lambda point: (-point[2], -point[0], -point[1]))  # whoever dominates comes first
        for point in [*by_third, (0.0, 0.0, 0.0)]:
            first, other, third = point
            after = bisect_left(firsts, first)
            if third > 0.0 and after < len(firsts) and seconds[after] >= other:
                continue
            self._front.append(point)
            if not slabs or third < slabs[-1]:
                low += [0.0, *firsts]
                high += [*firsts, math.inf]
                second += [*seconds, 0.0]
                slabs.append(third)
                sizes.append(len(firsts) + 1)
            end = bisect_right(firsts, first)
            begin = bisect_left(seconds, -other, hi=end, key=lambda value: -value)
            firsts[begin:end], seconds[begin:end] = [first], [other]
        heights = np.repeat([slabs, [math.inf, *slabs[:-1]]], sizes, axis=1)
        self._boxes = np.vstack([np.array([low, high, second]), heights])

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
