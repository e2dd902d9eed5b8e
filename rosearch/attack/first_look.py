"""A first look at what `rosearch attack` names: attacks, models, files. It loads no torch.

>>> look_first(["./my-bert"], ["deepwordbgu"], [])
Traceback (most recent call last):
rosearch.errors.BadInput: attack: deepwordbgu: expected one of ... Did you mean deepwordbug?

A wrong name is told within a second. What lies behind the names is looked at together, with torch and transformers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rosearch.config.shipped import EXPERIMENTS
from rosearch.errors import BadInput, MissingResource, Problem, Problems, nearest
from rosearch.evaluation.attacks.recipes import resolve, unknown_attacks
from rosearch.models.engines import ENGINES, FOLDER, is_there
from rosearch.models.places import is_local, locate_named
from rosearch.resources.resources import Resources

ADVICE = "give the folder of a classifier, or its name on the hub"
_PATTERN = frozenset("*?[{")


def look_first(
    models: Iterable[str], attacks: Sequence[str], files: Iterable[Path], targets: Sequence[str] = ()
) -> None:
    """Raises `BadInput` with all names that are wrong, and `MissingResource` for folders that are not there.

    The hub is not asked.
    """
    problems = Problems(missing=True)
    problems.add(*_unknown(attacks))
    with problems:
        check_targets(targets)
    for model in models:
        if is_local(model) and not Path(model).expanduser().exists():
            with problems:
                locate_named(model, "model", ADVICE)
    for file in files:
        with problems:
            _require_file(file)
    problems.raise_found()


def check_attacks(names: Sequence[str], resources: Resources) -> None:
    """Raises `BadInput` with all names that are none, or `MissingResource` with all attacks that cannot run here."""
    problems = Problems(missing=True)
    problems.add(*_unknown(names))
    for name in () if problems.found else names:
        with problems:
            resolve(name, resources)
    problems.raise_found()


def check_targets(names: Sequence[str]) -> None:
    """Raises `BadInput` with all formats that are none, or `MissingResource` with what does not run here."""
    known, problems = (FOLDER, *ENGINES), Problems(missing=True)
    for name in names:
        if name not in known:
            expected = f"names of {', '.join(known)}"
            problems.add(Problem("command line", "--target", expected, repr(name), nearest(name, known)))
        elif name != FOLDER and not is_there(ENGINES[name].package):
            with problems:
                raise MissingResource(f"--target {name} needs {ENGINES[name].package}", ENGINES[name].install)
    problems.raise_found()


def check_cache(cache: Path | None) -> None:
    """Raises `BadInput` where a file stands in the place of a cache."""
    taken = None if cache is None else next((path for path in (cache, *cache.parents) if path.is_file()), None)
    if taken is not None:
        raise BadInput(Problem("command line", "--cache", "a folder", f"a file {taken}"))


def _unknown(names: Sequence[str]) -> list[Problem]:
    return unknown_attacks(("attack", name, name) for name in dict.fromkeys(names))


def _require_file(file: Path) -> None:
    """A name of an experiment, a pattern and a file of an archive are left to those who read them."""
    named = EXPERIMENTS.has(file) or _PATTERN & {*str(file)} or any(above.is_file() for above in file.parents)
    if named or file.exists():
        return
    expected = "a file, or the name of an experiment"
    raise BadInput(Problem(str(file), "", expected, "no such file", EXPERIMENTS.meant(file)))
