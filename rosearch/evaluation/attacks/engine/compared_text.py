"""The window of words around a swap that a sentence encoder compares, cut as TextAttack's AttackedText cuts it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Window(NamedTuple):
    """A text and the words that it is split into."""

    text: str
    words: Sequence[str]


def window(of: Window, index: int, size: float) -> str:
    """The text from the first to the last of `size` words around the word at `index`; infinite: all words.

    AttackedText.text_window_around_index of TextAttack 0.3.11.
    """
    words = of.words
    first: float
    last: float
    half = (size - 1) / 2.0
    if index - half < 0:
        first, last = 0, min(size - 1, len(words) - 1)
    elif index + half >= len(words):
        first, last = max(0, len(words) - size), len(words) - 1
    else:
        first, last = index - math.ceil(half), index + math.floor(half)
    return of.text[_start(of, int(first)) : _start(of, int(last)) + len(words[int(last)])]


def _start(of: Window, index: int) -> int:
    lower, at = of.text.lower(), 0
    for word in of.words[: index + 1]:
        at = lower.find(word.lower(), at) + len(word)
    return at - len(of.words[index])
