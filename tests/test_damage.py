"""A short form of `python -m tests.damage`: a few files of a finished run, and some bits of its records."""

from __future__ import annotations

from pathlib import Path

import damage


def test_no_command_is_silent_about_a_damaged_file_or_ends_in_a_traceback(tmp_path: Path) -> None:
    found = damage.run(tmp_path, short=True, flips=damage.SHORT_FLIPS)
    assert not found.failing
    assert found.files >= 5 and found.commands > 4 * found.files


def test_a_command_that_gives_something_else_without_a_word_is_silent(tmp_path: Path) -> None:
    trial = damage.Trial(damage.World.__new__(damage.World), short=True, only="")
    expected = damage.Given(0, "{}", "model 1", "")
    given = [
        damage.Given(0, "{}", "model 1", ""),  # the same
        damage.Given(0, "{}", "model 2", ""),
        damage.Given(0, "[]", "model 1", ""),
        damage.Given(0, "[]", "model 1", "records.sqlite: damaged"),
        damage.Given(5, "", "", ""),
        damage.Given(1, "", "", "", "Traceback"),
    ]
    assert [trial._fault(one, expected, False) for one in given] == ["", "silent", "silent", "", "", "tracebacks"]
