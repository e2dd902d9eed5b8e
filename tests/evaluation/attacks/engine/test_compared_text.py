import math
from types import ModuleType

import pytest
from evaluation.attacks.attacked_texts import NASTY, reviews

from rosearch.evaluation.attacks.engine.compared_text import Window, window


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 15, math.inf])
def test_windows_are_cut_as_textattack_cuts_them(size: float, textattack: ModuleType) -> None:
    for text in [*NASTY, *reviews(8)]:
        attacked = textattack.shared.AttackedText(text)
        words = attacked.words
        for index in range(len(words) + 2 if words else 0):  # after a swap an index may be past the original's end
            assert window(Window(text, words), index, size) == attacked.text_window_around_index(index, size)
