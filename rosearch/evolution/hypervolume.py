"""The hypervolume that points would add to a front of three objectives, all maximised, above 0.

>>> free = Free(front)
>>> free.gains(points)  # (..., 3) to (...)

What the front leaves free is cut into boxes: slabs of the third objective, in each of which the front is a staircase of
the other two. A point's gain is its overlap with each box, for thousands of points at once.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Sequence
from typing import Any

import numpy as np

from rosearch.evolution.front import Objectives, undominated

_Array = np.ndarray[Any, np.dtype[np.float64]]


class Free:
    """The space that no point of a front dominates."""

    def __init__(self, front: Sequence[Objectives]) -> None:
        self._front = undominated(front)
        boxes: list[tuple[float, float, float, float, float]] = []
        stairs: list[tuple[float, float]] = []  # ascending in the first objective, descending in the second
        top = math.inf
        for first, second, third in [*sorted(self._front, key=lambda point: -point[2]), (0.0, 0.0, 0.0)]:
            if third < top:
                firsts = [0.0, *(one for one, _ in stairs), math.inf]
                seconds = [*(other for _, other in stairs), 0.0]
                boxes += [(firsts[i], firsts[i + 1], seconds[i], third, top) for i in range(len(seconds))]
            top = third
            stairs = [stair for stair in stairs if stair[0] > first or stair[1] > second]
            if all(stair[0] < first or stair[1] < second for stair in stairs):
                insort(stairs, (first, second))
        self._boxes = np.array(boxes, dtype=np.float64).reshape(-1, 5).T

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
