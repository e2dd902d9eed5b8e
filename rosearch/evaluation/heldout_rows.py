"""The rows of a held-out set while they are read: texts and classes out of cells, and all that is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rosearch.data.labels import absent, read_labels, spelled
from rosearch.errors import BadInput, Problem

DROP = "--drop-bad-rows leaves such rows out"
_SHOWN = 5  # rows or values that one problem names at most
_LONGEST = 60  # letters of a value that a problem shows


class Rows:
    """The rows of a file, and all problems found with them; rows are counted from 1."""

    def __init__(self, where: str, rows: Sequence[Mapping[Any, Any]], section: str) -> None:
        self.problems: list[Problem] = []
        self._where = where
        self._rows = rows
        self._section = section
        self.numbered = False  # True once labels were integers, taken in the order of the classes

    def __len__(self) -> int:
        return len(self._rows)

    def has(self, column: str) -> bool:
        """True where the table has the column."""
        return bool(self._rows) and column in self._rows[0]

    def values(self, column: str) -> list[Any]:
        """The values of a column as they were read."""
        return [row.get(column) for row in self._rows]

    def cells(self, column: str) -> list[str]:
        """The values of a column, with one spelling for 1, 1.0 and " 1 "; "" where there is none."""
        return [spelled(value) for value in self.values(column)]

    def texts(self, columns: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """One or two texts a row, without the space around them."""
        found = []
        for column in columns:
            stripped = [value.strip() if isinstance(value, str) else "" for value in self.values(column)]
            self.check(column, "text in every row", [not text for text in stripped], DROP)
            found.append(stripped)
        return tuple(zip(*found, strict=True))

    def classes(
        self,
        column: str,
        names: Sequence[str],
        expected: str,
        free: Sequence[bool],
        order: Sequence[int] = (),
        fix: str = "",
    ) -> tuple[int | None, ...]:
        """The class of every row; None where it is `free` or has a problem. `order` gives the class of each name."""
        values = [None if skip else value for value, skip in zip(self.values(column), free, strict=True)]
        read = read_labels(values, names)
        if read.mixed:
            fix = "Write all labels as names, or all as integers"
            self.add(f"column {column!r}", expected, read.mixed, fix)
            return read.classes
        self.numbered = read.numbered and not order
        fix = "The integers start at 1, those of the classes at 0: subtract 1" if read.from_one else fix
        found = [place if place is None or not order else order[place] for place in read.classes]
        self.check(column, expected, [place is None and not skip for place, skip in zip(found, free, strict=True)], fix)
        return tuple(found)

    def check(self, column: str, expected: str, bad: Sequence[bool], fix: str = "") -> None:
        """Add one problem that names the `bad` rows and their values."""
        numbers = [number for number, wrong in enumerate(bad, start=1) if wrong]
        if numbers:
            values = dict.fromkeys(_shown(self._rows[number - 1].get(column)) for number in numbers)
            noun = "row" if len(numbers) == 1 else "rows"
            self.add(
                f"column {column!r}",
                expected,
                f"{some(list(values))} in {noun} {some(map(str, numbers))}",
                fix,
            )

    def add(self, key: str, expected: str, got: str, fix: str = "") -> None:
        """Add a problem of the file, or of the section that is read."""
        self.problems.append(Problem(self._where, " ".join(filter(None, (self._section, key))), expected, got, fix))

    def finish(self) -> None:
        """Raise `BadInput` if there are no rows, or any problems."""
        if not self._rows:
            self.add("", "at least one row", "none")
        if self.problems:
            raise BadInput(self.problems)


def complete(rows: Sequence[Mapping[Any, Any]], texts: Sequence[str], label: str) -> list[Mapping[Any, Any]]:
    """The rows with all their texts, and with a label or another row that they belong to."""
    whole = [row for row in rows if all(isinstance(row.get(column), str) and row[column].strip() for column in texts)]
    together = "pair" if rows and "pair" in rows[0] else "group"
    members = Counter(spelled(row.get(together)) for row in whole)
    members[""] = 0
    free = [members[spelled(row.get(together))] > 1 and spelled(row.get("expect")) != "mft" for row in whole]
    return [row for row, is_free in zip(whole, free, strict=True) if is_free or spelled(row.get(label))]


def _shown(value: Any) -> str:
    if absent(value) or (isinstance(value, str) and not value.strip()):
        return "nothing"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."


def some(items: Iterable[str]) -> str:
    """The first few of some names, and how many more there are."""
    listed = list(items)
    more = len(listed) - _SHOWN
    return ", ".join(listed[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
