from __future__ import annotations

import io

import pytest
from rich.console import Console

from rosearch.errors import RosearchError
from rosearch.report.data import PERCENT, Cell, Column, Row, Table, lefts
from rosearch.terminal.console import print_json, rendered


def shown(table: Table, **options: bool) -> str:
    console = Console(width=100, file=io.StringIO(), force_terminal=True, color_system="standard")
    with console.capture() as captured:
        console.print(rendered(table, **options))
    return captured.get()


def test_text_in_brackets_is_text_wherever_it_stands() -> None:
    text = shown(Table("[red]title", lefts("[bold]name"), (Row(("[dim]cell",)),), ("[note]",)))
    for part in ("[red]title", "[bold]name", "[dim]cell", "[note]"):
        assert part in text


def test_emphasis_is_of_the_value_alone_or_of_the_row() -> None:
    warned = shown(Table("", lefts("verdict"), (Row((Cell("not separated", note=": 30 rows", emphasis="warning"),)),)))
    assert "\x1b[33mnot separated\x1b[0m: 30 rows" in warned
    strong = shown(Table("", (*lefts("attack"), Column("rate", PERCENT)), (Row(("worst case", 0.5), "strong"),)))
    assert "\x1b[1mworst case\x1b[0m" in strong


def test_columns_without_names_have_no_header_and_a_dense_table_no_vertical_lines() -> None:
    facts = Table("", lefts("", ""), (Row(("status", "done")),))
    assert len(shown(facts).splitlines()) < len(shown(Table("", lefts("key", "value"), facts.rows)).splitlines())
    assert "│" in shown(facts) and "│" not in shown(facts, dense=True)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_has_no_number_that_is_not_finite(number: float, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RosearchError, match="cannot be printed as JSON"):
        print_json({"recommendations": [{"quality": number}]})
    assert capsys.readouterr().out == ""
