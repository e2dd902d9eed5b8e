"""Processor time of two checkouts: the commands that a user waits for, and one step of distillation.

Usage: `python -m tests.benchmarks.against OLD_CHECKOUT [--repeats 7] [--only help,status] [--json]`. Old and new take
turns, and each repeat gives one ratio, new over old; printed are the median of the ratios and its 95 % interval
(bootstrap). Processor time is user and system time of a command with its workers, so another program on the machine
counts less than in wall time, but caches and turbo are shared: measure on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.equal_records import DISTIL, HERE, QUICKSTART, changes, environment

STEPS, FIRST_STEPS = 80, 20  # steps of distillation in all, and those before the clock starts
RESAMPLES = 10_000

# `rosearch distil` in this process; prints the processor seconds of a step, as its optimiser meets them.
TIMED_DISTIL = f"""
import sys, time
from torch.optim.optimizer import register_optimizer_step_post_hook
marks = {{}}  # for each optimiser, as a step may take several
mark = lambda optimiser, *_: marks.setdefault(id(optimiser), []).append(time.process_time())
register_optimizer_step_post_hook(mark)
from rosearch.cli import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
steps = [*marks.values()][-1][-{STEPS}:]  # before the student's there may have been the teacher's
assert len(steps) == {STEPS}, len(steps)
print((steps[-1] - steps[{FIRST_STEPS} - 1]) / {STEPS - FIRST_STEPS}, file=sys.stderr)
"""


@dataclass(frozen=True)
class Place:
    """A folder with the old checkout's experiments, a finished run of it, and an export of that run."""

    folder: Path

    @property
    def run(self) -> Path:
        return self.folder / "runs" / "quickstart-0001"

    @property
    def export(self) -> Path:
        return self.folder / "export"

    def fresh(self, name: str) -> Path:
        """A new folder for what one command writes."""
        return Path(tempfile.mkdtemp(prefix=name, dir=self.folder))


def prepare(old: Path, folder: Path) -> Place:
    """Run the quickstart once with the old code, in a short form."""
    for name in ("experiments", "search_spaces"):
        shutil.copytree(old / name, folder / name)
    place = Place(folder)
    spent(old, folder, ["search", "experiments/quickstart.yaml", "--runs", "runs", *changes(QUICKSTART)])
    spent(old, folder, ["export", str(place.run), "--best", "--to", str(place.export)])
    return place


def spent(checkout: Path, folder: Path, arguments: Sequence[str]) -> float:
    """User and system seconds of `rosearch ARGUMENTS` and of all processes that it waited for."""
    return _finished(checkout, folder, ["-m", "rosearch.cli", *arguments])[0]


def step_seconds(checkout: Path, place: Place) -> float:
    """Processor seconds of one step of `rosearch distil`, without what comes before and after its training."""
    to = str(place.fresh("distil") / "student")
    length = {"distillation.epochs": 100, "distillation.max_steps": STEPS}
    settings = changes({**DISTIL, **length, "execution.device": "cpu"})
    student = ["--method", "kd", "--student", "bert_mini", "--to", to, "--every", "1000000"]
    shared = ["--task", "experiments/quickstart.yaml", "--cache", "runs/.cache"]
    printed = _finished(checkout, place.folder, ["-c", TIMED_DISTIL, "distil", *student, *shared, *settings])[1]
    return float(printed.splitlines()[-1])


def _finished(checkout: Path, folder: Path, command: Sequence[str]) -> tuple[float, str]:
    """Run Python; its processor seconds and what it wrote to stderr. Stops everything where it fails."""
    with tempfile.TemporaryFile("w+") as written:
        started = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=environment(checkout),
            stdout=subprocess.DEVNULL,
            stderr=written,
        )
        _, status, usage = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
        written.seek(0)
        text = written.read()
    if started.returncode:
        raise SystemExit(f"{checkout}: {' '.join(command)}: exit {started.returncode}\n{text}")
    return usage.ru_utime + usage.ru_stime, text


def search_seconds(checkout: Path, place: Place) -> float:
    """Processor seconds of the quickstart in a short form, its teacher fine-tuned anew."""
    runs = place.fresh("search")
    found = spent(
        checkout, place.folder, ["search", "experiments/quickstart.yaml", "--runs", str(runs), *changes(QUICKSTART)]
    )
    shutil.rmtree(runs)
    return found


def attack_seconds(checkout: Path, place: Place) -> float:
    """Processor seconds of two attacks on 100 rows, their plans compiled anew."""
    cache = place.fresh("attack")
    task = ["--task", "experiments/quickstart.yaml", "--n", "100", "--cache", str(cache)]
    found = spent(checkout, place.folder, ["attack", str(place.export), "--attack", "deepwordbug,pruthi", *task])
    shutil.rmtree(cache)
    return found


MEASURED: dict[str, Callable[[Path, Place], float]] = {
    "help": lambda checkout, place: spent(checkout, place.folder, ["--help"]),
    "status": lambda checkout, place: spent(checkout, place.folder, ["status", str(place.run)]),
    "search": search_seconds,
    "attack": attack_seconds,
    "distillation step": step_seconds,
}


def measure(old: Path, new: Path, place: Place, names: Iterable[str], repeats: int) -> dict[str, dict[str, Any]]:
    """Seconds and ratios by name. A repeat before the first is thrown away: it compiles bytecode and fills caches."""
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        seconds: dict[Path, list[float]] = {old: [], new: []}
        for repeat in range(-1, repeats):
            for checkout in (old, new) if repeat % 2 else (new, old):  # neither always comes first
                taken = MEASURED[name](checkout, place)
                print(f"{name}, repeat {repeat}: {checkout} {taken:.3f} s", file=sys.stderr, flush=True)
                if repeat >= 0:
                    seconds[checkout].append(taken)
        found[name] = {"old_s": seconds[old], "new_s": seconds[new], "ratio": ratio(seconds[old], seconds[new])}
    return found


def ratio(old: Sequence[float], new: Sequence[float]) -> dict[str, float]:
    """The median of the ratios new / old of each repeat, with the 2.5 % and 97.5 % points of its bootstrap."""
    ratios = np.asarray(new) / np.asarray(old)
    drawn = np.random.default_rng(0).choice(ratios, (RESAMPLES, len(ratios)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return {"median": float(np.median(ratios)), "low": float(low), "high": float(high)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, metavar="OLD_CHECKOUT")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", default=",".join(MEASURED), help=f"of {', '.join(MEASURED)}; default: all")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    names, old = given.only.split(","), given.old.resolve()
    if unknown := set(names) - set(MEASURED):
        parser.error(f"--only: expected names of {', '.join(MEASURED)}, got {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as temporary:
        found = measure(old, HERE, prepare(old, Path(temporary)), names, given.repeats)
    if given.json:
        print(json.dumps(found, indent=2))
        return
    for name, values in found.items():
        before, after = (float(np.median(values[side])) for side in ("old_s", "new_s"))
        found_ratio = "{median:.3f} [{low:.3f}, {high:.3f}]".format(**values["ratio"])
        print(f"{name:<18} {before:8.3f} s -> {after:8.3f} s   ratio {found_ratio}")


if __name__ == "__main__":
    main()
