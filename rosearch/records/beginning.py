"""The beginning of a run: its two snapshots and the versions of libraries. A run never goes on with others unseen.

>>> note_beginning(store, run.experiment_file, run.search_space)  # when a run is made
>>> refuse_changes(store, run.experiment_file, run.search_space)  # whenever it is opened
>>> go_on(store, run.path, run.experiment_file, run.search_space)  # before it is resumed
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rosearch.config.plain_data import parse_yaml, read_yaml
from rosearch.errors import RunError, shown
from rosearch.records.store import Store
from rosearch.records.whole_rows import unreadable

LIBRARIES = ("rosearch", "torch", "transformers")  # those that the records of equal seeds depend on
_VERSIONS = "versions"
_SHOWN = 5  # differences that are spelled out


def note_beginning(store: Store, *snapshots: Path) -> None:
    """Stores the snapshots as they are now, each under the name of its file, and the versions of libraries."""
    for path in snapshots:
        store.set_meta(path.stem, path.read_text(encoding="utf-8"))
    store.set_meta(_VERSIONS, _installed())


def read_versions(store: Store) -> dict[str, str]:
    """The versions of libraries that a run began with; none of a run of an older rosearch."""
    began = store.get_meta(_VERSIONS)
    return {str(name): str(told) for name, told in began.items()} if isinstance(began, dict) else {}


def refuse_changes(store: Store, *snapshots: Path) -> None:
    """Raises `RunError`, with the keys that differ, where a snapshot is not the one that the run began with.

    Other comments and another layout are no difference. A run of an older rosearch has noted nothing.
    """
    for path in snapshots:
        began = store.get_meta(path.stem)
        if not isinstance(began, str) or _text(path) == began:
            continue
        differences = list(_differences(_parsed(store, path, began), read_yaml(path)))
        if differences:
            more = f" and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
            raise RunError(
                f"{path}: changed since the run began: {', '.join(differences[:_SHOWN])}{more}. "
                "Put the old values back, or start a new run"
            )


def go_on(store: Store, run: Path, *snapshots: Path) -> None:
    """As `refuse_changes`, before a run goes on; other versions of libraries are a warning.

    For a run of an older rosearch, the snapshots and versions of today are noted.
    """
    began = store.get_meta(_VERSIONS)
    if began is None:
        note_beginning(store, *snapshots)
        return
    refuse_changes(store, *snapshots)
    now = _installed()
    others = [f"{name} {began[name]} (now {now[name]})" for name in now if began.get(name, now[name]) != now[name]]
    if others and not store.finished():
        said = "%s: began with %s: what is measured from here on may differ"
        logging.getLogger(__name__).warning(said, run, ", ".join(others))


def _installed() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a checkout that was never installed
            continue
    return found


def _parsed(store: Store, path: Path, text: str) -> Any:
    try:
        return parse_yaml(text)
    except ValueError as error:  # a run may come from anywhere
        raise unreadable(store.path, path.stem, error) from None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None  # `read_yaml` says why


def _differences(before: Any, now: Any, key: str = "") -> Iterator[str]:
    """Each key whose value differs, dotted, with both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in {**before, **now}:
            yield from _differences(before.get(name), now.get(name), f"{key}.{name}" if key else str(name))
    elif before != now:
        yield f"{key} (was {shown(before, 60)}, is {shown(now, 60)})"
