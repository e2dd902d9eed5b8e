"""Seeds derived by purpose, so that no result depends on the order in which workers finish."""

from __future__ import annotations

import hashlib
import random


def derive_seed(run_seed: int, purpose: str, genotype_id: str = "", replicate: int = 0) -> int:
    """A 63-bit seed that depends on its arguments alone, not on time, worker or order."""
    text = f"{run_seed}\x1f{purpose}\x1f{genotype_id}\x1f{replicate}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def generator(run_seed: int, purpose: str, genotype_id: str = "", replicate: int = 0) -> random.Random:
    """A private generator for one purpose; the global `random` is never touched."""
    return random.Random(derive_seed(run_seed, purpose, genotype_id, replicate))
