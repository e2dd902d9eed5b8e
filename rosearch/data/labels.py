"""A column of labels as classes: the same verdict for text, JSON and Parquet, by name or by integer.

>>> read_labels(["Positive", "negative"], ("negative", "positive")).classes
(1, 0)
>>> read_labels([True, "1.0", 0], ("negative", "positive")).classes
(1, 1, 0)
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

_WHOLE = re.compile(r"([+-]?\d+)\.0+")
_TRUTH = {"false": "0", "true": "1"}  # a column of truth values holds the integers of two classes


def name_key(label: str) -> str:
    """One key for `not_entailment`, `Not entailment` and `not-entailment`."""
    return re.sub(r"[\s_-]+", "_", label.strip().casefold())


def absent(value: Any) -> bool:
    """True for what a file says of a cell without a value; text without letters is seen by `spelled`."""
    return value is None or value is pd.NA or (isinstance(value, float | np.floating) and math.isnan(value))


def spelled(value: Any) -> str:
    """One spelling for 1, 1.0, "1.0" and " 1 ", and one for True and "True"; "" for what is absent."""
    if absent(value):
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    text = str(value).strip()
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text.casefold() if text.casefold() in _TRUTH else text


# From the exact name to the loosest: the first at which one name alone is meant decides.
_KEYS: tuple[Callable[[str], str], ...] = (str, spelled, str.casefold, name_key)


def match_name(value: str, names: Sequence[str]) -> int | None:
    """The place of the name that is meant, in any case; the exact one where two names differ in case alone."""
    for key in _KEYS:
        same = [place for place, name in enumerate(names) if key(name) == key(value)]
        if len(same) == 1:
            return same[0]
    return None


def class_names(values: Iterable[Any]) -> tuple[str, ...]:
    """The different labels of a column, each in one spelling: whole numbers by size, names by the alphabet.

    >>> class_names(["refund", "billing", " refund "]), class_names([10, "9", 10.0])
    (('billing', 'refund'), ('9', '10'))
    """
    names = {name for value in values if (name := spelled(value))}
    whole = all(re.fullmatch(r"[+-]?\d+", name) for name in names)
    return tuple(sorted(names, key=int) if whole else sorted(names))


@dataclass(frozen=True)
class ReadLabels:
    """The class of each value; None where it is absent or no label. A column that mixes its kinds has no classes."""

    classes: tuple[int | None, ...]
    mixed: str = ""  # in words, where names and integers stand in one column
    from_one: bool = False  # its integers are 1 to the number of classes
    numbered: bool = False  # all are integers or truth values, whose order may be another than the classes'


def read_labels(values: Iterable[Any], names: Sequence[str], *, by_name_alone: bool = False) -> ReadLabels:
    """The labels of a column. All are names, or all are integers from 0: names may be digits themselves.

    With `by_name_alone`, integers are no labels unless they are names.
    """
    cells = [spelled(value) for value in values]
    seen = [cell for cell in dict.fromkeys(cells) if cell]
    digits = {cell: _number(cell, len(names)) for cell in seen}
    by_name = {cell: place for cell in seen if (place := _named(cell, digits[cell], names)) is not None}
    numbers = {} if by_name_alone else {str(place): place for place in range(len(names))}
    by_number = {cell: numbers[number] for cell in seen if (number := digits[cell]) in numbers}
    only_named = [cell for cell in by_name if cell not in by_number]
    only_numbered = [cell for cell in by_number if cell not in by_name]
    if only_named and only_numbered:
        told = [f"{cell!r} in {_rows(cells.count(cell))}" for cell in (only_named[0], only_numbered[0])]
        return ReadLabels((None,) * len(cells), f"names and integers mixed in one column ({' and '.join(told)})")
    index = by_name if by_name and len(by_name) >= len(by_number) else by_number
    wanted = {str(number) for number in range(1, len(names) + 1)}
    from_one = str(len(names)) in seen and set(seen) <= wanted and str(len(names)) not in index
    numbered = bool(seen) and all(map(str.isdigit, digits.values()))
    return ReadLabels(tuple(index.get(cell) for cell in cells), from_one=from_one, numbered=numbered)


def _named(cell: str, digit: str, names: Sequence[str]) -> int | None:
    """The place of a name; a truth value that is no name itself is the digit that it stands for."""
    place = match_name(cell, names)
    return match_name(digit, names) if place is None else place


def _number(cell: str, classes: int) -> str:
    return _TRUTH.get(cell, cell) if classes == 2 else cell


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"
