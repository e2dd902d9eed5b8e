"""`rosearch status --watch`: a run, looked at again and again until it ends.

A search is not slowed: see `rosearch.report.watched`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from rosearch.errors import safe
from rosearch.progress import check_stop
from rosearch.records.run_directory import RunDirectory
from rosearch.report.course import course_lines
from rosearch.report.overview import ranked_table
from rosearch.report.watched import Watched
from rosearch.run.results import Results, load_results
from rosearch.terminal.console import out, print_line, rendered

_EVERY_S = 2.0  # between two looks
_TOLD_S = 30.0  # between two lines where there is no terminal and no student is finished


def watch(run: RunDirectory, console: Console = out, pause: Callable[[float], None] = time.sleep) -> Results:
    """Shows a run until no process works on it; the results at its end. Raises `KeyboardInterrupt` at Ctrl-C."""
    watched = Watched(run)
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop") as live:
            _look(watched, lambda results: live.update(_view(results, console), refresh=True), pause)
    else:
        _look(watched, _Lines(console).tell, pause)
    return load_results(run)


def _look(watched: Watched, show: Callable[[Results], None], pause: Callable[[float], None]) -> None:
    while (results := watched.results()).state == "running":
        show(results)
        pause(_EVERY_S)
        check_stop()


def _view(results: Results, console: Console) -> RenderableType:
    """As much as the screen holds: the lines of the whole and of what is done now, the best candidates."""
    told = [str(results.run.path), *course_lines(results, time.time())]
    lines = [
        Text(safe(line), "" if number else "bold", no_wrap=True, overflow="ellipsis")
        for number, line in enumerate(told)
    ]
    if not results.counts["candidate", "done"]:
        return Group(*lines)
    room = console.height - len(lines) - 7  # of the table's title, head, teacher and notes
    return Group(*lines, rendered(ranked_table(results, max(1, room)), console))


class _Lines:
    """One line whenever a student is finished, and now and then in between."""

    def __init__(self, console: Console) -> None:
        self._console, self._done, self._told = console, -1, 0.0

    def tell(self, results: Results) -> None:
        done = sum(count for (_, status), count in results.counts.items() if status in ("done", "failed"))
        if done != self._done or time.monotonic() - self._told >= _TOLD_S:
            self._done, self._told = done, time.monotonic()
            print_line("; ".join(line.strip() for line in course_lines(results, time.time())), self._console)
