"""A search under every fault that could cost it a record, and the comparison with an undisturbed one.

Usage: `python -m tests.faults [--kills N] [--short] [--json] [--log FILE] [--only KIND]
[--seed N]`. N kills in all, of which a tenth
at real training, the rest on the `replay` backend, whose workers answer at once and still write their weights. First
every site that changes the disk (`tests.write_sites`) is killed before and after; the rest are SIGKILLs from outside at
random moments: of the driver, of workers, of both. Besides: a full disk and an I/O error at each site, two drivers, a
stale lock, a clock that jumps, Ctrl-C once and twice. After each fault the run is resumed to its end.

- `lost`: outcomes that had been recorded, and were not there afterwards.
- `doubled`: records that there are twice, or that were trained again after their outcome was recorded.
- `unequal`: runs that did not end, or not with the records, weights and files of the undisturbed run.
- `silent`: commands that ended in a traceback or as if nothing were wrong, and leftovers that nobody has told.

Processes are forked from one that has imported everything. With `--log`, each fault is a line of that file, and is not
tried again by a later call with the same file. A kill whose moment never came is `missed`, and another takes its place.
Exit code 1 where one of the four figures above is not zero.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeVar

sys.path.insert(0, str(Path(__file__).parent))  # the helpers of the tests, where this is run as a module

from small_run import write_experiment

import rosearch.search
from rosearch.cli import main as program
from rosearch.config.file import load_experiment
from rosearch.files import whole
from rosearch.materials.life import CandidateJob
from rosearch.records.record import Outcome
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.run.backends.replay import ReplayBackend, recorded
from rosearch.run.doctor import examine
from rosearch.run.results import load_results
from tests.equal_records import Facts, differences, facts
from tests.write_sites import Act, Moment, fault, install

T = TypeVar("T")
REAL_SHARE = 0.1  # of all kills
TRACEBACK = "Traceback (most recent call last)"
EXPERIMENT: dict[str, Any] = {
    "baselines": ["bert_mini"],
    "evolution": {"candidates": 5, "population": 3, "elite": 1},
    "finalists": {"count": 1, "replicates": 1},
    "execution": {"workers": 2, "keep_students": "front", "device": "cpu"},
}


@dataclass
class Figures:
    """The figures of a campaign; `lost`, `doubled`, `unequal` and `silent` have to be zero."""

    kills: int = 0  # that struck
    faults: int = 0  # likewise, kills among them
    lost: int = 0
    doubled: int = 0
    unequal: int = 0
    silent: int = 0
    missed: int = 0  # faults whose moment never came, or came too late
    sites: int = 0  # that were found by listing
    seconds: float = 0.0
    by_kind: dict[str, int] = field(default_factory=dict)
    failing: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Life:
    """One process of a search: its exit code (negative: the signal), what it recorded and began, what it printed.

    `struck` is True where the fault came.
    """

    code: int
    finished: set[int]
    started: list[int]
    printed: str
    struck: bool = True


@dataclass(frozen=True)
class Trial:
    """One fault: its kind, a name that says it exactly, and the processes that suffer it, on the run in a folder."""

    kind: str
    name: str
    suffer: Callable[[RunDirectory], list[Life]]
    image: str = "warm"
    real: bool = False
    kills: int = 0


class World:
    """Data, teacher and experiment, the undisturbed runs, and images of a run that is about to begin."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.experiment = load_experiment(write_experiment(folder / "world", **EXPERIMENT))
        self.images = folder / "images"
        RunDirectory.create(self.images / "cold", self.experiment)
        self.known: dict[tuple[str, int], Outcome] = {}
        self.undisturbed: dict[bool, Facts] = {}
        real = self.whole("real", "cold", real=True)
        self.answer = recorded(load_results(real).records, "the undisturbed run")
        self.whole("replayed", "cold", real=False)
        self.keep_warm(real)

    def whole(self, name: str, image: str, *, real: bool) -> RunDirectory:
        """An undisturbed run, and its facts."""
        run = self.fresh(image, self.folder / name)
        life = self.drive(run, real=real)
        if life.code:
            raise SystemExit(f"the undisturbed run ended with {life.code}:\n{life.printed}")
        self.undisturbed[real] = facts(run.path)
        return run

    def keep_warm(self, run: RunDirectory) -> None:
        """An image with all that is cached: only the run itself begins."""
        shutil.copytree(self.images / "cold", self.images / "warm")
        shutil.copytree(run.path.parent / ".cache", self.images / "warm" / ".cache", dirs_exist_ok=True)

    def fresh(self, image: str, place: Path) -> RunDirectory:
        """A copy of an image at a place; what lay there is removed."""
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.images / image, place)
        return RunDirectory(next(path for path in place.iterdir() if not path.name.startswith(".")))

    def drive(self, run: RunDirectory, act: Act | None = None, *, real: bool = False, **given: Any) -> Life:
        """`rosearch resume` in a process of its own, to its end."""
        return self.begin(run, act, real=real, **given).wait()

    def begin(
        self,
        run: RunDirectory,
        act: Act | None = None,
        *,
        real: bool = False,
        prepare: Callable[[], None] | None = None,
    ) -> Driving:
        """`rosearch resume` in a process of its own. `act` is told every change of the disk."""
        ours, theirs = os.pipe()
        printed = run.path.parent / f"printed-{time.monotonic_ns()}.txt"
        if (pid := os.fork()) == 0:
            os.close(ours)
            _become_driver(run, act, theirs, printed, None if real else self.answers, prepare)
        os.close(theirs)
        return Driving(pid, ours, printed)

    def answers(self, job: CandidateJob) -> Outcome:
        """The recorded outcome of a job; its weights are written as a worker writes them."""
        with whole(job.student_folder) as draft:
            draft.mkdir()
            (draft / "config.json").write_text(json.dumps({"genotype": job.genotype.to_dict()}))
            (draft / "model.safetensors").write_bytes(job.seed.to_bytes(8, "big") * 500)
        return self.answer(job)


