"""The place of a run's records where it is not the run's folder: a file on a disk of the machine that drives the run.

>>> told = Elsewhere.new(Path("/var/tmp/rosearch"), "quickstart")
>>> told.write(run / POINTER)
>>> Elsewhere.read(run / POINTER).records

SQLite is safe on a disk of one machine. On a network file system its log and its locks may fail, so a run whose folder
lies on one keeps its records elsewhere (`--records DIR`). The folder then holds a small file that says where: a plain
file, since links inside a run are never followed. It carries a word that the records hold too, so a file that leads to
the records of another run is noticed.
"""

from __future__ import annotations

import json
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rosearch.errors import RunError, shown
from rosearch.files import settle, whole, write_whole
from rosearch.records.store import Store

POINTER = "records.json"
_WORD = "run"  # the fact of a store that holds the word


@dataclass(frozen=True)
class Elsewhere:
    """The records of a run: their file, the machine that it lies on, and the word that it holds too."""

    records: Path
    machine: str
    word: str

    @classmethod
    def new(cls, folder: Path, name: str) -> Self:
        """A file of that name in a folder, which no other run has."""
        word = f"{secrets.randbits(64):016x}"
        return cls(folder.expanduser().resolve() / f"{name}-{word}.sqlite", socket.gethostname(), word)

    @classmethod
    def read(cls, pointer: Path) -> Self:
        """The content of a pointer. Raises `RunError` for anything else than `write` wrote."""
        try:
            data = json.loads(pointer.read_text(encoding="utf-8"))
            found = cls(Path(data["records"]), str(data["machine"]), str(data["run"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{pointer}: expected where the records of the run lie, got {shown(str(error))}") from error
        if not found.records.is_absolute() or found.records.suffix != ".sqlite":
            raise RunError(
                f"{pointer}: expected an absolute path that ends in .sqlite, got {shown(str(found.records))}"
            )
        return found

    def write(self, pointer: Path) -> None:
        """Says it in a file, in the place of what was said before."""
        told = {"records": str(self.records), "machine": self.machine, "run": self.word}
        write_whole(pointer, json.dumps(told, indent=1) + "\n")

    def require(self, pointer: Path) -> None:
        """Raises `RunError` where there is no such file."""
        if not self.records.is_file():
            here = socket.gethostname()
            at = f"{self.records} on {self.machine}" + (f", this is {here}" if here != self.machine else "")
            fix = f"Put them back, or write their place into {pointer}"
            raise RunError(f"{pointer.parent}: expected its records at {at}: no such file. {fix}")

    def sign(self, store: Store) -> None:
        """Stores the word in the records."""
        store.set_meta(_WORD, self.word)

    def require_signed(self, store: Store, pointer: Path) -> None:
        """Raises `RunError` where a store is that of another run."""
        if store.get_meta(_WORD) != self.word:
            raise RunError(f"{pointer}: expected the place of this run's records, got those of another: {self.records}")


def move_records(store: Path, pointer: Path, to: Elsewhere) -> None:
    """Moves the records of a run that nobody works on. A kill leaves them where they were, or at both places."""
    Store.open(store).close()  # they are whole, and the log is merged
    with whole(to.records) as draft:
        shutil.copyfile(store, draft)
        with Store.open(draft) as copy:
            to.sign(copy)
        settle(draft)
    to.write(pointer)
    store.unlink()
