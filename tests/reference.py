"""The pages of docs/reference/, made from the code: keys, commands, columns and docstrings.

Usage: `python -m tests.reference` writes the part of each page that stands behind its mark. `tests/test_reference.py`
holds the pages to the code.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import typer.main

import rosearch
from rosearch import errors
from rosearch.cli.app import app
from rosearch.config.keys import Key
from rosearch.report.columns import COMPARISONS, MOTIFS, OCCURRING, POOLED, RECORDS, REGRESSIONS, STATISTICS, Described
from rosearch.run.reference import SPACE, all_keys, space_keys
from rosearch.terminal.explain import told, told_default

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
MARK = "<!-- From here on this page is made by `python -m tests.reference`. -->\n"


def table(head: str, rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown; `head` names its columns, parted by bars."""
    bar = "|".join("---" for _ in head.split("|"))
    lines = ("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
    return "\n".join((f"| {head} |", f"|{bar}|", *lines)) + "\n"


def sections(key: Key, title: str) -> Iterator[str]:
    """The keys of a section as a table, then its own sections; an empty title leaves the heading out."""
    if title:
        yield f"{'##' if '.' not in title else '###'} `{title}`\n\n{key.description}\n"
    yield table("key | takes | default | meaning", ([f"`{below(key, one)}`", *facts(one)] for one in key.keys))
    for one in key.keys:
        if one.keys and one.name != SPACE:
            yield from sections(one, one.name)


def below(section: Key, key: Key) -> str:
    """The name of a key as its section has it."""
    return key.name.removeprefix(f"{section.name}.")


def facts(key: Key) -> tuple[str, str, str]:
    default = told_default(key.as_dict())
    if default not in ("", "required", "none", "(empty)"):
        default = f"`{default}`" + (f" {key.unit}" if isinstance(key.default, int | float) and key.unit else "")
    meaning = key.description.partition("\n")[0]
    if key.accepted and "one of" not in key.type:
        meaning += f" Names: {', '.join(f'`{told(name)}`' for name in key.accepted)}."
    unit = f" [{key.unit}]" if key.unit and key.default is None else ""
    return key.type + unit, default, meaning


def experiment() -> str:
    return "\n".join(sections(all_keys(), ""))


def search_space() -> str:
    return "\n".join(sections(space_keys(), ""))


def cli() -> str:
    group: Any = typer.main.get_command(app)
    return "\n".join([f"{paragraphs(group.epilog)}\n", *(command(name, one) for name, one in group.commands.items())])


def command(name: str, found: Any) -> str:
    taken = kinds(found.callback)
    words = " ".join(word(one) for one in found.params if one.param_type_name == "argument")
    rows = [(spelling(one, taken.get(one.name, "")), preset(one), one.help or "") for one in found.params]
    described = [row for row, one in zip(rows, found.params) if one.name != "help"]
    parts = [f"## `rosearch {name}`\n", f"```\nrosearch {name} {words} [OPTIONS]\n```\n".replace("  ", " ")]
    parts += [f"{inspect.cleandoc(found.help)}\n", table("argument, option | default | meaning", described)]
    return "\n".join([*parts, *([f"{paragraphs(found.epilog)}\n"] if found.epilog else [])])


def word(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def spelling(one: Any, kind: str) -> str:
    """`--option KIND` in each of its forms; a flag has no kind."""
    if one.param_type_name == "argument":
        return f"`{word(one)}`"
    value = "" if one.is_flag else f" {one.metavar or kind}"
    return ", ".join(f"`{option}{value}`" for option in (*one.opts, *one.secondary_opts))


def kinds(command: Callable[..., None]) -> dict[str, str]:
    """What each parameter of a command takes, in one word. Typer's own objects tell it differently in each version."""
    hints = {name: str(hint) for name, hint in get_type_hints(command).items()}
    words = {"Path": "PATH", "int": "N", "float": "NUMBER", "str": "TEXT"}
    return {name: next((word for kind, word in words.items() if kind in hint), "") for name, hint in hints.items()}


def preset(option: Any) -> str:
    """The default of an option: `required`, nothing for flags, or the value."""
    if option.required:
        return "required"
    named = f"`${option.envvar}`" if option.envvar else ""
    return named if option.default in (None, False, True, "") else f"`{option.default}` {named}".rstrip()


def paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def python() -> str:
    opened = importlib.import_module("rosearch.report.opened").OpenedRun
    found = {f"rosearch.{name}": getattr(rosearch, name) for name in rosearch.__all__}
    found["rosearch.attack.attack"] = importlib.import_module("rosearch.attack").attack
    found["rosearch.distil.Options"] = importlib.import_module("rosearch.distil").Options
    found["rosearch.report.opened.OpenedRun"] = opened
    told_names = [f"## `{name}`\n\n{documented(one)}" for name, one in found.items()]
    members = ((name, one) for name, one in vars(opened).items() if name[0] != "_")
    told_members = [f"### `OpenedRun.{name}`\n\n{documented(one)}" for name, one in members]
    return "\n".join([*told_names, *told_members, "## Errors\n", error_table()])


def documented(found: Any) -> str:
    """The signature of a function or class, and the docstring of anything, with usages as blocks of code."""
    text = inspect.cleandoc(found.__doc__ or "")
    text = re.sub(r"^(>>> .*(?:\n.+)*)", r"```python\n\1\n```", text, flags=re.MULTILINE)
    if not callable(found):
        return f"{text}\n"
    signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(found)))
    signature = re.sub(r"<function (\w+) at \w+>", r"\1", signature)
    return f"```python\n{found.__name__}{signature}\n```\n\n{text}\n"


