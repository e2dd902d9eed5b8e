"""The place of an unfinished distillation: a hidden folder beside its destination, which one process has at a time.

>>> with workplace(Path("student")) as place:
...     place.name
'.student.unfinished'
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rosearch.errors import RunError
from rosearch.files import try_lock


def unfinished(to: Path) -> Path:
    """The hidden folder beside the destination with the checkpoint of an unfinished training."""
    to = to.expanduser().resolve()
    return to.with_name(f".{to.name}.unfinished")


@contextmanager
def workplace(to: Path) -> Iterator[Path]:
    """The folder of the unfinished training, for this process alone. It is removed unless it holds a checkpoint.

    Raises `RunError` where another process has the folder, or where it cannot be made.
    """
    place = unfinished(to)
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = try_lock(place / "lock")
    except OSError as error:
        raise RunError(f"{to}: cannot be written: {error.strerror or error}") from None
    if lock is None:
        raise RunError(f"{to}: another process is writing it")
    try:
        yield place
    finally:
        lock.release()
        if place.is_dir() and not any(place.glob("checkpoint*")):
            shutil.rmtree(place, ignore_errors=True)
