"""Every file of a run, a cache and an export, damaged in turn, and the commands that read it.

Usage: `python -m tests.damage [--json] [--short] [--only TEXT] [--flips N] [--seed N]`. A small search is run once; the
image of its folder is taken while a finalist is trained, as a kill would leave it, and at its end. Each file is
emptied, halved, changed in one bit, and deleted; then `status`, `stats`, `show`, `export` and `resume` are called in
this process, and `attack` for an export. Then single bits of `records.sqlite` are flipped at random.

A command is silent where it exits with 0, gives something else than on undamaged files, and has no word about damage;
what an export holds counts as given. Figures are not drawn: they show the tables, which are compared. Exit code 1 where
a command is silent or ends in a traceback.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the helpers of the tests, where this is run as a module

import pytest
from damaged_files import DAMAGES, flip
from small_run import write_experiment

FLIPS, SHORT_FLIPS = 500, 12
RUN, CACHE, OUT = Path("runs/small-0001"), Path("runs/.cache"), Path("exported")
COMMANDS: dict[str, tuple[str | Path, ...]] = {
    "status": ("status", RUN, "--json"),
    "show": ("show", RUN, "BEST", "--json"),
    "stats": ("stats", RUN, "--json"),
    "export": ("export", RUN, "--id", "BEST", "--to", OUT, "--json"),
    "resume": ("resume", RUN, "--json"),
}
ATTACK = ("attack", RUN / "export" / "BEST", "--attack", "pruthi", "--task", "experiment.yaml", "--n", "4", "--json")
SAID = re.compile(
    r"damaged|changed since|not as it was|cannot be read|lost|no such|missing|made again|without digests|no digests|"
    r"not kept|of another training|expected",
    re.IGNORECASE,
)
# Of what is measured anew, and of a driver's standing, which nothing is computed from.
TIMES = re.compile(r"seconds|attack_over_training|latency|date|^time|^standing$")
SHORT = re.compile(r"records\.sqlite$|\.yaml$|model\.safetensors$")
REMEMBERED = ("rosearch.materials.kind", "rosearch.records.migrations", "rosearch.files")


@dataclass(frozen=True)
class Given:
    """What one command gave: its exit code, what it printed, what it exported, and its traceback if there was one."""

    code: int
    printed: str
    exported: str
    said: str
    traceback: str = ""


@dataclass
class Figures:
    """What was found; `by_kind` counts silent commands by kind of file."""

    files: int = 0
    damages: int = 0
    commands: int = 0
    silent: int = 0
    tracebacks: int = 0
    seconds: float = 0.0
    by_kind: dict[str, int] = field(default_factory=dict)
    failing: list[dict[str, str]] = field(default_factory=list)


class World:
    """A folder with data, teacher and experiment, and images of the runs beside it, from which `runs` is made anew."""

    def __init__(self, folder: Path, short: bool) -> None:
        self.folder, self.images = folder / "world", folder / "images"
        self.folder.mkdir()
        self.experiment = write_experiment(
            self.folder,
            "regression" if short else "classification",  # which is not attacked
            evolution={"strategy": "random", "candidates": 2, "population": 2},
            finalists={"count": 1, "replicates": 1},
        )
        with _struck(lambda: self.keep("unfinished")):
            self.call("search", "experiment.yaml")
        self.keep("finished")
        shown = json.loads(self.call("status", RUN, "--json").printed)
        self.best = str((shown["front"] or shown["candidates"])[0]["id"])
        self.call("export", RUN, "--id", self.best)
        self.keep("exported")

    def keep(self, image: str) -> None:
        """Copies all that the search has written by now."""
        shutil.copytree(self.folder / "runs", self.images / image, dirs_exist_ok=True)

    def restore(self, image: str) -> None:
        """Puts an image in the place of what the last commands left; what this process remembers of it is forgotten."""
        for left in (self.folder / "runs", self.folder / OUT):
            shutil.rmtree(left, ignore_errors=True)
        shutil.copytree(self.images / image, self.folder / "runs")
        for name in REMEMBERED:
            for value in list(vars(sys.modules[name]).values()) if name in sys.modules else []:
                if hasattr(value, "cache_clear"):
                    value.cache_clear()

    def call(self, *arguments: str | Path) -> Given:
        """Calls a command in the folder of the world."""
        words = [str(part).replace("BEST", getattr(self, "best", "")) for part in arguments]
        out, err, told, before = io.StringIO(), io.StringIO(), "", Path.cwd()
        code = 0
        try:
            os.chdir(self.folder)
            with redirect_stdout(out), redirect_stderr(err):
                code = _program(words)
        except Exception:
            told = traceback.format_exc()
        finally:
            os.chdir(before)
        exported = _content(self.folder / OUT) if words[0] == "export" else ""
        return Given(code, out.getvalue(), exported, err.getvalue(), told)


def damaged(world: World, image: str, names: list[str], damage: Callable[[], object]) -> Iterator[tuple[str, Given]]:
    """What each command gives after a damage, each on files that no other command has touched since."""
    world.restore(image)
    damage()
    for name in names:
        yield name, world.call(*(ATTACK if name == "attack" else COMMANDS[name]))


class Trial:
    """The damages, the commands after each, and their comparison with undamaged files."""

    def __init__(self, world: World, short: bool, only: str) -> None:
        self.world, self.short, self.only, self.figures = world, short, only, Figures()
        self.commands = [name for name in COMMANDS if not short or name != "resume"]
        self.undamaged: dict[tuple[str, str], Given] = {}

    def files(self) -> None:
        """Every file, damaged in every way."""
        places = [("finished", RUN), ("unfinished", RUN), ("unfinished", CACHE), ("exported", RUN / "export")]
        for image, place in places[: 1 if self.short else None]:
            top = self.world.images / image / place.relative_to("runs")
            commands = [*self.commands, "attack"] if place.name == "export" else self.commands
            paths = [path for path in sorted(top.rglob("*")) if path.is_file() and self._chosen(path)]
            self._learn(image, commands)
            for path in paths:
                self.figures.files += 1
                self._file(image, path, commands)

    def _file(self, image: str, path: Path, commands: list[str]) -> None:
        inside = path.relative_to(self.world.images / image)
        for way, damage in DAMAGES.items():
            if path.stat().st_size == 0 and way != "deleted":
                continue  # a lock
            there = self.world.folder / "runs" / inside
            self._compare(image, f"{image}: {inside}: {way}", commands, partial(damage, there))

    def flips(self, count: int, seed: int) -> None:
        """Single bits of the records of the finished run."""
        store = self.world.folder / RUN / "records.sqlite"
        bits = 8 * (self.world.images / "finished" / RUN.name / store.name).stat().st_size
        rng = random.Random(seed)
        self._learn("finished", self.commands)
        for _ in range(count):
            bit = rng.randrange(bits)
            self._compare("finished", f"bit {bit} of records.sqlite", self.commands, partial(flip, store, bit))

    def _chosen(self, path: Path) -> bool:
        return self.only in str(path) and (not self.short or SHORT.search(path.name) is not None)

    def _learn(self, image: str, commands: list[str]) -> None:
        for name, given in damaged(self.world, image, commands, lambda: None):
            if given.traceback or given.code:
                raise SystemExit(f"undamaged, {image}: {name}: exit {given.code}\n{given.said}{given.traceback}")
            self.undamaged[image, name] = given

    def _compare(self, image: str, what: str, commands: list[str], damage: Callable[[], object]) -> None:
        self.figures.damages += 1
        for name, given in damaged(self.world, image, commands, damage):
            self.figures.commands += 1
            timed = name == "attack" or (name in ("resume", "status") and image == "unfinished")
            fault = self._fault(given, self.undamaged[image, name], timed)
            if fault:
                self._note(fault, what, name, given)
        if self.figures.damages % 20 == 0:
            print(f"{what}; {self.figures.silent} silent, {self.figures.tracebacks} tracebacks", file=sys.stderr)

    def _fault(self, given: Given, expected: Given, timed: bool) -> str:
        if given.traceback:
            return "tracebacks"
        printed = [_untimed(one.printed) if timed else one.printed for one in (given, expected)]
        same = printed[0] == printed[1] and given.exported == expected.exported
        return "" if given.code or same or SAID.search(given.said + given.printed) else "silent"

    def _note(self, fault: str, what: str, command: str, given: Given) -> None:
        setattr(self.figures, fault, getattr(self.figures, fault) + 1)
        kind = re.sub(r"[0-9a-f]{16,}", "ID", what)
        self.figures.by_kind[kind] = self.figures.by_kind.get(kind, 0) + 1
        last = (given.traceback.strip() or given.said.strip() or "-").splitlines()[-1][:300]
        self.figures.failing.append({"fault": fault, "damage": what, "command": command, "last": last})
        print(f"{fault}: {what}: {command}: {last}", file=sys.stderr)


def _program(arguments: list[str]) -> int:
    from rosearch.cli import main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["rosearch", *arguments])
        patch.setattr("rosearch.report.run_files.draw_correlations", lambda table, path, title: path)
        nothing = SimpleNamespace(savefig=lambda path, format: Path(path).touch())
        patch.setattr("rosearch.report.run_files.draw_charts", lambda charts: nothing)
        try:
            main()
        except SystemExit as ended:
            return int(ended.code or 0)
    return 0


@contextmanager
def _struck(strike: Callable[[], None]) -> Iterator[None]:
    """Inside, `strike` is called once, at the third step of a training that keeps checkpoints."""
    from rosearch.training import fitting
    from rosearch.training.checkpoint import Checkpoint, State, saved

    steps = Counter[str]()

    def struck(
        checkpoint: Checkpoint | None, state: Callable[[], State]
    ) -> AbstractContextManager[Callable[[bool], None]]:
        def watched() -> State:
            steps["finalist"] += 1
            if steps["finalist"] == 3:
                strike()
            return state()

        finalist = checkpoint is not None and "unfinished" in checkpoint.path.parts
        return saved(replace(checkpoint, every=0.0), watched) if finalist else saved(checkpoint, state)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "saved", struck)
        yield


def _content(folder: Path) -> str:
    """A line for each file of an export."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return "\n".join(f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files)


