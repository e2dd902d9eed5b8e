"""The pages of docs/reference/ are what the code makes of them."""

from __future__ import annotations

import pytest
import typer.main

from rosearch.cli.app import app
from rosearch.report.columns import RECORDS
from rosearch.run.reference import all_keys
from tests import reference


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_page_is_current(name: str) -> None:
    there = (reference.FOLDER / name).read_text(encoding="utf-8")
    assert there == reference.renewed(name), "run `python -m tests.reference`"


def test_every_page_is_made() -> None:
    assert {path.name for path in reference.FOLDER.glob("*.md")} == set(reference.PAGES)


def test_pages_name_every_key_column_and_command() -> None:
    experiment, tables, cli = (reference.PAGES[f"{name}.md"]() for name in ("experiment", "tables", "cli"))
    for key in all_keys().keys:
        assert f"| `{key.name}` |" in experiment
    assert all(f"| `{name}` |" in tables for name in RECORDS)
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        assert f"## `rosearch {name}`" in cli
        options = {option for one in command.params for option in one.opts if one.param_type_name == "option"}
        assert [option for option in options - {"--help"} if f"`{option}" not in cli] == []


def test_a_bar_in_a_cell_parts_no_columns() -> None:
    assert reference.table("a | b", [("x | y", "z")]) == "| a | b |\n|---|---|\n| x \\| y | z |\n"


def test_text_before_the_mark_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(reference.PAGES, "tables.md", lambda: "made\n")
    written = (reference.FOLDER / "tables.md").read_text(encoding="utf-8")
    prose, mark, _ = written.partition(reference.MARK)
    assert reference.renewed("tables.md") == f"{prose}{mark}\nmade\n" and "each statistic tests" in prose
