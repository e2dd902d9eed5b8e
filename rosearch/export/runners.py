"""The formats of an exported folder as functions from arrays to logits; each loads what it needs when it is opened.

>>> runner = open_runner(Path("student"), "onnx", read_facts(Path("student")))
>>> runner.run(runner.read([("a fine film",)], runner.inputs))
array([[-1.2,  1.4]], dtype=float32)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from rosearch.errors import BadInput, MissingResource, Problem, RosearchError, nearest, one_line
from rosearch.export.facts import Facts
from rosearch.export.texts import Reader, open_tokenizer
from rosearch.models.engines import ENGINES, EXACT, Array, Engine, Run
from rosearch.models.places import require_undamaged


@dataclass(frozen=True)
class Runner:
    """A classifier in one format."""

    target: str
    read: Reader
    inputs: tuple[str, ...]  # names of the arrays that it reads
    run: Run

    def logits(self, rows: Sequence[tuple[str, ...]]) -> Array:
        """(texts, labels) of float64."""
        return np.asarray(self.run(self.read(rows, self.inputs)), dtype=np.float64)


@dataclass(frozen=True)
class _Target:
    pattern: str  # of the file that it reads
    package: str  # that runs it
    install: str  # the command that brings the package
    open: Callable[[Path, Facts], tuple[Reader, tuple[str, ...], Run]]


def targets_in(folder: Path) -> list[str]:
    """The names of the formats that lie in a folder, the fastest first."""
    return [name for name, one in RUNNERS.items() if any(folder.glob(one.pattern))]


def choose_target(folder: Path, asked: str = "auto") -> str:
    """The name of a format: the one that was asked for, or the first that is there and can be run here.

    Raises `BadInput` where it is not there, `MissingResource` where its package is not installed.
    """
    known = ("auto", *RUNNERS)
    if asked not in known:
        raise BadInput(Problem("command line", "--target", ", ".join(known), asked, nearest(asked, known)))
    there = targets_in(folder)
    runs = [name for name in there if find_spec(RUNNERS[name].package) is not None]
    if asked == "auto" and runs:
        return runs[0]
    if asked not in ("auto", *there) or not there:
        expected = f"one of {', '.join(RUNNERS)}" if asked == "auto" else asked
        fix = f"rosearch export {folder} --target {asked}" if asked != "auto" and there else ""
        raise BadInput(Problem(str(folder), "", expected, ", ".join(there) or "none", fix))
    if asked not in runs:
        name = there[0] if asked == "auto" else asked
        raise MissingResource(f"{name} needs {RUNNERS[name].package}", RUNNERS[name].install, str(folder))
    return asked


def open_runner(folder: Path, target: str, facts: Facts) -> Runner:
    """A format of a folder, ready to answer. Raises `BadInput` for files that are damaged or cannot be read."""
    file = next(iter(folder.glob(RUNNERS[target].pattern)))
    for place in (folder, *(place for place in file.parents if folder in place.parents)):
        require_undamaged(place)
    try:
        return Runner(target, *RUNNERS[target].open(folder, facts))
    except RosearchError:
        raise
    except Exception as error:  # of the engines, which have no class of their own for them
        raise BadInput(Problem(str(folder), target, "a model that can be opened", one_line(error))) from None


def _of(engine: Engine) -> _Target:
    """An engine's file in a folder, with the tokenizer beside it: the format's own, where it has one."""

    def opened(folder: Path, facts: Facts) -> tuple[Reader, tuple[str, ...], Run]:
        own = folder / Path(engine.file).parts[0]
        home = own if (own / "tokenizer.json").is_file() else folder
        return Reader(open_tokenizer(home, facts), facts), *engine.open(folder / engine.file)

    return _Target(engine.file, engine.package, engine.install, opened)


def _torch(folder: Path, facts: Facts) -> tuple[Reader, tuple[str, ...], Run]:
    from rosearch.export.targets.parity import open_torch

    names, run, backend = open_torch(folder)
    return Reader(backend, facts), names, run


# Those that do not answer as torch does come last: they are for who asks for them.
RUNNERS: dict[str, _Target] = {
    **{name: _of(engine) for name, engine in ENGINES.items() if engine.apart <= EXACT},
    "hf": _Target("*.safetensors", "torch", "pip install rosearch", _torch),
    **{name: _of(engine) for name, engine in ENGINES.items() if engine.apart > EXACT},
}
