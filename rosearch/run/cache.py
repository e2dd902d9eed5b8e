"""A cache of searches or of `rosearch distil` and `attack`: what lies there by kind, how large, and its removal.

>>> [(kind.name, kind.bytes) for kind in kinds_of(find_cache(Path("runs")))]

All of it is made anew when it is asked for again: removing it costs time, and never a record.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rosearch.errors import RosearchError, RunError
from rosearch.files import damage, remove_whole, try_lock
from rosearch.records.run_directory import RunDirectory
from rosearch.run.results import open_results

# Each kind is a folder of the cache.
KINDS = {
    "teachers": "teachers that were fine-tuned",
    "encoded": "rows as tokens",
    "outputs": "what teachers answer",
    "corpora": "corpora as tokens",
    "generators": "generators of MATE-KD, trained",
    "masked_lms": "masked LMs of attacks, trained",
    "vectors": "word vectors of attacks",
    "encodings": "robust encodings of words",
    "contrast": "changes of rows that turn a teacher's answer",
    "plans": "attacks, compiled for rows",
    "yardsticks": "quality and robustness of teachers",
    "latency": "latencies measured on this machine",
    "unfinished": "attacks that were stopped, and go on",
    "textattack": "files that TextAttack keeps",
}


@dataclass(frozen=True)
class Kind:
    """The entries of one kind."""

    name: str
    about: str
    entries: int
    bytes: int


def find_cache(folder: Path) -> Path:
    """The cache below a folder of runs, or the folder itself if it is a cache, such as `.rosearch`.

    Raises `RunError` where there is none.
    """
    for path in (folder / ".cache", folder):
        if path.is_dir() and (path.name == ".cache" or any((path / name).is_dir() for name in KINDS)):
            return path
    raise RunError(f"{folder}: expected a folder of runs with a cache, or a cache such as .rosearch, got neither")


def kinds_of(cache: Path) -> list[Kind]:
    """Every kind that lies in a cache, largest first."""
    found = [
        Kind(name, about, len(entries), bytes_below(cache / name))
        for name, about in KINDS.items()
        if (entries := _entries(cache / name))
    ]
    return sorted(found, key=lambda kind: -kind.bytes)


def users_of(cache: Path) -> list[tuple[Path, bool]]:
    """The runs beside a cache that are not finished with it, each with True if a process works on it now."""
    found = []
    for path in sorted(cache.parent.iterdir()) if cache.name == ".cache" else ():
        if not RunDirectory.is_run(path):
            continue
        try:
            running = bool(RunDirectory(path).driver())
            if running or not open_results(path).finished:
                found.append((path, running))
        except (RosearchError, OSError):  # a run that cannot be read cannot go on
            continue
    return found


def remove_kinds(cache: Path, names: Sequence[str]) -> int:
    """Deletes the entries of some kinds, but those that a process makes now; returns the bytes that were freed.

    Raises `RunError`, before anything is deleted, where a search beside the cache runs.
    """
    if running := [path for path, running in users_of(cache) if running]:
        raise RunError(f"{cache}: in use: {running[0]} is running. Nothing was removed")
    before = bytes_below(cache)
    for name in names:
        for entry in _entries(cache / name):
            remove_entry(entry)
    return before - bytes_below(cache)


def bytes_below(folder: Path) -> int:
    """The size of all files below a folder; links are not followed."""
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(at) / name).lstat().st_size
            except OSError:  # gone meanwhile
                continue
    return total


def _entries(folder: Path) -> list[Path]:
    """Everything that has a key, without locks, drafts, and links, which lead elsewhere."""
    if not folder.is_dir() or folder.is_symlink():
        return []
    kept = (p for p in folder.iterdir() if p.suffix != ".lock" and not p.name.startswith(".") and not p.is_symlink())
    return sorted(kept)


def damaged_entries(cache: Path) -> list[tuple[Path, str]]:
    """The entries with files of another size than was written, each with the difference in words.

    Bytes are not compared here: whoever opens an entry does it, and makes it anew.
    """
    found = []
    for entry in (entry for name in KINDS for entry in _entries(cache / name)):
        if problem := damage(entry, _Everything()):
            found.append((entry, f"{Path(problem.where).name}: {problem.got}"))
    return found


class _Everything(Collection[str]):
    """All names: of every file the size alone is compared."""

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def remove_entry(entry: Path) -> None:
    """Deletes an entry, unless a process makes it now."""
    own = entry / "lock"  # of an attack that was stopped; others have theirs beside them
    if (lock := try_lock(own if own.is_file() else entry.with_suffix(".lock"))) is None:
        return
    try:
        if entry.is_dir():
            remove_whole(entry)
        else:
            entry.unlink(missing_ok=True)
    finally:
        lock.release()
