from __future__ import annotations

import io
import re

from rich.console import Console

from rosearch.terminal.progress import SearchDisplay


def lines(every: float) -> list[str]:
    log = Console(file=io.StringIO(), width=100)
    with SearchDisplay(log, every) as display:
        for done in range(5):
            display.progress("teacher", done, 4)
    told = log.file.getvalue()  # type: ignore[attr-defined]  # the file above
    return re.sub(r"\d+ s$", "N s", told, flags=re.MULTILINE).splitlines()


def test_long_work_tells_in_a_log_how_far_it_is() -> None:
    assert lines(every=0) == [
        "teacher ...",
        *(f"teacher: {done} of 4 in N s" for done in (1, 2, 3)),
        "teacher: done in N s",
    ]


def test_short_work_tells_its_start_and_its_end() -> None:
    assert lines(every=1000) == ["teacher ...", "teacher: done in N s"]
