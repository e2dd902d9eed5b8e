"""The experiments and search spaces that come with rosearch: found by name, listed, copied out.

>>> EXPERIMENTS.find("quickstart")  # its file; but a file of that name in the working directory, if there is one
>>> SPACES.find("robust_dag", Path("mine"))  # likewise, beside an experiment in `mine`
>>> EXPERIMENTS.copy("sst2")
PosixPath('sst2.yaml')

A checkout has them in two folders at its top. The build puts both into the package (setup.py), and no copy is kept.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosearch.config.plain_data import read_yaml
from rosearch.errors import BadInput, Problem, RunError

_PACKAGE = Path(__file__).parents[1]
_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Shipped:
    """One of them: its name, what it is in one line (the first of its file), and the file."""

    name: str
    about: str
    file: Path


@dataclass(frozen=True)
class Shelf:
    """All of one kind. A name is a path below the folder, without the suffix: `sst2`, `robustness/sst2`."""

    folder: str
    kind: str  # with its article
    command: str  # that lists them

    @property
    def root(self) -> Path:
        """The folder: inside an installed package, else beside the package in a checkout."""
        inside = _PACKAGE / self.folder
        return inside if inside.is_dir() else _PACKAGE.parent / self.folder

    def names(self) -> list[str]:
        """All names, those of sub-folders last."""
        found = [path.relative_to(self.root).with_suffix("") for path in self.root.rglob("*.yaml")]
        return [path.as_posix() for path in sorted(found, key=lambda path: (len(path.parts), path))]

    def entries(self) -> list[Shipped]:
        """All of them, in the order of their names."""
        return [Shipped(name, _first_line(self._file(name)), self._file(name)) for name in self.names()]

    def has(self, text: str | Path, folder: Path = Path()) -> bool:
        """True for a name, unless it is that of a file in `folder` too."""
        return not os.path.isfile(folder / text) and Path(text).as_posix() in self.names()  # noqa: PTH113 (no OSError)

    def find(self, text: str | Path, folder: Path = Path()) -> Path:
        """The file that a name or a path means. A path is relative to `folder`, and need not exist."""
        return self._file(Path(text).as_posix()) if self.has(text, folder) else folder / text

    def read(self, path: Path, where: str) -> dict[str, Any]:
        """The mapping in a file that `find` gave. `where` stands for it in the problems of a missing one.

        Raises `BadInput` as `read_yaml` does; it says which name is meant, if one is near.
        """
        if os.path.lexists(path):  # no OSError
            return read_yaml(path)
        expected = "a YAML file" if path.suffix in _SUFFIXES else f"a file, or a name that `{self.command}` lists"
        raise BadInput(Problem(where, "", expected, "no such file", self.meant(path)))

    def copy(self, name: str, to: Path | None = None, overwrite: bool = False) -> Path:
        """Write one to the file `to`, into the folder `to`, or to its own name in the working directory.

        Raises `BadInput` for a name or a suffix that is wrong, `RunError` where a file is there already.
        """
        if name not in self.names():
            expected = f"a name that `{self.command}` lists"
            raise BadInput(Problem("command line", "--copy", expected, repr(name), self.meant(Path(name))))
        own = Path(name).with_suffix(".yaml").name
        to = Path(own) if to is None else to / own if to.is_dir() else to
        if to.suffix not in _SUFFIXES:  # a file without one could later be taken for a name
            raise BadInput(Problem("command line", "--to", "a folder, or a file that ends in .yaml", repr(str(to))))
        to.parent.mkdir(parents=True, exist_ok=True)
        try:
            with to.open("wb" if overwrite else "xb") as file:
                file.write(self._file(name).read_bytes())
        except FileExistsError:
            raise RunError(f"{to}: exists already; name another file with --to, or add --overwrite") from None
        return to

    def _file(self, name: str) -> Path:
        return self.root / f"{name}.yaml"

    def meant(self, path: Path) -> str:
        """The name that a wrong one may mean, as a question; "" where none is near."""
        from difflib import get_close_matches

        names = {name.rpartition("/")[2]: name for name in reversed(self.names())}
        near = get_close_matches(path.name.removesuffix(path.suffix), names, n=1, cutoff=0.7)
        return f"Did you mean {names[near[0]]}, {self.kind} that comes with rosearch?" if near else ""


def _first_line(file: Path) -> str:
    with file.open(encoding="utf-8") as lines:
        return next(lines).lstrip("# ").strip()


EXPERIMENTS = Shelf("experiments", "an experiment", "rosearch experiments")
SPACES = Shelf("search_spaces", "a search space", "rosearch spaces")
