"""Where a value stands on an axis, and the round numbers that are written beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass

_MOST_DECADES = 3  # of a logarithmic axis that also names 2 and 5


@dataclass(frozen=True)
class Scale:
    """From values `low` to `high` to places `start` to `end`, such as pixels.

    >>> Scale(0.0, 1.0, 40.0, 440.0).place(0.5), Scale(1.0, 100.0, 0.0, 400.0, log=True).place(10.0)
    (240.0, 200.0)
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def around(cls, low: float, high: float, start: float, end: float, log: bool = False) -> Scale:
        """A scale with some room around the values; what is logarithmic has values above 0."""
        if log:
            room = max((math.log(high) - math.log(low)) * 0.06, 0.05)
            return cls(low * math.exp(-room), high * math.exp(room), start, end, True)
        room = (high - low) * 0.06 or abs(high) * 0.1 or 0.5
        return cls(low - room, high + room, start, end)

    def place(self, value: float) -> float:
        """The place of a value. Raises `ValueError` for a value up to 0 of a logarithmic scale."""
        low, high, value = (math.log(one) if self.log else one for one in (self.low, self.high, value))
        return self.start + (self.end - self.start) * (value - low) / (high - low)

    def ticks(self, most: int = 6) -> list[float]:
        """Round numbers within the scale, at most about so many."""
        if not self.log or self.high / self.low < 4:
            return self._evenly(most)
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        times = (1, 2, 5) if last - first <= _MOST_DECADES else (1,)
        found = [factor * 10.0**power for power in range(first, last + 1) for factor in times]
        return [tick for tick in found if self.low <= tick <= self.high]

    def _evenly(self, most: int) -> list[float]:
        rough = (self.high - self.low) / most
        decade = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * decade for factor in (1, 2, 5, 10) if factor * decade >= rough)
        first = math.ceil(self.low / step - 1e-9)
        return [round(number * step, 12) for number in range(first, math.floor(self.high / step + 1e-9) + 1)]
