"""Files and folders: written whole or not at all, made once under a key, hashed, and compared when they are read again.

::

    with whole(path) as draft:  # a hidden name beside `path`; a folder is made by the caller
        draft.write_text("all of it")

    plan = made_once(path, read, make)  # `make(draft)` only where `read(path)` is None

What is read again carries digests. A folder that `whole` writes holds `DIGESTS`: a CRC-32 of every 64 KiB of its files,
which finds any one or two bits that changed, and any 32 in a row, with certainty. A single file is sealed: the 32 bytes
of its content's blake2b follow the content. `made_once` makes what is damaged anew; `require_whole` refuses it.

The lines that write stand beside those that compare: more than 300, lest there be a writer without its reader.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import multiprocessing
import os
import re
import secrets
import shutil
import sys
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rosearch.errors import BadInput, MachineFault, Problem, cut

if TYPE_CHECKING:
    from filelock import FileLock  # late: `check` ends without a lock where its input is wrong

    Lock = FileLock

T = TypeVar("T")
Stamp = tuple[int, int, int, int]  # size, two times, number: another one where a file was written again
Digests = dict[str, tuple[int, bytes]]  # of each file of a folder: its bytes, and four bytes of CRC-32 a block

DIGESTS = "rosearch_digests.json"
BLOCK = 1 << 16  # bytes under one CRC-32
_SEAL = 32  # bytes
_WAIT_S = 12 * 3600.0  # longest wait for a lock: whoever holds it may be fine-tuning a teacher
_TELL_S = 30.0  # between two words about such a wait
_BY_HAND = ("README.md", DIGESTS)  # a model card is for people to edit
_log = logging.getLogger(__name__)

# A draft, the folder that it takes the place of, and the lock that the process holds which writes it.
_HALF = re.compile(r"(?P<draft>\.(?P<name>.+)\.(?:draft|[0-9a-f]{8}))(?:\.old|\.lock)?")


@contextmanager
def whole(path: Path, *, alone: bool = False, previous: Path | None = None) -> Iterator[Path]:
    """A draft of a file or folder that takes the place of `path` at the end: a reader never sees half of it.

    A kill or a power cut leaves the old file or the new one. A folder is replaced in two steps; a kill between them
    leaves no folder, until `sweep` puts the old one back. After an exception inside, `path` is as it was and the draft
    is gone. Files in a folder get the mode that the umask gives, and their digests lie beside them.

    With `previous`, the file that lay at `path` is kept there; a kill may leave it there alone. `alone` is for callers
    that no other process races: the draft then has one name, and what a killed process left of it is removed.
    """
    with draft_beside(path, alone=alone) as draft:
        yield draft
        write_digests(draft)
        settle(draft)
        if previous is not None and path.exists():
            path.replace(previous)
        _put(draft, path)


def write_whole(path: Path, text: str, *, sealed: bool = False) -> None:
    """Writes a UTF-8 text file as `whole` does. One that is `sealed` is read by `content`."""
    with whole(path) as draft:
        draft.write_text(text, encoding="utf-8")
        if sealed:
            seal(draft)


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


def halves(folder: Path) -> list[Path]:
    """All that `sweep` looks at in a folder: what is being written there, or was when its process was killed."""
    return sorted(path for path in folder.glob(".*") if _HALF.fullmatch(path.name))


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
    """Inside, this process alone works on `path`; others wait, say for whom, and give up after half a day.

    The lock lies beside it. The lock ends with the process, so whoever holds it is alive. Raises `MachineFault` that
    names the process which has held it for so long.
    """
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_suffix(".lock"))
    _wait_for(lock, path)
    try:
        yield
    finally:
        lock.release()


def _wait_for(lock: Lock, path: Path) -> None:
    from filelock import Timeout

    waited = 0.0
    while True:
        try:
            lock.acquire(timeout=min(_TELL_S, _WAIT_S - waited))
            return
        except Timeout:
            waited += _TELL_S
        holder = lock_holder(Path(lock.lock_file))
        if waited >= _WAIT_S:
            what = f"{holder} has held the lock of {path} for {waited / 3600:.2g} hours. If it does nothing, end it"
            raise MachineFault(what)
        _log.log(logging.WARNING if waited <= _TELL_S else logging.INFO, "%s: waiting for %s", path, holder)


def lock_holder(place: Path) -> str:
    """The process that holds a lock of a file, in words; `another process` where the system does not tell."""
    try:
        state = place.stat()
        file = f"{os.major(state.st_dev):02x}:{os.minor(state.st_dev):02x}:{state.st_ino}"
        lines = [line.split() for line in Path("/proc/locks").read_text(encoding="utf-8").splitlines()]
        pid = next(words[4] for words in lines if words[1] != "->" and words[5] == file)
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ").split()
    except (OSError, StopIteration, IndexError):
        return "another process"
    return f"pid {pid} ({cut(' '.join(words), 120)})"


def try_lock(path: Path) -> FileLock | None:
    """The lock at `path`, held until it is released or the process dies; None where another process holds it."""
    from filelock import FileLock, Timeout

    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return lock


def made_once(
    path: Path, read: Callable[[Path], T | None], make: Callable[[Path], object], later: Collection[str] = ()
) -> T:
    """The value that `read` finds at `path`; where it is None, `make` first writes a draft (a file or a folder).

    One process makes it while others wait. What is damaged is made again with a line in the log: files whose digests
    differ, and those for which `read` gives None. A single file is sealed: `read` asks `content` for it. Files of a
    folder named in `later` are compared by whoever reads their blocks. Before it is made, halves of all keys beside it
    are removed.
    """
    if (found := _unharmed(path, read, later)) is not None:
        return found
    with locked(path):
        if (found := _unharmed(path, read, later)) is None:  # made while this process waited?
            sweep(path.parent)
            if path.exists():
                problem = damage(path, later) or damaged(path, "something else")
                _log.warning("%s: damaged (%s); it is made again", problem.where, problem.got)
            with whole(path, alone=True) as draft:
                make(draft)
                if draft.is_file():
                    seal(draft)
            found = read(path)
    if found is None:
        raise OSError(errno.EIO, "made, and yet not to be read", str(path))
    return found


def _unharmed(path: Path, read: Callable[[Path], T | None], later: Collection[str]) -> T | None:
    if damage(path, later) is not None or (found := read(path)) is None:
        return None
    if not (is_sealed(path) if path.is_file() else (path / DIGESTS).is_file()):
        _say_unguarded(path.parent.parent)
    return found


def require_whole(folder: Path, fix: str, *, ours: Path | None = None) -> None:
    """Raises `BadInput` where a file of a folder is no longer what `whole` wrote; `fix` says what to do.

    A folder without digests passes. It is told once for all of `ours`: the run that it surely belongs to.
    """
    if (problem := damage(folder)) is not None:
        raise BadInput(replace(problem, fix=fix))
    if ours is not None and folder.is_dir() and not (folder / DIGESTS).is_file():
        _say_unguarded(ours)


def damaged(path: Path, got: str) -> Problem:
    """The problem of a file that is not what was written."""
    return Problem(str(path), "damaged", "what was written", got)


def damage(folder: Path, later: Collection[str] = ()) -> Problem | None:
    """The first file of a folder that is not what was written; None where all are, and where there are no digests.

    A file is read once a process, unless it is written again. Of those in `later` the sizes alone are compared.
    """
    return next(damages(folder, later), None)


def damages(folder: Path, later: Collection[str] = ()) -> Iterator[Problem]:
    """As `damage`, all of them."""
    told = folder / DIGESTS
    try:
        stored = stored_digests(told, stamp(told))
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        yield damaged(told, str(error) or type(error).__name__)
        return
    for name in stored:
        if got := _difference(folder / name, *stored[name], name in later):
            yield damaged(folder / name, got)


def _difference(path: Path, size: int, digests: bytes, size_only: bool) -> str:
    """The difference of a file from its digests in words; "" where there is none."""
    try:
        state = stamp(path)
        if state[0] != size:
            return f"{state[0]} bytes in place of {size}"
        found = digests if size_only else block_digests(path, state)
    except OSError as error:
        return "no such file" if isinstance(error, FileNotFoundError) else str(error.strerror)
    changed = next((at for at in range(0, len(digests), 4) if found[at : at + 4] != digests[at : at + 4]), None)
    return "" if changed is None else f"other bytes from byte {changed // 4 * BLOCK} on"


def write_digests(folder: Path) -> None:
    """Writes the digests of all files in a folder, but of the model card. Nothing happens for a file."""
    if not folder.is_dir():
        return
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    told = {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "crc32": _crc_blocks(path).hex()}
        for path in files
        if path.name not in _BY_HAND
    }
    (folder / DIGESTS).write_text(json.dumps({"block": BLOCK, "files": told}, indent=1) + "\n", encoding="utf-8")


@lru_cache(maxsize=64)
def stored_digests(told: Path, state: Stamp) -> Digests:
    """The content of a file `DIGESTS`. Raises `ValueError` and others where it is damaged."""
    data = json.loads(told.read_bytes())
    if data["block"] != BLOCK:
        raise ValueError(f"blocks of {data['block']} bytes")
    return {name: (int(one["size"]), bytes.fromhex(one["crc32"])) for name, one in data["files"].items()}


@lru_cache(maxsize=4096)
def block_digests(path: Path, state: Stamp) -> bytes:
    """Four bytes of CRC-32 for each block of a file; a file of the same stamp is not read again."""
    return _crc_blocks(path)


def stamp(path: Path) -> Stamp:
    """Changes whenever the file is written; a copy that keeps its time has another one too."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def seal(path: Path) -> None:
    """Adds the digest of a file's content behind it."""
    with path.open("rb+") as file:
        file.write(hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=_SEAL)).digest())


