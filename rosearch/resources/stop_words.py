"""English stop words, a list that travels with this package: no attack of ours swaps them, no encoding moves them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

_FILE = Path(__file__).with_name("stopwords_english.txt")


@lru_cache(maxsize=1)
def stop_words() -> tuple[str, ...]:
    """NLTK's list, as TextAttack's `StopwordModification` takes it."""
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))
