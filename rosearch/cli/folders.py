"""`rosearch runs` and `rosearch cache`: parse, call, print."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rosearch.cli.options import Json

if TYPE_CHECKING:
    from rosearch.run.cache import Kind

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Of runs, as `search --runs` has it.")]
CacheFolder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Of runs, or a cache such as .rosearch.")]


def runs(folder: Folder = Path("runs"), as_json: Json = False) -> None:
    """List runs: state, progress, best, size, age.

    The newest stands first. One that cannot be read is listed with the reason.
    """
    from rosearch.run.listing import list_runs
    from rosearch.terminal.console import print_json, print_table
    from rosearch.terminal.folders import runs_table

    found = list_runs(folder)
    if as_json:
        print_json({"folder": str(folder), "runs": [{**asdict(run), "path": str(run.path)} for run in found]})
    else:
        print_table(runs_table(folder, found))


def cache(
    folder: CacheFolder = Path("runs"),
    remove: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Delete what lies there of a kind, or all. Repeatable.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
    as_json: Json = False,
) -> None:
    """Show what the cache holds; remove some of it.

    Searches make it anew when they need it, which takes time. Nothing is removed while a search beside it runs.
    """
    from rosearch.run.cache import find_cache, kinds_of, remove_kinds
    from rosearch.terminal.console import print_json, print_line, print_table
    from rosearch.terminal.folders import cache_table, size_words

    place = find_cache(folder)
    kinds = kinds_of(place)
    chosen = _chosen(remove or [], kinds)
    if remove and not yes:
        _confirm(place, [kind for kind in kinds if kind.name in chosen])
    freed = remove_kinds(place, chosen) if remove else 0
    if as_json:
        listed = [asdict(kind) for kind in (kinds_of(place) if remove else kinds)]
        print_json({"cache": str(place), "kinds": listed, "removed": chosen, "bytes_freed": freed})
    elif remove:
        print_line(f"{place}: removed {', '.join(chosen) or 'nothing'}: {size_words(freed)} are free")
    else:
        print_table(cache_table(place, kinds))


def _chosen(remove: list[str], kinds: list[Kind]) -> list[str]:
    """The kinds that lie there and were named. Raises `typer.BadParameter` for a word that is no kind."""
    from rosearch.run.cache import KINDS

    if unknown := [name for name in remove if name not in (*KINDS, "all")]:
        expected = f"all, or one of {', '.join(KINDS)}"
        raise typer.BadParameter(f"expected {expected}, got {unknown[0]!r}", param_hint="--remove")
    return [kind.name for kind in kinds if "all" in remove or kind.name in remove]


def _confirm(cache: Path, kinds: list[Kind]) -> None:
    """Asks on the terminal. Raises `typer.Abort` at no, and `typer.BadParameter` where nobody can be asked."""
    from rosearch.run.cache import users_of
    from rosearch.terminal.folders import size_words

    if not sys.stdin.isatty():
        raise typer.BadParameter("give --yes with it: nobody can be asked here", param_hint="--remove")
    waiting = [path.name for path, running in users_of(cache) if not running]
    told = f" {', '.join(waiting)} will need it again." if waiting else ""
    size = size_words(sum(kind.bytes for kind in kinds))
    typer.confirm(f"Remove {', '.join(kind.name for kind in kinds)} ({size}) from {cache}?{told}", abort=True)
