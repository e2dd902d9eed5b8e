"""Names and figures in Markdown: whatever a text from outside holds, it is read as that text.

The names of tasks, labels, runs, teachers and attacks, and the notes beside measurements, come out of files that
others wrote. None of them may begin a heading, a link, a row of a table, a block of HTML or a second line.

>>> as_text("# [free](http://x) | *now*")
'\\\\# [free\\\\](http://x) \\\\| \\\\*now\\\\*'
>>> as_code("a `tick`")
'`` a `tick` ``'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rosearch.errors import safe

Row = Sequence[object]

# A character that may begin something, wherever it stands: an underscore inside a word does not, nor does a bracket
# that no address follows.
_MARKS = re.compile(r"[\\`*<|~#]|\](?=[(\[:])|\b_(?!\w)|(?<!\w)_")


def as_text(text: str) -> str:
    """A text in one line, as it stands, for a sentence, a heading or a cell."""
    return _MARKS.sub(r"\\\g<0>", in_one_line(text))


def as_code(text: str) -> str:
    """A name in one line between backticks; where it holds backticks itself, between more of them."""
    told = in_one_line(text)
    fence = max(re.findall("`+", told), default="") + "`"
    return f"{fence} {told} {fence}" if "`" in told or not told else f"{fence}{told}{fence}"


def in_one_line(text: str) -> str:
    """A text whose spaces and line breaks are one space each, and whose control characters are spelled out."""
    return " ".join(safe(text).split())


def table(head: Row, rows: Iterable[Row]) -> str:
    """A table; each cell is read as `as_text` has it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(as_text(str(cell)) for cell in line) + " |" for line in lines)
