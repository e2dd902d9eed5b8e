"""The folder of one run.

Its layout::

    runs/NAME-0001/
    ├── records.sqlite       every candidate, and the facts of the run
    ├── records.json         in its place: where the records lie (`--records`)
    ├── experiment.yaml      the experiment with its overrides, as it was started: it can be run again
    ├── search_space.yaml    the space it searches
    ├── students/            trained weights: ID/ of a candidate, baseline-ID-0/, finalist-ID-REPLICATE/
    ├── tokenizer/           the teacher's, which all students share
    ├── tables/              the tables of `stats`
    ├── report.html          the page of `report`
    ├── figures/             the figures of `figures`
    ├── unfinished/          while finalists are trained: the checkpoints that they go on from after a kill
    ├── aside/               what `doctor` took out of the way
    ├── export/              students that `export` wrote without `--to`
    ├── tracking/            what the trackers of `execution.track` keep, a folder each
    ├── lock, driver         the process that works on it
    └── progress.json        its stage, for `status`; no record

A run may come from anywhere. Every path is therefore made of checked parts (`RunDirectory.place`), and no link inside
the folder is followed. More than 300 lines, since no other module makes a path in a run.
"""

from __future__ import annotations

import json
import logging
import re
import shlex
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml

from rosearch.config.experiment import Experiment
from rosearch.config.file import load_snapshot
from rosearch.errors import BadInput, Problem, RunError, machine_fault
from rosearch.files import (
    damage,
    draft_beside,
    remove_whole,
    require_whole,
    settle,
    sweep,
    sync_folder,
    whole,
    write_whole,
)
from rosearch.records.beginning import note_beginning
from rosearch.records.lock import RunLock, require_local
from rosearch.records.place import POINTER, Elsewhere, move_records
from rosearch.records.record import Record
from rosearch.records.store import Store
from rosearch.space.genotype import Genotype

_STORE = "records.sqlite"


