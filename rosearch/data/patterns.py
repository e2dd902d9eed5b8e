"""Files by pattern, on the disk or in a tar archive: the text in the pattern's gaps tells them apart.

`sib200.tar.xz/{eng_Latn,deu_Latn}/test.tsv` are two files of an archive, `sib200/*/test.tsv` all such of a folder.
Archives (.tar, also .gz, .bz2, .xz) are read in one pass, and nothing is unpacked.
"""

from __future__ import annotations

import fnmatch
import lzma
import re
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rosearch.errors import BadInput, Problem, one_line

_ARCHIVE = re.compile(r"\.tar(\.(gz|bz2|xz))?$", re.IGNORECASE)
_BROKEN = (OSError, EOFError, tarfile.TarError, lzma.LZMAError, zlib.error)
_GAP = re.compile(r"\*|\{[^{}]*\}")
_ALTERNATIVES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class FoundFile:
    """One file of a pattern. `part` is the text in its gaps, joined by /."""

    path: Path
    part: str
    content: bytes | None  # of a file in an archive; None: it lies on the disk


def is_pattern(path: Path) -> bool:
    """True for a path with gaps (`*`, `{a,b}`) that is no file's name itself."""
    return bool(_GAP.search(str(path))) and not path.exists()


def fixed_part(pattern: Path) -> Path:
    """The part of a pattern before its first gap."""
    first = next((place for place, part in enumerate(pattern.parts) if _GAP.search(part)), len(pattern.parts))
    return Path(*pattern.parts[:first])


def archive_of(path: Path) -> Path | None:
    """The tar archive that a path leads into, as sib200.tar.xz/eng_Latn/train.tsv does; None where there is none."""
    return next((each for each in path.parents if is_archive(each)), None)


def is_archive(path: Path) -> bool:
    """True for the name of a tar archive that can be read."""
    return bool(_ARCHIVE.search(path.name)) and path.is_file()


def read_member(archive: Path, path: Path) -> bytes | None:
    """The content of a file of an archive, named by a path into it; None where the archive has no such file.

    Raises `BadInput` where the archive is damaged.
    """
    name = path.relative_to(archive).as_posix()
    return _members(archive, lambda each: each == name).get(name)


def find_files(pattern: Path) -> list[FoundFile]:
    """The files of a pattern: alternatives in the order they are written, matches of `*` in the order of names.

    Raises `BadInput` with every alternative that matches no file, and where an archive is damaged.
    """
    wanted = _alternatives(str(pattern))
    archive = archive_of(pattern)
    found: dict[Path, bytes | None]
    if archive is None:
        found = {path: None for one in wanted for path in sorted(_on_disk(one)) if path.is_file()}
    else:
        inside = [Path(one).relative_to(archive).as_posix() for one in wanted]
        read = _members(archive, lambda name: any(_fits(name, one) for one in inside))
        found = {archive / name: read[name] for one in inside for name in sorted(read) if _fits(name, one)}
    missing = [one for one in wanted if not any(_fits(path.as_posix(), one) for path in found)]
    if missing:
        raise BadInput([Problem(one, "", "a file, or a pattern of files", "no such file") for one in missing])
    gaps = re.compile("(.*)".join(map(re.escape, _GAP.split(str(pattern)))))
    return [FoundFile(path, _part(gaps, path), content) for path, content in found.items()]


def _part(gaps: re.Pattern[str], path: Path) -> str:
    match = gaps.fullmatch(path.as_posix())
    return "/".join(match.groups()) if match else path.name


def _alternatives(pattern: str) -> list[str]:
    """The patterns without braces: `{a,b}/x` -> `a/x`, `b/x`."""
    match = _ALTERNATIVES.search(pattern)
    if match is None:
        return [pattern]
    before, after = pattern[: match.start()], pattern[match.end() :]
    return [whole for each in match[1].split(",") for whole in _alternatives(f"{before}{each.strip()}{after}")]


def _on_disk(pattern: str) -> list[Path]:
    """The paths that match; a name without a gap matches itself."""
    path = Path(pattern)
    root = fixed_part(path)
    return [path] if root == path else [*root.glob(_shell(path.relative_to(root).as_posix()))]


def _fits(name: str, pattern: str) -> bool:
    """True where a path matches as in a shell: a gap holds no slash."""
    names, patterns = name.split("/"), _shell(pattern).split("/")
    return len(names) == len(patterns) and all(map(fnmatch.fnmatchcase, names, patterns))


def _shell(pattern: str) -> str:
    """The pattern with a shell's special characters escaped, all but `*`."""
    return re.sub(r"([\[?])", r"[\1]", pattern)


def _members(archive: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, mode="r|*") as opened:
            for member in opened:
                name = PurePosixPath(member.name).as_posix()  # without a leading ./
                if member.isfile() and wanted(name) and (content := opened.extractfile(member)) is not None:
                    found[name] = content.read()
    except _BROKEN as error:
        reason = one_line(error, None)
        raise BadInput(Problem(str(archive), "", "a readable tar archive", reason)) from None
    return found
