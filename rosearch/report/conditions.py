"""Conditions on the columns of a table, as a user types them: comparisons, joined by `and` and `or`.

>>> condition = parse_condition("latency_ms < 5 and (accuracy > 0.85 or under_attack >= 0.7)", columns, "--where")
>>> condition.holds({"latency_ms": 3.1, "accuracy": 0.9, "under_attack": None})
True

`and` binds closer than `or`. Nothing that is typed is run: a condition is a tree of comparisons.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from rosearch.errors import BadInput, Problem, nearest

Value = float | str | None
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_ORDER = ("<", ">", "<=", ">=")
_TOKEN = re.compile(
    r"""\s*(?:(?P<sign>[<>=!]=|[<>=])|(?P<mark>[()])|(?P<text>"[^"]*"|'[^']*')|(?P<word>[^\s<>=!()"']+))"""
)
_MOST = 200  # words and signs: more than anybody types


class Condition(Protocol):
    """A statement about a row, which holds or not."""

    def holds(self, row: Mapping[str, Value]) -> bool:
        """True where it holds; what a row does not have fulfils no comparison."""

    def comparisons(self) -> Iterator[Comparison]:
        """The comparisons that it is made of."""


@dataclass(frozen=True)
class Comparison:
    """A column against a number or a text."""

    column: str
    sign: str
    value: float | str

    def holds(self, row: Mapping[str, Value]) -> bool:
        """False for a value that is absent, or of the other kind."""
        found = row.get(self.column)
        return isinstance(found, str) == isinstance(self.value, str) and found is not None and self._compare(found)

    def _compare(self, found: float | str) -> bool:
        return bool(_SIGNS[self.sign](found, self.value))

    def comparisons(self) -> Iterator[Comparison]:
        """Itself."""
        yield self

    def __str__(self) -> str:
        return (
            f"{self.column} {self.sign} {self.value:g}"
            if isinstance(self.value, float)
            else f"{self.column} {self.sign} {self.value!r}"
        )


@dataclass(frozen=True)
class Joined:
    """Conditions of which all hold, or any."""

    every: bool
    parts: tuple[Condition, ...]

    def holds(self, row: Mapping[str, Value]) -> bool:
        """All or any of its parts."""
        return (all if self.every else any)(part.holds(row) for part in self.parts)

    def comparisons(self) -> Iterator[Comparison]:
        """Those of its parts."""
        for part in self.parts:
            yield from part.comparisons()


def parse_condition(text: str, numbers: Collection[str], words: Collection[str], where: str) -> Condition:
    """The condition that a text says about columns of `numbers` and of `words`; `where` is the option that gives it.

    Raises `BadInput` with the first thing that is no condition, or with all names that are no column.
    """
    return _Parser(text, numbers, words, where).parse()


class _Parser:
    """Reads a condition from left to right."""

    def __init__(self, text: str, numbers: Collection[str], words: Collection[str], where: str) -> None:
        self._text, self._numbers, self._words, self._where = text, numbers, words, where
        self._tokens = self._read()
        self._at = 0
        self._problems: list[Problem] = []

    def parse(self) -> Condition:
        found = self._any()
        if self._next:
            raise self._wrong("and, or, or the end")
        if self._problems:
            raise BadInput(self._problems)
        return found

    def _read(self) -> list[tuple[str, str, int]]:
        """Kind, text and place of each token."""
        found: list[tuple[str, str, int]] = []
        place, text = 0, self._text.rstrip()
        while place < len(text):
            token = _TOKEN.match(text, place)
            if token is None or len(found) >= _MOST:
                expected = (
                    "a comparison such as accuracy > 0.85" if token is None else f"at most {_MOST} words and signs"
                )
                raise self._problem(expected, text[place:].strip())
            kind = str(token.lastgroup)
            found.append((kind, token[kind], token.start(kind)))
            place = token.end()
        return found

    @property
    def _next(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, kind: str, expected: str) -> str:
        if self._at >= len(self._tokens) or self._tokens[self._at][0] != kind:
            raise self._wrong(expected)
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _any(self) -> Condition:
        return self._join("or", self._all)

    def _all(self) -> Condition:
        return self._join("and", self._one)

    def _join(self, word: str, part: Callable[[], Condition]) -> Condition:
        parts = [part()]
        while self._next.lower() == word:
            self._at += 1
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(word == "and", tuple(parts))

    def _one(self) -> Condition:
        if self._next != "(":
            return self._comparison()
        self._at += 1
        inner = self._any()
        if self._next != ")":
            raise self._wrong("and, or, or )")
        self._at += 1
        return inner

    def _comparison(self) -> Condition:
        column = self._take("word", "the name of a column")
        sign = self._take("sign", f"one of {', '.join(_SIGNS)} after {column}")
        known = column in self._numbers or column in self._words
        if not known:
            fix = nearest(column, (*self._numbers, *self._words)) or "docs/reference/tables.md names the columns"
            self._problems.append(Problem("command line", self._where, "the name of a column", column, fix))
        value = self._value(column, sign, is_number=column in self._numbers or not known)
        return Comparison(column, sign, value)

    def _value(self, column: str, sign: str, *, is_number: bool) -> float | str:
        if not is_number:
            if sign in _ORDER:
                raise self._problem(f"{column} == or != a text", sign)
            kind = "text" if self._at < len(self._tokens) and self._tokens[self._at][0] == "text" else "word"
            return self._take(kind, f"a text after {column}").strip("\"'")
        place = self._at
        text = self._take("word", f"a number after {column} {sign}")
        try:
            return float(text)
        except ValueError:
            self._at = place
            raise self._wrong(f"a number after {column} {sign}") from None

    def _wrong(self, expected: str) -> BadInput:
        at = self._tokens[self._at][2] if self._at < len(self._tokens) else len(self._text)
        return self._problem(expected, self._text[at:].strip() or "the end")

    def _problem(self, expected: str, got: str) -> BadInput:
        return BadInput(Problem("command line", self._where, expected, got))
