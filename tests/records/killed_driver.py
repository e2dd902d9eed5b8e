"""Drivers that kill themselves with SIGKILL at a chosen moment.

Called as: python killed_driver.py MOMENT STORE
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from records import sample_records as samples
from sqlalchemy import event
from sqlalchemy.engine import Engine

from rosearch.records.store import Store


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_after_insert(connection: object, cursor: object, statement: str, *_: object) -> None:
    if statement.startswith("INSERT INTO states"):
        die()


def main(moment: str, path: Path) -> None:
    if moment == "create":
        event.listen(Engine, "commit", die)
        Store.create(path)
    store = Store.create(path)
    store.propose(samples.generation_of(0))
    store.start(1)
    store.finish(1, samples.measured(0.5))
    store.start(2)
    if moment == "inserted":  # the rows of the generation are written, and not yet committed
        event.listen(Engine, "after_cursor_execute", die_after_insert)
    elif moment == "finishing":
        event.listen(Engine, "commit", die)
        store.finish(2, samples.FAILED)
    store.propose(samples.generation_of(1))
    die()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
