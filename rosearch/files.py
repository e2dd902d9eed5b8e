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
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

T = TypeVar("T")


@contextmanager
def whole(path: Path, *, alone: bool = False, previous: Path | None = None) -> Iterator[Path]:
    """A draft of a file or folder that takes the place of `path` at the end: a reader never sees half of it.

    A kill or a power cut leaves the old file or the new one. A folder is replaced in two steps; a kill between them
    leaves no folder. After an exception inside, `path` is as it was and the draft is gone. Files in a folder get the
    mode that the umask gives.

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
    """A hidden name beside `path`, whose folder is made. What lies under that name at the end is removed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path.parent)) from None
    # No temporary name of the standard library: their mode ignores the umask.
    draft = path.with_name(f".{path.name}.{'draft' if alone else secrets.token_hex(4)}")
    _remove(draft)
    try:
        yield draft
    finally:
        _remove(draft)


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
            _sync_folder(inner)
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

    One process makes it while others wait. Damaged files, for which `read` gives None, are made again.
    """
    if (found := read(path)) is not None:
        return found
    with locked(path):
        if (found := read(path)) is None:  # made while this process waited?
            with whole(path, alone=True) as draft:
                make(draft)
            found = read(path)
    assert found is not None, f"{path}: made, and yet not to be read"
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
        old = draft.with_name(f"{draft.name}.old")
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
    _sync_folder(path.parent)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    """Makes the names in a folder last, where the system can."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
