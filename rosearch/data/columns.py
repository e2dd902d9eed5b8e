"""The columns of a table that are read: those that a user names, else the first usual ones that it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rosearch.data.quoting import look_quoted
from rosearch.errors import BadInput, Problem

if TYPE_CHECKING:
    import pandas as pd

# Text columns of GLUE and its relatives. Where none is named, the first line counts of which a file has all.
USUAL_COLUMNS: tuple[tuple[str, ...], ...] = (
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("text", "text2"),
    ("text",),
    ("sentence",),
)
_OPTIONS = ("--text", "--text-pair")


@dataclass(frozen=True)
class Columns:
    """The columns of the texts and the label in a file, as a user names them."""

    text: str | None = None  # None: the first of `USUAL_COLUMNS` that the file has
    text_pair: str | None = None
    label: str = "label"

    def texts(self, where: str, has: Sequence[str]) -> tuple[str, ...]:
        """The columns of one or two texts. Raises `BadInput` where none is named and no usual one is there."""
        if self.text is not None:
            return (self.text,) if self.text_pair is None else (self.text, self.text_pair)
        if self.text_pair is not None:
            raise BadInput(Problem("command line", "--text-pair", "--text besides", "--text-pair alone"))
        for usual in USUAL_COLUMNS:
            if all(column in has for column in usual):
                return usual
        known = "; ".join(" and ".join(map(repr, usual)) for usual in USUAL_COLUMNS)
        got = ", ".join(map(repr, has)) or "none"
        fix = look_quoted(has) or "Give --text, and --text-pair for pairs"
        raise BadInput(Problem(where, "", f"columns of texts ({known})", got, fix))

    def problems(self, where: str, frame: pd.DataFrame, texts: Sequence[str]) -> Iterator[Problem]:
        """A problem for each of these columns that is not there, or is there twice, with the option that names it."""
        for column, option in zip((*texts, self.label), (*_OPTIONS[: len(texts)], "--label"), strict=True):
            yield from column_problems(where, frame, (column,), f"Give {option}")


COLUMNS_BY_NAME = Columns()


def column_problems(where: str, frame: pd.DataFrame, columns: Sequence[str], fix: str = "") -> list[Problem]:
    """A problem for each of the columns that a table lacks, or has more than once."""
    return name_problems(where, list(frame.columns), columns, fix)


def name_problems(where: str, has: Sequence[str], columns: Sequence[str], fix: str = "") -> list[Problem]:
    """As `column_problems`, for a table whose own columns are `has`."""
    got = f"only {', '.join(map(repr, has))}" if has else "none"
    missing = [column for column in columns if column not in has]
    several = [column for column in dict.fromkeys(columns) if has.count(column) > 1]
    return [Problem(where, "", f"a column {name!r}", got, look_quoted(has) or fix) for name in missing] + [
        Problem(where, "", f"one column {name!r}", f"{has.count(name)} of this name", "rename or remove the others")
        for name in several
    ]
