"""The output of `rosearch explain`: a key with all that is known of it, a section with a line for each of its keys."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from rosearch.errors import safe
from rosearch.report.data import Row, Table, lefts
from rosearch.terminal.console import out, print_line, print_table


def print_key(found: dict[str, Any]) -> None:
    """A key as `Key.as_dict` gives it; one without a name is the whole file."""
    if found["key"]:
        out.print(Text(safe(found["key"]), "bold"), soft_wrap=True)
    out.print(Text(safe(found["description"])))
    if not found["keys"] or found["type"] != "a section":
        print_table(Table("", lefts("", ""), tuple(Row(row) for row in _facts(found))))
    if found["keys"]:
        here = f"{found['key']}."
        rows = [(key["key"].removeprefix(here), told_default(key), _first_line(key)) for key in found["keys"]]
        print_table(Table("", lefts("key", "default", "meaning"), tuple(map(Row, rows))))


def print_nothing_chosen(found: dict[str, Any], space: str) -> None:
    """The keys at the top of a file, and how to read more. `space` is the key that names a search space."""
    print_key(found)
    print_line("\nMore, of a section or a key, and of the file of a search space:")
    for name in ("evolution", "evolution.population", space):
        print_line(f"  rosearch explain {name}")


def told_default(key: dict[str, Any]) -> str:
    """The default of a key as a file would have it; `required` where it has none, empty for a section."""
    if key["required"]:
        return "required"
    return "" if "a section" in key["type"] and key["default"] is None else told(key["default"])


def told(value: Any) -> str:
    """A value of YAML in one line, `none` and the empty text in words."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(told, value))}]"
        case "":
            return "(empty)"
    return str(value)


def _facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    names = ", ".join(map(told, found["accepted"]))
    facts = {
        "takes": found["type"],
        "unit": found["unit"],
        "default": told_default(found),
        "names": "" if "one of" in found["type"] else names,
    }
    return [(name, what) for name, what in facts.items() if what]


def _first_line(key: dict[str, Any]) -> str:
    line = key["description"].partition("\n")[0]
    choice = key["type"].partition(", or none")[0]
    listed = f" One{choice[3:]}." if choice.startswith("one of") else ""
    unit = f" [{key['unit']}]" if key["unit"] else ""
    return f"{line}{listed}{unit}"