@dataclass
class Driving:
    """A driver at work."""

    pid: int
    pipe: int
    printed: Path
    told: str = ""

    def hear(self, until: str = "\0") -> None:
        """Reads what the driver tells, until a line begins so, or to its end."""
        while f"\n{until}" not in f"\n{self.told}" and (data := os.read(self.pipe, 1 << 16)):
            self.told += data.decode()

    def kill(self, number: int = signal.SIGKILL) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def wait(self) -> Life:
        self.hear()
        os.close(self.pipe)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        lines = [line.split() for line in self.told.splitlines()]
        finished = {int(line[1]) for line in lines if line[0] == "finished"}
        started = [int(line[1]) for line in lines if line[0] == "started"]
        printed = self.printed.read_text() if self.printed.exists() else ""
        return Life(code, finished, started, printed, code < 0 or "struck" in self.told)


def _become_driver(
    run: RunDirectory,
    act: Act | None,
    pipe: int,
    printed: Path,
    answers: Callable[[CandidateJob], Outcome] | None,
    prepare: Callable[[], None] | None,
) -> None:
    """Turns this process into a driver, and ends it."""
    code = 70
    try:
        out = os.open(printed, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
        os.dup2(out, 1)
        os.dup2(out, 2)
        _tell_of_records(pipe)
        rosearch.search.make_backend = lambda *_: (  # type: ignore[attr-defined]
            rosearch.run.backends.InlineBackend() if answers is None else ReplayBackend(2, answers)
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        if prepare is not None:
            prepare()
        if act is not None:
            install(act)
        sys.argv = ["rosearch", "resume", str(run.path)]
        program()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


_pipe = -1  # of a driver: where it tells


def _tell_of_records(pipe: int) -> None:
    """Tells of each outcome once it is recorded, and of each start, by lines."""
    global _pipe
    _pipe = pipe
    finish, start = Store.finish, Store.start

    def finished(store: Store, number: int, *arguments: Any, **named: Any) -> None:
        finish(store, number, *arguments, **named)
        os.write(pipe, f"finished {number}\n".encode())

    def started(store: Store, number: int) -> None:
        start(store, number)
        os.write(pipe, f"started {number}\n".encode())

    Store.finish, Store.start = finished, started  # type: ignore[method-assign]


# The faults


def kill_at(label: str, nth: int, side: str) -> Act:
    def act(moment: Moment) -> None:
        if (moment.label, moment.nth, moment.side) == (label, nth, side):
            os.kill(os.getpid(), signal.SIGKILL)

    return act


def fail_at(label: str, number: int) -> Act:
    """From the first time on where the disk is full, since it stays full; once where it fails to read or write."""
    failing = [False]

    def act(moment: Moment) -> None:
        writes = not re.match(r"(unlink|remove|rmdir|replace|rename|chmod) ", moment.label)
        if moment.side == "before" and (
            (moment.label, moment.nth) == (label, 1) or (failing[0] and number == errno.ENOSPC and writes)
        ):
            failing[0] = True
            os.write(_pipe, b"struck\n")
            raise fault(number, moment)

    return act


def jump_clock(seconds: float) -> None:
    """The clock of the day jumps after a moment, and again back at every tenth look."""
    plain, looks = time.time, [0]

    def jumping() -> float:
        looks[0] += 1
        os.write(_pipe, b"struck\n")
        return plain() + (seconds if looks[0] % 10 > 4 else 0)

    time.time = jumping


class Campaign:
    """The faults of a campaign, one after the other."""

    def __init__(self, world: World, kills: int, seed: int, short: bool) -> None:
        self.world, self.short, self.rng = world, short, random.Random(seed)
        self.real_kills = 0 if short else round(kills * REAL_SHARE)
        self.replayed_kills = kills - self.real_kills
        self.missed = 0  # kills so far whose moment never came: others take their place
        self.sites: dict[str, int] = {}

    def trials(self) -> Iterator[Trial]:
        """All faults; those that are enumerated come first."""
        warm = self._listed("warm")
        cold, real = ({}, {}) if self.short else (self._listed("cold"), self._listed("cold", real=True))
        self.sites = {**real, **cold, **warm}
        places = {**dict.fromkeys(cold, "cold"), **dict.fromkeys(warm, "warm")}
        yield from self._replayed(places, warm)
        yield from self._real([label for label in real if label not in places])
        for label, image in _some(list(places.items()), 2 if self.short else None):
            for number in (errno.ENOSPC, errno.EIO):
                yield self._failing(label, number, image)
        yield from self._others()

    def _replayed(self, places: dict[str, str], warm: dict[str, int]) -> Iterator[Trial]:
        """Each site before and after its first change, then a later one; the rest from outside."""
        first = [(label, 1, image) for label, image in places.items()]
        later = [(label, self.rng.randint(2, times), "warm") for label, times in warm.items() if times > 1]
        killed = [self._kill(*one[:2], side, one[2]) for one in first + later for side in ("before", "after")]
        killed = _some(killed, self.replayed_kills - 2 if self.short else self.replayed_kills)
        yield from killed
        yield from self._until(self.replayed_kills - len(killed), self._from_outside)

    def _real(self, labels: list[str]) -> Iterator[Trial]:
        """The sites that a worker alone has, in the driver's process; then drivers and workers from outside."""
        killed = [self._kill(label, 1, side, "cold", True) for label in labels for side in ("before", "after")]
        killed, self.missed = _some(killed, self.real_kills * 2 // 5), 0
        yield from killed
        yield from self._until(self.real_kills - len(killed), self._worker)

    def _until(self, count: int, make: Callable[[int], Trial]) -> Iterator[Trial]:
        """So many kills that strike, those that were missed before made up for; at most twice as many tries."""
        numbers = range(0, 2 * count)
        yield from (make(number) for number in takewhile(lambda number: number < count + self.missed, numbers))

    def _listed(self, image: str, *, real: bool = False) -> dict[str, int]:
        """The sites of a run, each with how often it changes the disk."""
        run = self.world.fresh(image, self.world.folder / "listed")
        list_file = self.world.folder / "sites.txt"
        list_file.unlink(missing_ok=True)
        handle = os.open(list_file, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        life = self.world.drive(run, lambda moment: _note(handle, moment), real=real)
        os.close(handle)
        if life.code:
            raise SystemExit(f"the run whose sites are listed ended with {life.code}:\n{life.printed}")
        return dict(Counter(list_file.read_text().splitlines()))

    def _kill(self, label: str, nth: int, side: str, image: str, real: bool = False) -> Trial:
        def suffer(run: RunDirectory) -> list[Life]:
            return [self.world.drive(run, kill_at(label, nth, side), real=real)]

        kind = "kill at a site, real training" if real else "kill at a site"
        return Trial(kind, f"{side} #{nth} of {label} ({image})", suffer, image, real, kills=1)

    def _from_outside(self, number: int) -> Trial:
        """One kill, or several in a row: of the driver that goes on, too."""
        moments = [self.rng.random() for _ in range(self.rng.choice((1, 1, 1, 2)))]

        def suffer(run: RunDirectory) -> list[Life]:
            return [self._killed_after(run, share * 0.7) for share in moments]

        return Trial("kill from outside", f"#{number}", suffer, kills=1)

    def _killed_after(self, run: RunDirectory, seconds: float) -> Life:
        driving = self.world.begin(run)
        time.sleep(seconds)
        driving.kill()
        return driving.wait()

    def _worker(self, number: int) -> Trial:
        """Real training in two workers: the driver, a worker or both are killed at a random moment."""
        victims = ("driver", "worker", "both")[number % 3]
        share = self.rng.random()

        def suffer(run: RunDirectory) -> list[Life]:
            return [_killed_program(run, victims, share, self.rng)]

        return Trial(f"kill of {victims}, real training", f"#{number}", suffer, real=True, kills=1)

    def _failing(self, label: str, number: int, image: str) -> Trial:
        def suffer(run: RunDirectory) -> list[Life]:
            return [self.world.drive(run, fail_at(label, number))]

        kind = "disk full" if number == errno.ENOSPC else "I/O error"
        return Trial(kind, f"{label} ({image})", suffer, image)

    def _others(self) -> Iterator[Trial]:
        yield Trial("two drivers", "", self._two_drivers)
        yield Trial("stale lock", "", self._stale_lock)
        for name, seconds in (("forwards", 1e9), ("backwards", -1e9)):
            yield Trial(
                "clock jumps",
                name,
                lambda run, by=seconds: [  # type: ignore[misc]
                    self.world.drive(run, prepare=lambda: jump_clock(by))
                ],
            )
        yield Trial("Ctrl-C", "once", lambda run: [self._interrupted(run, 1)])
        yield Trial("Ctrl-C", "twice", lambda run: [self._interrupted(run, 2)])

    def _two_drivers(self, run: RunDirectory) -> list[Life]:
        first = self.world.begin(run)
        first.hear("started")
        first.kill(signal.SIGSTOP)
        second = self.world.drive(run)
        first.kill(signal.SIGCONT)
        if second.code != 5 or "another process is working on it (pid" not in second.printed or second.started:
            second.printed += TRACEBACK  # it should have been refused
        second.code = 5
        second.struck = True
        return [first.wait(), second]

    def _stale_lock(self, run: RunDirectory) -> list[Life]:
        (run.path / "driver").write_text(f"pid {os.getpid()} on another machine")
        (run.path / "lock").touch()
        return []

    def _interrupted(self, run: RunDirectory, times: int) -> Life:
        driving = self.world.begin(run)
        driving.hear("started")
        for _ in range(times):
            driving.kill(signal.SIGINT)
        life = driving.wait()
        life.struck = True
        if life.code not in (130, -signal.SIGINT):
            life.printed += TRACEBACK
        return life


def _some(found: list[T], most: int | None) -> list[T]:
    """At most so many, evenly from the first to the last."""
    if most is None or len(found) <= most:
        return found
    return [found[number * len(found) // most] for number in range(most)]


def _note(handle: int, moment: Moment) -> None:
    if moment.side == "before":
        os.write(handle, f"{moment.label}\n".encode())


def _killed_program(run: RunDirectory, victims: str, share: float, rng: random.Random) -> Life:
    """`rosearch resume` with real workers, killed at some moment of its work."""
    printed = run.path.parent / "printed.txt"
    with printed.open("w") as out:
        driver = subprocess.Popen(
            [sys.executable, "-m", "rosearch.cli", "resume", str(run.path)], stdout=out, stderr=out
        )
        while driver.poll() is None and not _workers_of(driver.pid):
            time.sleep(0.05)
        time.sleep(4 + share * 8)
        workers = _workers_of(driver.pid)
        if victims != "driver" and workers:
            with suppress(ProcessLookupError):
                os.kill(rng.choice(workers), signal.SIGKILL)
        if victims != "worker":
            driver.kill()
        driver.wait()
    done = {record.number for record in load_results(run).records if record.status == "done"}
    return Life(driver.returncode, done, [], printed.read_text())


def _workers_of(pid: int) -> list[int]:
    """The worker processes of a driver."""
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(one) for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]
    return []


# The verdicts


def judge(world: World, trial: Trial, run: RunDirectory) -> dict[str, str]:
    """Suffers a fault, goes on to the end; in words, what was lost, doubled, unequal or silent."""
    found: dict[str, str] = {}
    lives = trial.suffer(run)
    known: set[int] = set()
    if lives and not any(life.struck for life in lives):
        found["missed"] = f"it ended with {[life.code for life in lives]}"
    for life in lives:
        if life.code == 0 and not load_results(run).finished:
            found["silent"] = "it exited with 0, and the run is not finished"
        if TRACEBACK in life.printed or (life.code > 0 and "error" not in life.printed and life.code != 130):
            found["silent"] = f"exit {life.code}: {life.printed[-600:]}"
        if again := known & set(life.started):
            found["doubled"] = f"trained again: {again}"
        known |= life.finished
    if missing := known - _done(run):
        found["lost"] = f"recorded and gone: {missing}"
    last = world.drive(run, real=trial.real)
    if last.code:
        found["unequal"] = f"the resume ended with {last.code}: {last.printed[-600:]}"
        return found
    if again := known & set(last.started):
        found["doubled"] = f"trained again: {again}"
    if left := examine(run.path, dry_run=True).findings:
        found["silent"] = f"left behind: {'; '.join(f'{one.kind} {one.where}' for one in left[:5])}"
    if lines := differences(world.undisturbed[trial.real], facts(run.path)):
        found["unequal"] = "; ".join(lines[:5])
    return found


def _done(run: RunDirectory) -> set[int]:
    records = load_results(run).records
    return {record.number for record in records if record.status in ("done", "failed")}


@contextmanager
def log_of(path: Path | None) -> Iterator[tuple[dict[str, dict[str, str]], Callable[[str, dict[str, str]], None]]]:
    """The faults that a file tells of, and what adds one."""
    known: dict[str, dict[str, str]] = {}
    if path is not None and path.exists():
        known = dict(json.loads(line) for line in path.read_text().splitlines())

    def note(key: str, found: dict[str, str]) -> None:
        if path is not None:
            with path.open("a") as file:
                file.write(json.dumps([key, found]) + "\n")

    yield known, note


def run_campaign(folder: Path, campaign: Callable[[World], Campaign], only: str, log: Path | None) -> Figures:
    begun, figures, world = time.monotonic(), Figures(), World(folder)
    trials = campaign(world)
    with log_of(log) as (known, note):
        for trial in (trial for trial in trials.trials() if only in trial.kind):
            key = f"{trial.kind}: {trial.name}"
            if (found := known.get(key)) is None:
                found = judge(world, trial, world.fresh(trial.image, folder / "runs"))
                note(key, found)
            struck = "missed" not in found
            trials.missed += 0 if struck else trial.kills
            figures.kills += trial.kills if struck else 0
            figures.faults += struck
            figures.by_kind[trial.kind] = figures.by_kind.get(trial.kind, 0) + struck
            for name, words in found.items():
                setattr(figures, name, getattr(figures, name) + 1)
                if name != "missed":
                    figures.failing.append({"fault": key, name: words})
                print(f"{key}: {name}: {words}", file=sys.stderr, flush=True)
            if struck and figures.faults % 25 == 0:
                print(f"{figures.faults} faults, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    figures.sites, figures.seconds = len(trials.sites), round(time.monotonic() - begun, 1)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--short", action="store_true", help="a sample of all kinds, on the replay backend")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--log", type=Path, help="a file that remembers the faults that were tried")
    parser.add_argument("--only", default="", help="faults of which the kind has these words in its name")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        campaign = partial(Campaign, kills=given.kills, seed=given.seed, short=given.short)
        figures = run_campaign(Path(temporary), campaign, given.only, given.log)
    if given.json:
        print(json.dumps(asdict(figures), indent=2))
    else:
        for kind, count in figures.by_kind.items():
            print(f"{count:5} {kind}")
        print(*(f"{name} {value}" for name, value in list(asdict(figures).items())[:9]), sep="\n")
    raise SystemExit(1 if figures.lost + figures.doubled + figures.unequal + figures.silent else 0)


if __name__ == "__main__":
    main()
