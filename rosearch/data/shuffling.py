"""A random order of any number of things that takes no memory: a permutation that is computed, not stored."""

from __future__ import annotations

import numpy as np

from rosearch.data.tasks import Rows

_ROUNDS = 6  # four suffice in theory (Luby and Rackoff 1988); two more for the very small
# splitmix64's finaliser (Steele et al. 2014)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class Permutation:
    """A seeded permutation of 0 ... size - 1: a Feistel network over the next power of 4, walked until it is inside.

    (Black and Rogaway 2002, "Ciphers with arbitrary finite domains": cycle walking.) Any part of the order is
    computed alone, so that a training can go on in the middle.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        half = max(1, -(-(size - 1).bit_length() // 2))
        self._half = np.uint64(half)
        self._mask = np.uint64(2**half - 1)
        self._keys = np.random.default_rng(seed).integers(0, 2**63, _ROUNDS, dtype=np.uint64)

    def __call__(self, places: Rows) -> Rows:
        """(n,) places in the order -> (n,) what stands there. Raises `IndexError` for places that are none."""
        if len(places) and (places.min() < 0 or places.max() >= self.size):
            raise IndexError(f"places are 0 to {self.size - 1}, got {places.min()} to {places.max()}")
        found = self._network(places.astype(np.uint64))
        # The network permutes the whole power of 4, so whoever walks on from inside it must come back inside.
        while len(outside := np.flatnonzero(found >= self.size)):
            found[outside] = self._network(found[outside])
        return found.astype(np.int64)

    def _network(self, x: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        left, right = x >> self._half, x & self._mask
        for key in self._keys:
            mixed = right + key
            mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
            mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
            left, right = right, left ^ ((mixed ^ (mixed >> np.uint64(31))) & self._mask)
        return (left << self._half) | right
