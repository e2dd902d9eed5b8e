"""Each row of docs/reliability.md names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
FAULTS = [row for row in ROWS if row[0] != "kind"]


@pytest.mark.parametrize("row", FAULTS, ids=[row[0] for row in FAULTS])
def test_a_row_of_the_page_on_reliability_names_tests_that_exist(row: list[str]) -> None:
    assert len(row) == 3, f"three cells, separated by ' | ': {row}"
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row[2])
    assert named, f"no `tests/FILE.py::NAME`: {row[2]}"
    for file, name in named:
        assert re.search(rf"^ *def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), (
            f"{file}::{name}"
        )
