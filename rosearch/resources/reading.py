"""Files of a resource folder: read from folders, archives and `.xz`, and hashed, whatever they hold."""

from __future__ import annotations

import json
import lzma
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosearch.errors import BadInput, Problem, one_line
from rosearch.files import content_key, file_hash


@dataclass(frozen=True)
class Package:
    """A folder of files, or a zip archive that holds such a folder, as NLTK distributes its data."""

    path: Path
    inside: str = ""  # the folder in an archive, with its slash

    def read(self, name: str) -> bytes:
        """One file's content. Raises `BadInput` where it is not there or the archive is damaged."""
        try:
            if self.path.is_dir():
                return (self.path / name).read_bytes()
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(self.inside + name)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise damaged(self.path, f"a package with {name}", error) from None

    def json(self, name: str) -> Any:
        """The value of a JSON file. Raises `BadInput`."""
        try:
            return json.loads(self.read(name))
        except ValueError as error:
            raise damaged(self.path, f"JSON in {name}", error) from None

    def head(self, name: str, size: int) -> bytes:
        """The first bytes of a file; b"" where it cannot be read."""
        try:
            if self.path.is_dir():
                with (self.path / name).open("rb") as file:
                    return file.read(size)
            with zipfile.ZipFile(self.path) as archive, archive.open(self.inside + name) as member:
                return member.read(size)
        except (OSError, KeyError, zipfile.BadZipFile):
            return b""

    def files(self, names: tuple[str, ...]) -> tuple[Path, ...]:
        """The paths of these files; for an archive, its own."""
        return tuple(self.path / name for name in names) if self.path.is_dir() else (self.path,)


def find_package(places: tuple[Path, ...], name: str, file: str) -> Package | None:
    """The first of the places that has `name/`, or `name.zip` with `name/`, with `file` in it."""
    for place in places:
        for package in (Package(place / name), Package(place / f"{name}.zip", f"{name}/")):
            if package.head(file, 1):
                return package
    return None


def first_file(places: tuple[Path, ...], names: tuple[str, ...]) -> Path | None:
    """The first file of these names, in the order of the places."""
    return next((place / name for place in places for name in names if (place / name).is_file()), None)


def read_json(path: Path, expected: str) -> Any:
    """The value of a `.json` or `.json.xz` file. Raises `BadInput`, which names what was expected."""
    try:
        return json.loads(lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes())
    except (OSError, ValueError, lzma.LZMAError, EOFError) as error:
        raise damaged(path, expected, error) from None


def read_lines(path: Path, expected: str) -> list[str]:
    """The lines of a UTF-8 text file, with or without a byte order mark. Raises `BadInput`."""
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise damaged(path, expected, error) from None


def damaged(path: Path, expected: str, got: object) -> BadInput:
    """The error, in one line, for a file that does not hold what its name says."""
    told = one_line(got, None, named=isinstance(got, Exception))
    return BadInput(Problem(str(path), "", expected, told, "Put a whole copy of the file there."))


def files_fingerprint(paths: tuple[Path, ...]) -> str:
    """32 hex digits of the names and contents of the files that exist."""
    there = [path for path in paths if path.is_file()]
    return content_key((f"{path.name}\x1f{path.stat().st_size}\x1f{file_hash(path)}" for path in there), "\x1e")
