"""A first experiment on a user's own data: what it says, and why, as a file with comments.

>>> made = first_experiment(OwnData(train=Path("tickets.csv"), text=("message",), label="queue", teacher="./my-bert"))
>>> print(made.text())

Labels and the length are those of `materials.derivation`, written down, so that whoever reads the file sees them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from string import Template

import yaml

from rosearch.config.experiment import Experiment
from rosearch.config.file import experiment_of
from rosearch.config.plain_data import parse_yaml
from rosearch.config.task import TaskConfig
from rosearch.errors import BadInput, gather
from rosearch.materials.own_data import Guesses, check_columns, guess
from rosearch.materials.own_data import Preview as Preview
from rosearch.materials.own_data import preview as preview
from rosearch.models.places import locate_named
from rosearch.run.first_template import DROPPED, RARE, REGRESSION, TEMPLATE
from rosearch.run.own_data import OwnData

_PLAIN = re.compile(r"(\./)?[A-Za-z]([\w./ -]*\w)?")  # needs no quotes, but for words that YAML reads otherwise
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
_ADVICE = "give the folder of your BERT, a name on the hub, or package:NAME"
_COMMENTS = 32  # their column
_WIDTH = 96  # of the list of labels
_GIVEN = "as it was given"


@dataclass(frozen=True)
class FirstExperiment:
    """A first experiment: a task that is complete, and what was guessed besides."""

    own: OwnData
    name: str
    task: TaskConfig
    guesses: Guesses
    derived: tuple[str, ...]  # in words

    @property
    def told(self) -> tuple[str, ...]:
        """In words, what nobody gave: derived from teacher and rows, or guessed."""
        shares = [f"{split}: {share:.0%} of the training file" for split, share in self.guesses.shares.items()]
        dropped = [f"left out: {self.guesses.dropped} without a text or a label"] if self.guesses.dropped else []
        return (*self.derived, *dropped, *shares, f"metric {self.guesses.metric}: a guess; {self.guesses.why}")

    def text(self, folder: Path | None = None, schema: str = "") -> str:
        """The YAML of the experiment for a file in `folder`, with the schema for editors that lies beside it."""
        modeline = f"# yaml-language-server: $$schema={schema}\n" if schema else ""
        task, why = self.task, dict(self._why(line) for line in self.derived)
        filled = Template(modeline + (TEMPLATE if task.labels else REGRESSION)).substitute(
            bare=self.name,
            name=_scalar(self.name),
            task=_scalar(task.name),
            files="\n".join(f"    {line}" for line in self._files(folder)),
            columns=f"[{', '.join(map(_scalar, task.text))}]",
            label=_scalar(task.label),
            dropped=Template(DROPPED).substitute(dropped=self.guesses.dropped) if self.guesses.dropped else "",
            labels=_flow([_scalar(label) for label in task.labels]),
            labels_why=why.get("labels", _GIVEN),
            max_length=task.length,
            length_why=why.get("max_length", _GIVEN),
            metric=self.guesses.metric,
            metric_why=self.guesses.why,
            teacher=_scalar(_beside(str(self.own.teacher), folder)),
            epochs=self.guesses.epochs,
            rare=Template(RARE).substitute(skew=self.guesses.skew) if self.guesses.skew else "",
            longer=2 * self.guesses.epochs,
            attacked=self.guesses.attacked,
        )
        return "".join(f"{_aligned(line)}\n" for line in filled.splitlines())

    def experiment(self, overrides: Sequence[str] = ()) -> Experiment:
        """The experiment that the file would be, with overrides, whose paths are from the working directory."""
        return experiment_of(parse_yaml(self.text()), "command line", Path(), overrides)

    @staticmethod
    def _why(line: str) -> tuple[str, str]:
        """The key that a line about what was derived begins with, and the reason after its colon."""
        what, _, why = line.partition(": ")
        return what.partition(" ")[0], why

    def _files(self, folder: Path | None) -> list[str]:
        """The lines of the section `files`."""
        own = self.own
        named = {"train": own.train, "validation": own.validation, "test": own.test}
        lines = [f"{split}: {_scalar(_beside(str(path), folder))}" for split, path in named.items() if path is not None]
        for split, share in self.guesses.shares.items():
            lines.append(f"{split}_share: {share:g}  # of the training file; or name one, {split}: {split}.csv")
        return lines


def first_experiment(own: OwnData, name: str = "", overrides: Sequence[str] = ()) -> FirstExperiment:
    """Looks at data and teacher, and writes nothing. `name` is that of the experiment; "": the training file's.

    `overrides` of the task and the teacher count for what is derived: which rows are bad, which labels there are.
    Raises `BadInput` with all that does not fit, `MissingResource` for a teacher that is not there.
    """
    own.require()
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", name or own.name).strip("_.-") or "mine"
    gather(
        lambda: check_columns(own.task()), lambda: locate_named(str(own.teacher), "--teacher", _ADVICE)
    )  # before torch is loaded
    from rosearch.materials.derivation import gives_scores

    given = [one for one in overrides if one.startswith(("task.", "teacher."))]
    asked = any(one.replace(" ", "") == "task.problem=regression" for one in given)
    scores = {"problem": "regression", "metric": "pearson"} if asked or gives_scores(str(own.teacher)) else {}
    data = {"name": name, "search_space": "starter", "task": {**own.task(), **scores}, "teacher": own.teacher}
    may_drop = not any(one.startswith("task.on_bad_rows") for one in given)
    experiment, derived = _derived(experiment_of(data, "command line", Path(), given), may_drop)
    return FirstExperiment(own, name, experiment.require_task(), guess(experiment), tuple(derived))


def _derived(experiment: Experiment, may_drop: bool) -> tuple[Experiment, tuple[str, ...]]:
    """`derive`; rows that lack a text or a label are left out where that is all that is wrong, and `may_drop`."""
    from rosearch.materials.derivation import derive

    try:
        return derive(experiment)
    except BadInput:
        if not may_drop:
            raise
        task = experiment.require_task().model_copy(update={"on_bad_rows": "drop"})
        with suppress(BadInput):  # then more is wrong, and the first error tells all of it
            return derive(experiment.model_copy(update={"task": task}))
        raise


def _beside(path: str, folder: Path | None) -> str:
    """A path as a file in `folder` names it; absolute ones and names of models stay."""
    expanded = Path(path).expanduser()
    if folder is None or expanded.is_absolute() or not expanded.exists():
        return path
    found = Path(os.path.relpath(expanded, folder)).as_posix()
    return f"./{found}" if expanded.is_dir() and not found.startswith(".") else found


def _aligned(line: str) -> str:
    """A line whose comment begins in one column with those of the others, where there is room."""
    code, mark, comment = line.partition("  # ")
    return f"{code.rstrip() + ' ':<{_COMMENTS}}# {comment}" if mark and code.strip() else line


def _scalar(text: str) -> str:
    """A text as YAML, plain where it may be, for readers of YAML 1.1 and 1.2 alike."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10**6).strip()


def _flow(items: Sequence[str]) -> str:
    """A list of YAML, broken over lines where it is long."""
    lines, line = [], "["
    for place, item in enumerate(items):
        piece = item + (", " if place < len(items) - 1 else "]")
        if len(line) + len(piece) > _WIDTH:
            lines.append(line.rstrip())
            line = "    "
        line += piece
    return "\n".join([*lines, line])