def is_sealed(path: Path) -> bool:
    """True where a file ends in the digest of all before it; False where it was damaged, or never sealed."""
    return _is_sealed(path, stamp(path))


def content(path: Path) -> bytes:
    """The content of a sealed file; all of a file that is not, be it damaged or of an earlier version."""
    return path.read_bytes()[: -_SEAL if is_sealed(path) else None]


def file_hash(path: Path) -> str:
    """32 hex digits of a file's content; a file of the same size and time is not read again."""
    state = path.stat()
    return _file_hash(path, state.st_size, state.st_mtime_ns)


def content_key(parts: Iterable[str], divider: str = "\x1f") -> str:
    """32 hex digits of texts in their order: the name of what is made from them. Undecodable file names are allowed."""
    return hashlib.blake2b(divider.join(parts).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


@lru_cache(maxsize=4096)
def _is_sealed(path: Path, state: Stamp) -> bool:
    digest, left = hashlib.blake2b(digest_size=_SEAL), state[0] - _SEAL
    with path.open("rb") as file:
        while left > 0 and (piece := file.read(min(1 << 20, left))):
            digest.update(piece)
            left -= len(piece)
        return file.read() == digest.digest()


def _crc_blocks(path: Path) -> bytes:
    with path.open("rb") as file:
        return b"".join(zlib.crc32(block).to_bytes(4, "little") for block in iter(lambda: file.read(BLOCK), b""))


@lru_cache(maxsize=64)
def _say_unguarded(folder: Path) -> None:
    """Says once what nobody would notice; the driver has said it before its workers."""
    if multiprocessing.parent_process() is None:
        _log.warning("%s: files of an earlier version carry no digests: damage to them would not be noticed", folder)


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
