"""The lock of a run: one process works on it, and is named to all others. And the disks on which a lock means nothing.

>>> with RunLock(run.path, lock, driver).held():
...     ...  # `lock` ends with the process, `driver` may outlive it
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rosearch.errors import BadInput, Problem, RunError
from rosearch.files import try_lock, write_whole

_LOOK_S = 0.05  # who asks whether a run is worked on holds its lock for a moment

# File systems of other machines. 9p and plain FUSE are left out: sandboxes and containers show their own disk so.
_NETWORK = (
    *("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "afs", "panfs", "pvfs2", "orangefs", "wekafs"),
    *(f"fuse.{name}" for name in ("sshfs", "glusterfs", "ceph", "s3fs", "gcsfuse", "rclone", "juicefs")),
)


@dataclass(frozen=True)
class RunLock:
    """`place` is the file that is locked; `driver` names the process that holds it."""

    run: Path
    place: Path
    driver: Path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps others out while it is held; the system releases it when the process dies.

        Raises `RunError` at once where another process holds it.
        """
        try:
            if (lock := try_lock(self.place)) is None:
                time.sleep(_LOOK_S)
                lock = try_lock(self.place)
        except OSError as error:
            raise RunError(f"{self.run}: it cannot be locked: {error}") from error
        if lock is None:
            raise RunError(f"{self.run}: another process is working on it ({self._told()})")
        try:
            write_whole(self.driver, f"pid {os.getpid()} on {socket.gethostname()}")
            yield
        finally:
            self.driver.unlink(missing_ok=True)
            lock.release()

    def holder(self) -> str:
        """The process that holds it, in words; "" where there is none, or none any more."""
        try:
            who = self.driver.read_text(encoding="utf-8")
            lock = try_lock(self.place)
        except FileNotFoundError:  # it is removed at the end
            return ""
        except OSError:  # in a folder that may not be written nobody can tell
            return self._told()
        if lock is None:
            return who
        lock.release()
        return ""

    def _told(self) -> str:
        try:
            return self.driver.read_text(encoding="utf-8")
        except OSError:
            return "it has only just begun"


def require_local(place: Path, command: str = "rosearch search ...") -> None:
    """Raises `RunError`, with the command to type, where records would lie on a network file system."""
    if kind := network_file_system(place):
        told = f"{place}: lies on a network file system ({kind}), where SQLite may lose what it wrote"
        raise RunError(f"{told}. Name a folder on a disk of this machine for the records: `{command} --records DIR`")


def require_folder(folder: Path, option: str) -> None:
    """Raises `BadInput` where a folder is not there and cannot be made, or may not be written."""
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return
    got = f"{there}, which may not be written" if there.is_dir() else f"the file {there}"
    raise BadInput(Problem("command line", option, "a folder, there or to be made", got, "Name another place."))


def network_file_system(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The kind of network file system that a path lies on; "" for a disk of this machine, or where nobody can tell."""
    try:
        lines = [line.split() for line in mounts.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return ""
    mounted = {words[4].replace("\\040", " "): words[words.index("-") + 1] for words in lines if "-" in words}
    path = path.resolve()
    place = next((str(above) for above in (path, *path.parents) if str(above) in mounted), "")
    kind = mounted.get(place, "")
    return kind if kind.startswith(_NETWORK) else ""