def _untimed(printed: str) -> str:
    """JSON without times."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(below) for key, below in value.items() if not TIMES.search(key)}
        return [walk(below) for below in value] if isinstance(value, list) else value

    try:
        return json.dumps(walk(json.loads(printed)))
    except ValueError:
        return printed


def run(folder: Path, *, short: bool = False, only: str = "", flips: int = FLIPS, seed: int = 1) -> Figures:
    """Damages everything below the new folder `folder`, and counts what the commands made of it."""
    start = time.monotonic()
    trial = Trial(World(folder, short), short, only)
    trial.files()
    trial.flips(flips, seed)
    trial.figures.seconds = round(time.monotonic() - start, 1)
    return trial.figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--short", action="store_true", help="a few kinds of files of a run without attacks")
    parser.add_argument("--only", default="", help="files whose path holds this text")
    parser.add_argument("--flips", type=int, help="single bits of records.sqlite")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    flips = given.flips if given.flips is not None else SHORT_FLIPS if given.short else FLIPS
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), short=given.short, only=given.only, flips=flips, seed=given.seed)
    if given.json:
        print(json.dumps(asdict(found), indent=2))
    else:
        print({name: value for name, value in asdict(found).items() if not isinstance(value, list | dict)})
    raise SystemExit(1 if found.failing else 0)


if __name__ == "__main__":
    main()
