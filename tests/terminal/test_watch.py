from __future__ import annotations

import io
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.console import Console
from small_run import write_experiment

from rosearch.config.file import load_experiment
from rosearch.records.run_directory import RunDirectory
from rosearch.run.standing import AtWork, Stage, Standing, StandingFile
from rosearch.terminal.watch import watch


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path, load_experiment(write_experiment(tmp_path)))


def seen(run: RunDirectory, console: Console, looks: int) -> str:
    """The output of a watch of a run that ends after some looks."""
    pauses = []
    with ExitStack() as stack:
        stack.enter_context(run.lock())
        StandingFile(run.standing).put(Standing(1.0, (), (AtWork(3, "3fa9c2d1", Stage("distil", 4, 9, 1.0)),)))

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == looks:
                stack.close()

        assert watch(run, console, pause).state == "interrupted"
    assert len(pauses) == looks
    return console.file.getvalue()  # type: ignore[attr-defined]  # a string


def test_without_a_terminal_a_line_is_printed_when_something_is_new(run: RunDirectory) -> None:
    (line,) = seen(run, Console(file=io.StringIO(), width=120), looks=3).splitlines()
    assert line.startswith("stage 1 of 2: data and teacher | 0 of 7 done; #3 3fa9c2d1: distilling 4 of 9, for ")


def test_on_a_terminal_the_screen_is_drawn_again_and_nothing_is_left(run: RunDirectory) -> None:
    told = seen(run, Console(file=io.StringIO(), width=80, height=24, force_terminal=True), looks=2)
    assert told.count("stage 1 of 2: data and teacher") >= 2 and "\x1b[?25h" in told  # the cursor is back


def test_ctrl_c_ends_a_watch(run: RunDirectory) -> None:
    def pause(seconds: float) -> None:
        raise KeyboardInterrupt

    with run.lock(), pytest.raises(KeyboardInterrupt):
        watch(run, Console(file=io.StringIO()), pause)
