from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from rosearch.export.markdown import as_code, as_text, table

NAMES = [
    "plain",
    "# h",
    "a|b",
    "a `b` ``c``",
    "[a](b)",
    "![a](b)",
    "[a]: b",
    "**a**",
    "_a_",
    "a_b_c",
    "~~a~~",
    "<b>x</b>",
]


@pytest.mark.parametrize("name", [*NAMES, "a\nb", "a\\", "\\`a\\`", "-", "1.", "`"])
def test_a_name_is_read_as_it_stands(name: str) -> None:
    for written in (as_text(name), as_code(name)):
        inline = MarkdownIt("commonmark").enable("table").parse(f"# Of {written} it is.")[1]
        assert "".join(token.content for token in inline.children or []) == f"Of {' '.join(name.split())} it is."


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_stays_one_cell(name: str) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(table(("x", name), [(name, 1)]))
    assert sum(token.type in ("td_open", "th_open") for token in tokens) == 4


def test_control_characters_are_spelled_out() -> None:
    assert as_text("\x1b[2J\u202ex") == "\\\\x1b[2J\\\\u202ex"
    assert as_code("\x9b") == "`\\x9b`"
