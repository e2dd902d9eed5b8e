"""Trackio: one run in its local store, an SQLite file below the run's folder; nothing is sent and no hub is asked.

`TRACKIO_DIR` says where the store lies. `trackio.init` asks the hub who one is, even for a local run, ends a run that
is open, and turns faults into warnings (0.43.0). Rows are written by its store instead, as Trackio's own importers do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rosearch.errors import MissingResource, RunError
from rosearch.run.tracking.row import Row
from rosearch.run.tracking.tracker import Parameter, Tracked

_HUB = (1, 10)  # the huggingface-hub that Trackio asks for; transformers 4 allows none above 0
_WHERE = "execution.track"
_ASKING = ("TRACKIO_BUCKET_ID", "TRACKIO_DATASET_ID")  # with these its store fetches from the hub when it is opened


class Trackio:
    """A `Tracker` that writes one run of Trackio, under the same id at each start. A row is on disk once written."""

    def __init__(self, told: Tracked) -> None:
        if asking := [name for name in _ASKING if os.environ.get(name)]:
            raise RunError(f"{asking[0]} is set, with which Trackio asks the hub; start without it")
        self._store = _store(told.folder)
        self._project, self._run, self._id = _project(self._store, told.experiment), told.run.name, told.word
        self._parameters: dict[str, Parameter] | None = {**told.parameters, "run": str(told.run)}

    def known(self) -> Collection[int]:
        """See `Tracker`."""
        return {row["step"] for row in self._store.get_logs(self._project, run_id=self._id)}

    def write(self, row: Row) -> None:
        """See `Tracker`. Trackio keeps one row of an id, so that none stands twice."""
        texts = {**row.words, "genotype": row.genotype}
        told = {**row.figures, **{f"{row.role}/{name}": _encodable(text) for name, text in texts.items()}}
        self._store.bulk_log(
            project=self._project,
            run=self._run,
            run_id=self._id,
            metrics_list=[told],
            steps=[row.number],
            log_ids=[f"{self._id}-{row.number}"],
            config=self._parameters,
        )
        self._parameters = None  # once a start

    def close(self, ended: bool) -> None:
        """See `Tracker`. Nothing is held back, and Trackio knows no end of a run."""


def lacking(installed: bool) -> list[MissingResource]:
    """The faults of this installation: a huggingface-hub too old for Trackio, or no Trackio where not `installed`."""
    found = version("huggingface-hub")
    numbers = re.match(r"(\d+)\.(\d+)", found)
    if numbers is None or tuple(map(int, numbers.groups())) < _HUB:
        what = f"trackio needs transformers 5 with huggingface-hub 1.10 or newer, found huggingface-hub {found}"
        return [MissingResource(what, "install them as docs/install.md says, or choose another tracker", _WHERE)]
    return [] if installed else [MissingResource("trackio is not installed", "pip install trackio", _WHERE)]


def _project(store: Any, name: str) -> str:
    """The name of an experiment as a project of Trackio, which drops dots and keeps some names for itself."""
    plain = name.replace(".", "-")[:200]  # a file's name has up to 255 bytes, and SQLite adds to it
    try:
        store.validate_project_name(plain)
    except ValueError:  # such as registry-mine, or mine_system
        return f"search-{plain}-run"
    return plain


def _store(folder: Path) -> Any:
    """The store of Trackio, in `TRACKIO_DIR` or in `folder`. Trackio takes a process's folder once, at its import."""
    chosen = os.environ.get("TRACKIO_DIR")
    if not chosen:
        os.environ["TRACKIO_DIR"] = str(folder)
    try:
        from trackio.sqlite_storage import TRACKIO_DIR, SQLiteStorage
    finally:
        if not chosen:
            os.environ.pop("TRACKIO_DIR", None)
    if Path(TRACKIO_DIR).absolute() != Path(chosen or folder).absolute():
        raise RunError(
            f"set TRACKIO_DIR, or search in a process of its own: Trackio keeps one store a process, here {TRACKIO_DIR}"
        )
    return SQLiteStorage


def _encodable(text: str) -> str:
    """A text without the lone halves of characters, such as a file's name may have; Trackio raises on them."""
    return text.encode("utf-8", "replace").decode()