def error_table() -> str:
    kinds = [errors.RosearchError, *errors.RosearchError.__subclasses__(), errors.MachineFault]
    kinds = [kind for kind in dict.fromkeys(kinds) if kind.__module__ == errors.__name__]
    rows = ((f"`{kind.__name__}`", str(kind.exit_code), first_line(kind)) for kind in kinds)
    return table("`rosearch.errors` | exit code | meaning", rows)


def first_line(found: Any) -> str:
    return " ".join(inspect.cleandoc(found.__doc__).partition("\n\n")[0].split())


def tables() -> str:
    pages = {
        "`candidates`": (RECORDS, "A row a record of the run: candidates, baselines, finalists, failed ones too."),
        "`candidates`, where it was measured": (
            OCCURRING,
            "`ATTACK`, `BATCH` and `STAGE` stand for names and numbers.",
        ),
        "`statistics`": (STATISTICS, "A row an outcome and a feature."),
        "`motifs`": (MOTIFS, "A row a pair of operations."),
        "`regressions`": (REGRESSIONS, "A row an outcome and a set of predictors."),
        "`pooled`": (POOLED, "A row an outcome and a feature, over several runs: `rosearch stats RUN RUN --to DIR`."),
        "`comparisons`": (COMPARISONS, "A row a student and the best. Differences are the student's less the other's."),
    }
    return "\n".join(f"## {title}\n\n{text}\n\n{columns(found)}" for title, (found, text) in pages.items())


def columns(found: Mapping[str, Described]) -> str:
    rows = ((f"`{name}`", one.dtype, one.unit, one.meaning) for name, one in found.items())
    return table("column | type | unit | meaning", rows)


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli,
    "experiment.md": experiment,
    "python.md": python,
    "search_space.md": search_space,
    "tables.md": tables,
}


def renewed(name: str) -> str:
    """A page with all behind its mark made anew."""
    before, mark, _ = (FOLDER / name).read_text(encoding="utf-8").partition(MARK)
    assert mark, f"{name} has no line {MARK!r}"
    return f"{before}{mark}\n{PAGES[name]()}"


def main() -> None:
    for name in PAGES:
        (FOLDER / name).write_text(renewed(name), encoding="utf-8")
        print(FOLDER / name)


if __name__ == "__main__":
    main()
