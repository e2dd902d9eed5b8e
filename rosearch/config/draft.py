"""As much of an experiment as can be read, for checks that look at all of a file although a part of it is wrong.

>>> draft = read_draft(read_data(path), path)
>>> draft.problems  # of the schema, each with its line
>>> if draft.sound("teacher"):
...     look_at(draft.experiment.teacher)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rosearch.config.experiment import Experiment
from rosearch.config.file import folder_of, in_place, override
from rosearch.config.section import keys_read, problems_of
from rosearch.errors import Problem

_MOST_PASSES = 50  # each mends all that is wrong so far; a mended key may break a rule that it stood behind
# What stands for a part that must be there and is not, so that the rest can be looked at. No check reads it.
_STAND_INS: dict[str, Any] = {
    "name": "unnamed",
    "search_space": "robust_dag",
    "teacher": {"model": "unknown"},
    "task": {"name": "unknown", "text": ["text"], "labels": ["no", "yes"], "generated": {}},
}


@dataclass(frozen=True)
class Draft:
    """An experiment whose `broken` keys hold their defaults, or something that stands for them."""

    experiment: Experiment
    problems: tuple[Problem, ...]
    broken: frozenset[str] = frozenset()

    def sound(self, *keys: str) -> bool:
        """True where none of these keys, nothing above and nothing below them, is broken."""
        return _sound(self.broken, *keys)


def read_draft(
    data: dict[str, Any], path: str | Path, overrides: Iterable[str] = (), data_root: str | Path | None = None
) -> Draft:
    """The experiment in what `read_data` gave, with all its problems in place of an exception.

    A misspelt key counts as the one that it means.
    """
    problems = override(data, str(path), overrides, data_root)
    broken: set[str] = {problem.key for problem in problems if problem.where == str(path)}
    for done in range(_MOST_PASSES):
        try:
            experiment = Experiment.model_validate(data)
            break
        except ValidationError as error:
            wrong = list(zip(error.errors(), problems_of(error, str(path), Experiment), strict=True))
            # Once keys are mended, a rule may be broken by what stands for them alone: of these none is told.
            problems += [problem for item, problem in wrong if done == 0 or _sound(broken, *keys_read(item))]
            for item, problem in wrong:
                _mend(data, tuple(item["loc"]), item["type"], problem, broken)
    else:
        data = dict(_STAND_INS)
        experiment, broken = Experiment.model_validate(data), set(Experiment.model_fields)
    return Draft(in_place(experiment, folder_of(path), data_root), tuple(problems), frozenset(broken))


def _mend(data: dict[str, Any], place: tuple[str | int, ...], kind: str, problem: Problem, broken: set[str]) -> None:
    """Takes a wrong key out; a misspelt one gets its right name, what must be there something that stands for it."""
    if kind == "extra_forbidden":
        section, name = _section(data, place[:-1]), str(place[-1])
        meant = problem.fix.removeprefix("Did you mean ").rstrip("?")
        value = section.pop(name, None) if isinstance(section, dict) else None
        parent, _, last = meant.rpartition(".")
        if isinstance(section, dict) and parent == problem.key.rpartition(".")[0] and last:
            section.setdefault(last, value)
        return
    if kind == "rule":
        place = tuple(part for part in problem.key.split(".") if part)
    keys = [part for part in place if isinstance(part, str)]
    while keys:
        broken.add(".".join(keys))
        section, name = _section(data, keys[:-1]), keys[-1]
        if isinstance(section, dict) and name in section and section[name] != _STAND_INS.get(name):
            del section[name]
            return
        if len(keys) == 1 and name in _STAND_INS:
            data[name] = _STAND_INS[name]
            return
        keys = keys[:-1]


def _sound(broken: Set[str], *keys: str) -> bool:
    return not any(
        one == key or one.startswith(f"{key}.") or key.startswith(f"{one}.") for one in broken for key in keys
    )


def _section(data: dict[str, Any], place: Sequence[str | int]) -> Any:
    found: Any = data
    for part in place:
        found = found.get(part) if isinstance(found, dict) else None
    return found
