"""TensorBoard: event files below the run, `tensorboard --logdir RUNS`.

A record is one event, with all its figures and its text, so that a kill leaves the whole record or nothing of it.
TensorBoard keeps figures as float32: a count above 16.7 million is rounded in its eighth digit.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from rosearch.run.tracking.row import Row
from rosearch.run.tracking.tracker import Tracked

_MARK = "/failed"  # every row has this figure


class TensorBoard:
    """A `Tracker` that appends to event files, and reads those of earlier starts."""

    def __init__(self, told: Tracked) -> None:
        from torch.utils.tensorboard import FileWriter

        self._steps, described = _written(told.folder)
        self._writer: Any = FileWriter(str(told.folder))
        if not described:
            self._describe(told)

    def known(self) -> Collection[int]:
        """See `Tracker`."""
        return self._steps

    def write(self, row: Row) -> None:
        """See `Tracker`."""
        self._add(row.figures, {f"{row.role}/record": _as_code(row.text)}, row.number)
        self._writer.flush()

    def close(self, ended: bool) -> None:
        """See `Tracker`."""
        self._writer.close()

    def _describe(self, told: Tracked) -> None:
        """Texts of the run as a whole: its folder, and the experiment."""
        table = "\n".join(_table(told))
        self._add({}, {"run/folder": _as_code(str(told.run)), "run/experiment": table}, 0)
        self._writer.flush()

    def _add(self, figures: dict[str, float], texts: dict[str, str], step: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary
        from torch.utils.tensorboard import summary

        make: Any = summary  # it has no types
        parts = [make.scalar(name, value) for name, value in figures.items()]
        parts += [make.text(name, value) for name, value in texts.items()]
        values = [value for part in parts for value in part.value]
        self._writer.add_summary(Summary(value=values), step)


def _written(folder: Path) -> tuple[set[int], bool]:
    """The numbers of the records in the event files of a folder, and True where the run is described there."""
    if not any(folder.glob("*tfevents*")):
        return set(), False
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it warns of the event that a kill has cut
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})  # 0: all of them
    events.Reload()
    tags = events.Tags()
    marks = [tag for tag in tags["scalars"] if tag.endswith(_MARK)]
    steps = {event.step for tag in marks for event in events.Scalars(tag)}
    return steps, "run/experiment/text_summary" in tags["tensors"]


def _as_code(text: str) -> str:
    """A text that Markdown leaves as it is."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def _table(told: Tracked) -> Iterator[str]:
    yield "| key | value |"
    yield "|---|---|"
    for key, value in told.parameters.items():
        shown = value if isinstance(value, str) else json.dumps(value)
        yield f"| {key} | {' '.join(shown.split()).replace('|', '&#124;').replace('<', '&lt;')} |"
