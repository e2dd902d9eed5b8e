"""Files and folders: written whole or not at all, made once under a key, and hashed.

::

    with whole(path) as draft:  # a hidden name beside `path`; a folder is made by the caller
        draft.write_text("all of it")

    plan = made_once(path, read, make)  # `make(draft)` only where `read(path)` is None
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

T = TypeVar("T")

# A draft, the folder that it takes the place of, and the lock that the process holds which writes it.
_HALF = re.compile(r"(?P<draft>\.(?P<name>.+)\.(?:draft|[0-9a-f]{8}))(?:\.old|\.lock)?")


@contextmanager
def whole(path: Path, *, alone: bool = False, previous: Path | None = None) -> Iterator[Path]:
    """A draft of a file or folder that takes the place of `path` at the end: a reader never sees half of it.

    A kill or a power cut leaves the old file or the new one. A folder is replaced in two steps; a kill between them
    leaves no folder, until `sweep` puts the old one back. After an exception inside, `path` is as it was and the draft
    is gone. Files in a folder get the mode that the umask gives.

    With `previous`, the file that lay at `path` is kept there; a kill may leave it there alone. `alone` is for callers
    that no other process races: the draft then has one name, and what a killed process left of it is removed.
    """
    with draft_beside(path, alone=alone) as draft:
        yield draft
        settle(draft)
        if previous is not None and path.exists():
            path.replace(previous)
        _put(draft, path)


def write_whole(path: Path, text: str) -> None:
    """Writes a UTF-8 text file as `whole` does."""
    with whole(path) as draft:
        draft.write_text(text, encoding="utf-8")


@contextmanager
def draft_beside(path: Path, *, alone: bool = False) -> Iterator[Path]:
    """A hidden name beside `path`, whose folder is made. What lies under that name at the end is removed.

    What killed processes left of the same file or folder is removed first.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path.parent)) from None
    # No temporary name of the standard library: their mode ignores the umask.
    sweep(path.parent, path.name)
    draft = path.with_name(f".{path.name}.{'draft' if alone else secrets.token_hex(4)}")
    with _marked_as_alive(draft):
        _remove(draft)
        try:
            yield draft
        finally:
            _remove(draft)


def sweep(folder: Path, name: str | None = None) -> None:
    """Removes the halves that killed processes left in a folder; with `name`, those of that file or folder alone.

    A folder that was about to be replaced is put back. What a living process writes stays: it holds the lock of it.
    """
    found = [match for path in folder.glob(".*") if (match := _HALF.fullmatch(path.name))]
    for draft, of in sorted({(match["draft"], match["name"]) for match in found}):
        if name in (None, of):
            with suppress(OSError):  # another user's
                _sweep(folder / draft, folder / of)


def _sweep(draft: Path, path: Path) -> None:
    place, old = _beside(draft, "lock"), _beside(draft, "old")
    if (lock := try_lock(place)) is None:
        return
    try:
        if old.is_dir() and not path.exists():
            old.rename(path)
        for half in (draft, old, place):
            _remove(half)
    finally:
        lock.release()


@contextmanager
def _marked_as_alive(draft: Path) -> Iterator[None]:
    """Holds a lock beside a draft, which the system releases when this process dies, and removes it at the end."""
    place = _beside(draft, "lock")
    lock = try_lock(place)
    try:
        yield
    finally:
        place.unlink(missing_ok=True)
        if lock is not None:
            lock.release()


def _beside(draft: Path, what: str) -> Path:
    return draft.with_name(f"{draft.name}.{what}")


def remove_whole(folder: Path) -> None:
    """Deletes a folder whole or not at all: a kill leaves it as it was, or hidden. Nothing happens without one."""
    if folder.is_dir():
        with draft_beside(folder) as hidden:
            folder.rename(hidden)


def settle(path: Path) -> None:
    """Writes a file, or all that a folder holds, to the disk. Files in a folder get the mode that the umask gives."""
    if not path.is_dir():
        _sync_file(path)
        return
    mode = path.stat().st_mode & 0o666  # a folder has it from the umask; safetensors makes files of mode 0600
    for inner in (*path.rglob("*"), path):
        if inner.is_symlink():
            continue  # what it points to lies elsewhere, or nowhere
        if inner.is_dir():
            sync_folder(inner)
        else:
            inner.chmod(mode)
            _sync_file(inner)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Inside, this process alone works on `path`; others wait.

    The lock lies beside it. The lock ends with the process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        yield


def try_lock(path: Path) -> FileLock | None:
    """The lock at `path`, held until it is released or the process dies; None where another process holds it."""
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return lock


def made_once(path: Path, read: Callable[[Path], T | None], make: Callable[[Path], object]) -> T:
    """The value that `read` finds at `path`; where it is None, `make` first writes a draft (a file or a folder).

    One process makes it while others wait. Damaged files, for which `read` gives None, are made again. Before it makes
    one, halves of all keys beside it are removed.
    """
    if (found := read(path)) is not None:
        return found
    with locked(path):
        if (found := read(path)) is None:  # made while this process waited?
            sweep(path.parent)
            with whole(path, alone=True) as draft:
                make(draft)
            found = read(path)
    if found is None:
        raise OSError(errno.EIO, "made, and yet not to be read", str(path))
    return found


def file_hash(path: Path) -> str:
    """32 hex digits of a file's content; a file of the same size and time is not read again."""
    state = path.stat()
    return _file_hash(path, state.st_size, state.st_mtime_ns)


def content_key(parts: Iterable[str], divider: str = "\x1f") -> str:
    """32 hex digits of texts in their order: the name of what is made from them. Undecodable file names are allowed."""
    return hashlib.blake2b(divider.join(parts).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


@lru_cache(maxsize=4096)
def _file_hash(path: Path, size: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _put(draft: Path, path: Path) -> None:
    if path.is_dir():
        old = _beside(draft, "old")
        _remove(old)
        path.rename(old)  # a folder that holds something is never replaced in one step
        try:
            draft.rename(path)
        except BaseException:
            old.rename(path)
            raise
        _remove(old)
    else:
        draft.replace(path)
    sync_folder(path.parent)


def importable() -> list[str]:
    """The places that Python imports from, without the folder where the user stands.

    A `random.py` there is not Python's. The folders of this package and of the script that runs stay.
    """
    try:
        here = Path.cwd()
    except FileNotFoundError:  # it was deleted
        return [entry for entry in sys.path if entry]
    script = getattr(sys.modules["__main__"], "__file__", None) or __file__
    kept = (Path(__file__).parents[1], Path(script).resolve().parent)
    return [entry for entry in sys.path if here in kept or Path(entry).resolve() != here]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Makes the names in a folder last, where the system can."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno in (errno.EIO, errno.ENOSPC, errno.EDQUOT):  # it can, and could not now
            raise
    finally:
        os.close(handle)
