"""A user's own files, their columns and the teacher, as a command's flags name them.

>>> own = OwnData(train=Path("tickets.csv"), text=("message",), label="queue", teacher="./my-bert")
>>> own.missing()
[]
>>> own.task()
{'name': 'tickets', 'text': ['message'], 'label': 'queue', 'files': {'train': 'tickets.csv'}}

Paths are as the user typed them, from the working directory. Nothing is read here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosearch.errors import BadInput, Problem

_WHERE = "command line"
# The flags without which nothing can be begun, and what each takes.
REQUIRED = {"--train-file": "FILE", "--text": "COLUMN", "--label": "COLUMN", "--teacher": "FOLDER"}


@dataclass(frozen=True)
class OwnData:
    """The flags that were given; None, or nothing, for the others."""

    train: Path | None = None
    validation: Path | None = None
    test: Path | None = None
    text: tuple[str, ...] = ()  # one column, or two for pairs
    label: str | None = None
    teacher: str | None = None

    @property
    def given(self) -> bool:
        """True if a flag about data was given. The teacher's alone changes the teacher of an experiment."""
        return any((self.train, self.validation, self.test, self.text, self.label))

    @property
    def name(self) -> str:
        """A name for the task and the experiment, from that of the training file."""
        stem = self.train.name.partition(".")[0] if self.train is not None else ""
        return re.sub(r"[^\w-]+", "_", stem).strip("_") or "mine"

    def missing(self, teacher: bool = True) -> list[str]:
        """The required flags that were not given; `teacher` says if that of the teacher is required."""
        given = dict(zip(REQUIRED, (self.train, self.text, self.label, self.teacher or not teacher), strict=True))
        return [flag for flag, value in given.items() if not value]

    def require(self, teacher: bool = True, nothing: bool = False, way: str = "") -> None:
        """Raises `BadInput` in one line for all flags that miss, or with each flag that cannot be meant.

        `teacher` says if that of the teacher is required, `nothing` if none is; `way` is another way, for the line.
        """
        if (missing := self.missing(teacher)) and not nothing:
            wanted = [f"{flag} {REQUIRED[flag]}" for flag in REQUIRED if teacher or flag != "--teacher"]
            expected = f"{', '.join(wanted[:-1])} and {wanted[-1]}{way}"
            raise BadInput(Problem(_WHERE, "", expected, f"no {', '.join(missing)}"))
        if problems := self._problems():
            raise BadInput(problems)

    def task(self) -> dict[str, Any]:
        """The section `task` of an experiment on these data, as plain data."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        files = {split: str(path) for split, path in named.items() if path is not None}
        return {"name": self.name, "text": list(self.text), "label": self.label, "files": files}

    def overrides(self, others: Sequence[str] = ()) -> tuple[str, ...]:
        """Overrides that put data and teacher in the place of an experiment's own, and between the two `others`."""
        task = (f"task={json.dumps(self.task(), ensure_ascii=False)}",) if self.given else ()
        teacher = (f"teacher.model={json.dumps(self.teacher, ensure_ascii=False)}",) if self.teacher else ()
        return (*task, *others, *teacher)

    def rows_to_attack(self) -> tuple[str, ...]:
        """The words that name rows that are no training rows to `rosearch attack`; none where no file has such."""
        if (path := self.test or self.validation) is None or self.label is None:
            return ()
        options = zip(("--text", "--text-pair"), self.text)
        return ("--task", str(path), *(word for pair in options for word in pair), "--label", self.label)

    def _problems(self) -> list[Problem]:
        problems = []
        if len(self.text) > 2 or len(set(self.text)) < len(self.text):
            got = ", ".join(self.text)
            problems.append(Problem(_WHERE, "--text", "a column, or two different ones for pairs of texts", got))
        if self.label in self.text:
            problems.append(Problem(_WHERE, "--label", "another column than --text", repr(self.label)))
        files = {"--train-file": self.train, "--validation-file": self.validation, "--test-file": self.test}
        for flag, path in files.items():
            if path is not None and not path.expanduser().is_file() and not _inside(path):
                found = "which is none" if path.expanduser().exists() else "which is not there"
                problems.append(Problem(_WHERE, flag, "a file", f"{path}, {found}"))
        return problems


def _inside(path: Path) -> bool:
    """True for a path that leads into a file, which may be an archive."""
    return any(parent.is_file() for parent in path.expanduser().parents)
