"""Characters that look alike."""

from __future__ import annotations

import re
from pathlib import Path

from rosearch.resources.resource_files import damaged, read_lines

_POINTS = re.compile(r"[0-9A-F]{4,6}\s*;")  # how a line of Unicode's tables begins


def read_homoglyphs(path: Path) -> dict[str, tuple[str, ...]]:
    """Each character's look-alikes, in the order of the file.

    Two formats: Unicode's `intentional.txt` (TextAttack's `intentional_homoglyphs.txt`), whose lines end in
    `# ( x ~ y ) ...`, read as TextAttack reads it; and the homoglyph project's, where each line is one class of
    look-alikes and the first character of a class stands for it. Raises `BadInput`.
    """
    expected = "a table of homoglyphs"
    lines = [line for line in read_lines(path, expected) if line.strip() and not line.startswith("#")]
    unicode_table = any(_POINTS.match(line) for line in lines)
    table: dict[str, list[str]] = {}
    for line in lines:
        if unicode_table:
            _, _, told = line.replace("#*", "#").partition("#")
            if len(told) > 7:  # "# ( x ~ y )": TextAttack, too, skips what is shorter
                table.setdefault(told[3], []).append(told[7])
        else:
            table.setdefault(line[0], []).extend(line[1:])
    if not table:
        raise damaged(path, expected, "no line of one")
    return {character: tuple(dict.fromkeys(alike)) for character, alike in table.items()}
