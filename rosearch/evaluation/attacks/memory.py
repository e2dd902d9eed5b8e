"""Rows that an attack is done with, on the disk: the same attack again, after a kill, goes on where it was.

::

    memory = AttackMemory.open(cache, "model and settings")
    known = memory.rows(attack.key)       # {place: AttackedRow}
    memory.keep(attack.key, place, row)   # as each row ends
    memory.forget()                       # once the whole report is made

A line of a file is one row behind a digest of it. A line that a kill or a damaged disk has changed is no row: it is
attacked again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rosearch.evaluation.attacks.result import AttackedRow
from rosearch.files import content_key, try_lock

if TYPE_CHECKING:
    from rosearch.files import Lock


class AttackMemory:
    """The rows of one model's attacks. Equal identities and keys mean equal rows."""

    def __init__(self, folder: Path, lock: Lock | None) -> None:
        self._folder = folder
        self._lock = lock

    @classmethod
    def open(cls, cache: Path, identity: str) -> Self:
        """The memory below `cache`. Where another process writes it, nothing is remembered."""
        folder = cache / "unfinished" / content_key((identity,))
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder, try_lock(folder / "lock"))

    def rows(self, key: str) -> dict[int, AttackedRow]:
        """The rows of an attack that were kept, by their places."""
        path = self._path(key)
        if self._lock is None or not path.is_file():
            return {}
        found = {}
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
            digest, _, text = line.partition(" ")
            if digest == _digest(text):
                data = json.loads(text)
                place = data.pop("place")
                data["texts"] = tuple(data["texts"])
                data["swaps"] = tuple((int(word), str(new)) for word, new in data["swaps"])
                found[place] = AttackedRow(**data)
        return found

    def keep(self, key: str, place: int, row: AttackedRow) -> None:
        """Writes a row down. It begins with the end of a line: a kill may have left half of one."""
        if self._lock is not None:
            text = json.dumps({"place": place, **asdict(row)}, default=float)
            with self._path(key).open("a", encoding="utf-8") as file:
                file.write(f"\n{_digest(text)} {text}")

    def forget(self) -> None:
        """Removes all that was kept, and lets others write."""
        if self._lock is not None:
            for path in self._folder.glob("*.jsonl"):
                path.unlink(missing_ok=True)
            self.close()

    def close(self) -> None:
        """Lets others write; what was kept stays."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _path(self, key: str) -> Path:
        return self._folder / f"{content_key((key,))}.jsonl"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
