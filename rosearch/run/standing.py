"""Where a driver stands: its own stage and the students at work, told to `rosearch status` by a small file of the run.

The file is a courtesy. It is replaced in one step and never waits for the disk, so it costs a search nothing; a kill
leaves the last one, which `status` shows as where the search was. It is no record: without it, or with one that cannot
be read, everything else is as it is.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from rosearch.files import content, is_sealed, seal

_MOST_BYTES = 1 << 16  # of a file that comes from anywhere
_MOST_AT_WORK = 64  # students in a file, which is written with each start and end
_EVERY_S = 1.0  # between two files that differ in counts alone


@dataclass(frozen=True)
class Stage:
    """One stage, `done` of `total` steps; 0 of 1 where nobody can count them. `since` is in seconds of the epoch."""

    name: str
    done: int
    total: int
    since: float


@dataclass(frozen=True)
class AtWork:
    """A student in the hands of a worker."""

    number: int
    label: str
    stage: Stage


@dataclass(frozen=True)
class Standing:
    """The work of a driver: stages of its own, as fine-tuning the teacher, and the students at work.

    A file lists some of hundreds of students; `others` are at work as well.
    """

    written: float  # seconds of the epoch
    own: tuple[Stage, ...] = ()
    at_work: tuple[AtWork, ...] = ()
    others: int = 0


class StandingFile:
    """Writes a standing into a file, at once where a stage begins or ends, else at most once a second."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names: tuple[str, ...] = ()
        self._written = 0.0

    def put(self, standing: Standing) -> None:
        """Writes it where it is new enough. Nothing is raised: a full disk must not end a search for this."""
        if (others := len(standing.at_work) - _MOST_AT_WORK) > 0:
            standing = replace(standing, at_work=standing.at_work[:_MOST_AT_WORK], others=others)
        names = (*(stage.name for stage in standing.own), *(f"{a.number} {a.stage.name}" for a in standing.at_work))
        if names == self._names and abs(standing.written - self._written) < _EVERY_S:  # a clock may be set back
            return
        self._names, self._written = names, standing.written
        draft = self._path.with_name(f".{self._path.name}.draft")
        try:
            draft.unlink(missing_ok=True)
            with draft.open("xb") as file:  # never through a link
                file.write(_ADAPTER.dump_json(standing))
            seal(draft)
            draft.replace(self._path)
        except OSError:
            return


def read_standing(path: Path) -> Standing | None:
    """The standing in a file; None where there is none. One that was damaged is left out with a warning."""
    for _ in range(2):  # the driver may have replaced it while it was read
        try:
            if not path.is_file():
                return None
            if path.stat().st_size <= _MOST_BYTES and is_sealed(path):
                return _ADAPTER.validate_json(content(path), strict=True)
        except (OSError, ValueError):
            continue
    logging.getLogger(__name__).warning("%s: damaged: where the driver is, or was, is not known", path)
    return None


def standing_data(standing: Standing, now: float | None = None) -> dict[str, object]:
    """A standing as JSON data, with the seconds that each stage lasts in place of times of the epoch."""
    now = time.time() if now is None else now
    data = asdict(standing)
    data["seconds_ago"] = round(max(0.0, now - data.pop("written")), 1)
    for stage in (*data["own"], *(one["stage"] for one in data["at_work"])):
        stage["seconds"] = round(max(0.0, standing.written - stage.pop("since")), 1)
    return data


_ADAPTER = TypeAdapter(Standing)
