from __future__ import annotations

import io
import re

from attacked_results import attacked, measured, record
from rich.console import Console

from rosearch.progress import step
from rosearch.run.course import Overall
from rosearch.terminal.progress import SearchDisplay

WHOLE = Overall(2, 3, "generation 1", 7, 18, 4, 0.7123, 200.0)


def log() -> Console:
    return Console(file=io.StringIO(), width=100)


def lines(console: Console) -> list[str]:
    told = console.file.getvalue()  # type: ignore[attr-defined]  # the file above
    return re.sub(r"\d+ s$", "N s", told, flags=re.MULTILINE).splitlines()


def counted(every: float) -> list[str]:
    console = log()
    with SearchDisplay(console, every, beat=None) as display:
        for done in range(5):
            display.progress("teacher", done, 4)
    return lines(console)


def test_long_work_tells_in_a_log_how_far_it_is() -> None:
    assert counted(every=0) == [
        "fine-tuning the teacher ...",
        *(f"fine-tuning the teacher: {done} of 4 in N s" for done in (1, 2, 3)),
        "fine-tuning the teacher: done in N s",
    ]


def test_short_work_tells_its_start_and_its_end() -> None:
    assert counted(every=1000) == ["fine-tuning the teacher ...", "fine-tuning the teacher: done in N s"]


def test_a_step_that_nobody_can_count_is_told_once_it_lasts() -> None:
    console = log()
    with SearchDisplay(console, beat=None) as display:
        with step(display.progress, "open"):
            display.look()
        assert lines(console) == []  # two seconds are not over
        with step(display.progress, "open"):
            display._own["open"].began -= 10
            display.look()
            display.look()
            display._own["open"].told -= 100
            display.look()
    words = "loading data and teacher"
    assert lines(console) == [f"{words} ...", f"{words}: for N s", f"{words}: done in N s"]


def test_a_batch_is_told_with_its_size_and_a_steady_search_in_words_of_its_own() -> None:
    console = log()
    found = record(5, measured(attacked("deepwordbug", "sb")))
    with SearchDisplay(console, beat=None) as display:
        display.batch("generation 1", [found, found])
        display.batch("24 candidates, each as a worker becomes free", [])
    assert lines(console) == ["generation 1: 2 to run", "24 candidates, each as a worker becomes free"]


def test_a_log_tells_now_and_then_of_the_whole_and_who_is_attacked() -> None:
    console = log()
    found = record(5, measured(attacked("deepwordbug", "sb")))
    with SearchDisplay(console, every=0, beat=None) as display:
        display.overall(WHOLE)
        display.started(found)
        display.stage(found, "attack deepwordbug", 3, 10)
        display.look()
        display.finished(found)
        display.look()  # nobody is at work
    whole, finished = lines(console)
    assert whole.startswith("stage 2 of 3: generation 1 | 7 of 18 done | best #4 0.712 | 3 min left; #5 ")
    assert whole.endswith(f"{found.id[:8]}: attack deepwordbug 3 of 10")
    assert finished.startswith(f"  #5 {found.id[:8]} accuracy 80.0%, under attack 50.0%")


def test_a_terminal_shows_the_whole_each_student_and_the_steps_of_the_driver() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    found = record(5, measured(attacked("deepwordbug", "sb")))
    with SearchDisplay(console) as display:
        display.overall(WHOLE)
        display.started(found)
        display.stage(found, "compile pwws", 3, 10)
        display.progress("starting workers", 0, 1)
        shown = [
            "".join(segment.text for segment in line) for line in console.render_lines(display._bars.get_renderable())
        ]
    assert shown[0].rstrip() == "stage 2 of 3: generation 1 | 7 of 18 done | best #4 0.712 | 3 min left"
    assert shown[1].startswith(f"  #5 {found.id[:8]}: compiling the plan of pwws") and "3/10" in shown[1]
    assert shown[2].startswith("starting workers") and "0/1" not in shown[2]
    assert all(len(line) <= 80 for line in shown)
