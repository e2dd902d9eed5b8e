"""The place of a key: a line of its file, or the option of the command line that set it.

>>> with placed(Written(path, "experiment.yaml", overrides)):
...     check(experiment)
Traceback (most recent call last):
rosearch.errors.BadInput: experiment.yaml:12: evolution.population: expected ...

Lines are looked for where something is wrong alone: the file is then read once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from pathlib import Path

from rosearch.config.plain_data import lines_of
from rosearch.errors import BadInput, MissingResource, Problem

_ANY_FILE = "experiment"  # what a check that knows of no file calls it


@dataclass(frozen=True)
class Written:
    """The places of the keys of one experiment: its file, called `where`, and the `key=value` of overrides."""

    file: Path
    where: str
    overrides: Sequence[str] = ()

    @cached_property
    def _lines(self) -> dict[str, int]:
        try:
            return lines_of(self.file.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError):  # its reader has told it
            return {}

    def place(self, key: str) -> tuple[str, str]:
        """The file with a line, or the command line; and the key, or the option that set it."""
        name = key.partition(":")[0].strip()
        for option in (text.partition("=")[0].strip() for text in self.overrides if "=" in text):
            if name == option or name.startswith(f"{option}."):
                return "command line", f"-o {key}"
            if name not in self._lines and option.startswith(f"{name}."):
                return "command line", f"-o {key}"
        while name and name not in self._lines:
            name = name.rpartition(".")[0]
        return (f"{self.where}:{self._lines[name]}" if name else self.where), key

    def placed(self, problem: Problem) -> Problem:
        """The problem with its line, if it is one of this experiment."""
        if problem.where not in (self.where, _ANY_FILE) or not problem.key:
            return problem
        where, key = self.place(problem.key)
        return replace(problem, where=where, key=key)

    def placed_missing(self, missing: MissingResource) -> MissingResource:
        """A missing resource, and the others told with it, with the line of the key that names each."""
        key, others = missing.where, [self.placed_missing(one) for one in missing.others]
        where = ": ".join(self.place(key)) if key.partition(".")[0] in _SECTIONS else key
        return MissingResource(missing.what, missing.advice, where, others)


@contextmanager
def placed(written: Written) -> Iterator[None]:
    """Inside, problems of the keys of an experiment are told with their lines."""
    try:
        yield
    except BadInput as error:
        missing = [written.placed_missing(one) for one in error.missing]
        raise BadInput(in_file_order([written.placed(one) for one in error.problems]), missing) from None
    except MissingResource as error:
        raise written.placed_missing(error) from None


def in_file_order(problems: Sequence[Problem]) -> list[Problem]:
    """The problems with those of a file together, in the order of its lines; files in the order they are met.

    Keys that a file does not have come after those that it has.
    """
    files: dict[str, int] = {}

    def position(problem: Problem) -> tuple[int, float]:
        file, _, line = problem.where.rpartition(":")
        file, number = (file, int(line)) if file and line.isdigit() else (problem.where, inf)
        return files.setdefault(file, len(files)), number

    return sorted(problems, key=position)


_SECTIONS = ("task", "teacher", "execution", "evaluation", "distillation", "corpus", "search_space")