@dataclass(frozen=True)
class RunDirectory:
    """The folder of a run and the places in it. Made by `create` or `open`."""

    path: Path

    @classmethod
    def create(cls, root: Path, experiment: Experiment, records: Path | None = None) -> Self:
        """A new folder below `root`, numbered after its name, with snapshots and an empty store.

        The store is a file in the folder `records` where that is given. All is written whole or not at all. Raises
        `RunError` where `root` cannot be written or the search space cannot be read, and where the records would lie on
        a network file system.
        """
        require_local(records or root)
        told = Elsewhere.new(records, experiment.name) if records is not None else None
        try:
            with draft_beside(root / experiment.name) as draft:
                draft.mkdir()
                _fill(cls(draft), experiment, told)
                settle(draft)
                return cls(_rename_to_next(draft, root, experiment.name))
        except BaseException as error:
            if told is not None:
                told.records.unlink(missing_ok=True)
            if not isinstance(error, OSError | RunError):
                raise
            again = ". There is no run yet: then start it again" if machine_fault(error) else ""
            if isinstance(error, RunError) and not again:
                raise
            raise RunError(f"{root}: a run cannot be made there: {error}{again}") from error

    @classmethod
    def open(cls, path: Path) -> Self:
        """The run in a folder. Raises `RunError` where it holds none."""
        run = cls(path)
        if (told := run.elsewhere) is not None:
            told.require(path / POINTER)
        elif not run.store.is_file():
            found = f"a folder without {_STORE}" if path.is_dir() else "a file" if path.exists() else "no such folder"
            raise RunError(f"{path}: expected the folder of a run, such as runs/quickstart-0001, got {found}")
        return run

    @staticmethod
    def is_run(path: Path) -> bool:
        """True for a folder that holds the records of a run, or says where they lie."""
        return any((path / name).is_file() for name in (_STORE, POINTER))

    def place(self, *parts: str) -> Path:
        """The path of a file or folder of the run, whether it exists or not.

        Raises `RunError` where it would lie outside the run, or where a part of it is a link.
        """
        path = self.path
        for part in parts:
            if part in ("", ".", "..") or Path(part).name != part:
                raise RunError(f"{self.path}: expected a place inside the run, got {'/'.join(parts)!r}")
            path /= part
            _refuse_link(path)
        return path

    @property
    def elsewhere(self) -> Elsewhere | None:
        """The place of the records where it is not this folder."""
        pointer = self.place(POINTER)
        return Elsewhere.read(pointer) if pointer.is_file() else None

    @property
    def store(self) -> Path:
        """The records (SQLite), in this folder or elsewhere."""
        if (told := self.elsewhere) is not None:
            return told.records
        for beside in ("-wal", "-shm", "-journal"):
            self.place(_STORE + beside)
        return self.place(_STORE)

    def open_store(self, *, read_only: bool = False) -> Store:
        """The records, opened. Raises `RunError` as `Store.open`, and where they are those of another run."""
        store, told = Store.open(self.store, read_only=read_only), self.elsewhere
        try:
            if told is not None:
                told.require_signed(store, self.place(POINTER))
        except BaseException:
            store.close()
            raise
        return store

    def require_local(self) -> None:
        """Raises `RunError` where the records lie on a network file system: nobody may write them there."""
        require_local(self.store, self.resume_command)

    def move_records(self, folder: Path) -> None:
        """Moves the records into a folder on a disk of this machine. Raises `RunError` where a process works on it."""
        require_local(folder, self.resume_command)
        if (told := self.elsewhere) is not None and told.records.parent == folder.resolve():
            return
        with self.lock():
            self.open_store(read_only=True).close()
            move_records(self.store, self.place(POINTER), Elsewhere.new(folder, self.path.name))

    @property
    def experiment_file(self) -> Path:
        """The snapshot of the experiment."""
        return self.place("experiment.yaml")

    @property
    def search_space(self) -> Path:
        """The snapshot of the search space."""
        return self.place("search_space.yaml")

    @property
    def students(self) -> Path:
        """The folder of all trained weights."""
        return self.place("students")

    @property
    def report(self) -> Path:
        """The page that `report` writes."""
        return self.place("report.html")

    @property
    def figures(self) -> Path:
        """The figures that `figures` writes."""
        return self.place("figures")

    @property
    def tables(self) -> Path:
        """The folder of the tables of `stats`."""
        return self.place("tables")

    @property
    def tokenizer(self) -> Path:
        """The folder of the teacher's tokenizer, which every student shares: an export needs no teacher."""
        return self._folder("tokenizer")

    @property
    def standing(self) -> Path:
        """The file in which the driver leaves its stage. A killed driver leaves its last one."""
        return self.place("progress.json")

    def has_tokenizer(self) -> bool:
        """False where it was not saved yet, or is damaged, which the log says: then it is saved again."""
        if (problem := damage(self.tokenizer)) is not None:
            logging.getLogger(__name__).warning("%s: damaged (%s); it is made again", problem.where, problem.got)
        return problem is None and self.tokenizer.is_dir()

    @property
    def resume_command(self) -> str:
        """The command that goes on with the run, as a shell reads it."""
        return f"rosearch resume {shlex.quote(str(self.path))}"

    def student_folder(self, record: Record) -> Path:
        """The folder of a record's weights, where they are kept; no two records share one."""
        return self._folder("students", _own_name(record))

    def require_undamaged(self, record: Record) -> None:
        """Raises `BadInput` where a file of a record's weights, or of the run's tokenizer, is not what was written.

        That is so for the whole folder of another architecture's student, too, in which each file is as it was.

        It is said once where an earlier version wrote them without digests.
        """
        student = shlex.quote(f"{self.path}:{record.id[:8]}")
        again = f"train it again: `rosearch distil EXPERIMENT --student {student}`"
        folder, fix = self.student_folder(record), f"Take it from a copy of the run, or {again}"
        require_whole(folder, fix, ours=self.path)
        if (other := _architecture(folder / "config.json")) not in ("", record.genotype.id):
            got = f"a student of the architecture {other[:8]}"
            raise BadInput(Problem(str(folder), "", f"the student of {record.genotype.id[:8]}", got, fix))
        require_whole(self.tokenizer, f"`{self.resume_command}` writes it again", ours=self.path)

    def remove_student(self, record: Record) -> None:
        """Deletes a record's weights whole or not at all; nothing happens where there are none."""
        remove_whole(self.student_folder(record))

    def remove_students(self, records: Iterable[Record]) -> None:
        """As `remove_student` of each, in the time of those that have weights."""
        there = {path.name for path in self.students.iterdir()} if self.students.is_dir() else set()
        for record in records:
            if _own_name(record) in there:
                self.remove_student(record)

    def put_aside(self, path: Path, *, keep: bool = False) -> Path:
        """Moves a file or folder into `aside/` of the run, under its name and the time; with `keep`, copies it."""
        name, number = f"{path.name}-{time.strftime('%Y%m%dT%H%M%S')}", 1
        while (target := self.place("aside", name if number == 1 else f"{name}-{number}")).exists():
            number += 1
        if path.is_dir():
            target.parent.mkdir(exist_ok=True)
            path.rename(target)
            return target
        with whole(target) as draft:
            shutil.copyfile(path, draft)
        if not keep:
            path.unlink()
        return target

    def export_folder(self, record: Record) -> Path:
        """The folder that an export of a record is written to unless another is named."""
        return self.place("export", record.id)

    def unfinished_folder(self, record: Record) -> Path:
        """The folder of a record's checkpoint; no two records share one."""
        return self._folder("unfinished", _own_name(record))

    def remove_unfinished(self, *records: Record) -> None:
        """Removes the checkpoints of records, and the folder of all once it is empty. Nothing happens without any."""
        if not self.place("unfinished").exists():
            return
        for record in records:
            folder = self.unfinished_folder(record)
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                folder.parent.rmdir()

    def _folder(self, *parts: str) -> Path:
        """A folder as `place` gives it, whose files are read: none of them is a link."""
        folder = self.place(*parts)
        for path in folder.rglob("*"):
            _refuse_link(path)
        return folder

    def experiment(self) -> Experiment:
        """The experiment as it was started. Raises `BadInput` where the snapshot was damaged."""
        return load_snapshot(self.experiment_file)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps other drivers out while it is held; the system releases it when the process dies.

        Raises `RunError` where another process holds it.
        """
        with self._lock.held():
            try:
                self._sweep()
                yield
            finally:
                self._sweep()  # workers may have been killed
                self.standing.unlink(missing_ok=True)

    def driver(self) -> str:
        """The process that works on the run, in words; "" where there is none, or none any more."""
        return self._lock.holder()

    @property
    def _lock(self) -> RunLock:
        """It lies beside the records: where these lie elsewhere, two copies of this folder share them."""
        told = self.elsewhere
        place = self.place("lock") if told is None else told.records.with_suffix(".lock")
        return RunLock(self.path, place, self.place("driver"))

    def _sweep(self) -> None:
        """Removes the halves of processes that were killed while they wrote or deleted something."""
        for folder in (self.path, *(path for path in self.path.iterdir() if path.is_dir() and not path.is_symlink())):
            sweep(folder)


def _fill(run: RunDirectory, experiment: Experiment, elsewhere: Elsewhere | None) -> None:
    write_whole(run.search_space, experiment.search_space.read_text(encoding="utf-8"))
    snapshot = experiment.model_dump(mode="json") | {"search_space": run.search_space.name}
    write_whole(run.experiment_file, yaml.safe_dump(snapshot, sort_keys=False, allow_unicode=True))
    run.students.mkdir()
    run.tables.mkdir()
    if elsewhere is not None:
        elsewhere.write(run.place(POINTER))
    with Store.create(run.store) as store:
        note_beginning(store, run.experiment_file, run.search_space)
        if elsewhere is not None:
            elsewhere.sign(store)


def _architecture(config: Path) -> str:
    """The id of the genotype that a student's configuration holds; "" where it holds none."""
    try:
        return Genotype.from_dict(json.loads(config.read_text(encoding="utf-8"))["genotype"]).id
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""  # who reads it says so


def _own_name(record: Record) -> str:
    return record.id if record.role == "candidate" else f"{record.role}-{record.id}-{record.replicate}"


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise RunError(
            f"{path}: expected a part of the run, got a link, which is not followed: put a copy in its place"
        )


def _rename_to_next(draft: Path, root: Path, name: str) -> Path:
    """Renames to the first number after all that are taken; where that is taken meanwhile, to the next."""
    pattern = re.compile(re.escape(name) + r"-(\d{4,})")
    number = max((int(match[1]) for path in root.iterdir() if (match := pattern.fullmatch(path.name))), default=0)
    while True:
        number += 1
        path = root / f"{name}-{number:04d}"
        try:
            draft.rename(path)
            sync_folder(root)
            return path
        except OSError:
            if not path.exists():
                raise
