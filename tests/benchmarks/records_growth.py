"""The cost of a run's records as they grow: milliseconds a candidate, seconds of a command, memory of the driver.

Usage: `python -m tests.benchmarks.records_growth [--sizes 1000,10000,100000] [--json]`. Each size is a process of its
own. Records are as large as those of an SST-2 run (two attacks on 200 rows), of architectures of `robust_dag` that were
drawn at random; only the training is left out. Flat keys are those of the largest size, the others stand under `sizes`;
all seconds are processor seconds, beyond imports.

- `ask_ms`, `tell_ms`: of the strategy, over a generation, a candidate;
- `propose_ms`, `record_ms`: of the driver, a candidate: recorded as pending; its whole bookkeeping besides;
- `resume_s`: from the records to the first proposals; `status_s`, `stats_s`: what the commands do;
- `driver_mib`: the peak of the memory of the driver, beyond that after its imports.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from rosearch.config.experiment import Experiment
from rosearch.evolution.fitness import Yardstick
from rosearch.evolution.registry import make_strategy
from rosearch.measurements import Estimate, Measurements, Quality, Robustness, TeacherCost, TeacherFacts
from rosearch.records.record import Outcome, Record
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.run import driver as driving
from rosearch.run.backends.backend import Job, Result
from rosearch.run.course import Overall
from rosearch.run.driver import Driver
from rosearch.run.following import Following
from rosearch.run.observer import Nobody
from rosearch.run.standing import StandingFile
from rosearch.space.genotype import Genotype
from rosearch.space.loading import load_space
from tests.equal_records import HERE, environment
from tests.evolution.landscapes import SPACES, measurements

SIZES = (1_000, 10_000, 100_000)
POPULATION, ROWS, GENERATIONS = 20, 200, 5
FLAT = ("ask_ms", "tell_ms", "record_ms", "propose_ms", "status_s", "stats_s", "resume_s", "driver_mib")
TEACHER = TeacherFacts(
    Quality("accuracy", 0.95, 300, Estimate(0.95, 0.9, 0.99, 300), largest_class_share=0.5),
    TeacherCost(109_000_000, 85_000_000, 10**10),
    512,
    2,
)


class Untrained:
    """A backend that trains nothing: outcomes are drawn."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def run(self, jobs: Sequence[Job[Any]], on_start: Callable[[int], None], **_: Any) -> Iterator[Result[Any]]:
        """See `Backend`."""
        for job in jobs:
            on_start(job.key)
            yield Result(job.key, value=self.outcome())

    def outcome(self) -> Outcome:
        """An outcome as large as that of a candidate on SST-2."""
        draw = self._rng.random
        found = measurements(0.75 + 0.2 * draw(), 0.6 * draw(), 0.6 * draw(), 5 + 15 * draw())
        assert found.robustness is not None
        share = found.robustness.under_attack
        attacks = tuple(_attacked(name, share, draw) for name in ("deepwordbug", "pruthi"))
        whole = Measurements(found.quality, found.efficiency, found.training, attacks[0], attacks)
        return Outcome(whole, None, {"build": 0.25, "distil": 40.5, "quality": 1.5, "attack": 7.25})


def _attacked(name: str, share: Estimate, draw: Callable[[], float]) -> Robustness:
    outcomes = "".join("s" if draw() < share.value else "b" for _ in range(ROWS))
    shares = tuple(round(draw(), 4) for _ in range(ROWS))
    return Robustness(name, 1, ROWS, share, share, share, share, share, share, 0, 1.0, outcomes=outcomes, shares=shares)


class Telling(Nobody):
    """An observer that is told the whole, as that of the terminal."""

    def overall(self, told: Overall) -> None:
        """See `Onlooker`."""


class Run:
    """A run of a folder whose candidates are never trained."""

    def __init__(self, folder: Path, candidates: int, **execution: Any) -> None:
        task = {"name": "grammar", "text": ["sentence"], "labels": ["neg", "pos"], "generated": {}, "max_length": 64}
        evolution = {"candidates": candidates, "population": POPULATION}
        settings = {"task": task, "evolution": evolution, "teacher": {"model": "nowhere"}, "execution": execution}
        space = SPACES / "robust_dag.yaml"
        experiment = Experiment.model_validate({"name": "many", "search_space": space, **settings})
        self.directory = RunDirectory.create(folder, experiment)
        self.space, self.backend = load_space(space), Untrained(1)
        self.yardstick = Yardstick.of(experiment.fitness, TEACHER)

    def fill(self, count: int) -> None:
        """Adds measured candidates in generations, without a driver."""
        rng, seen = random.Random(1), set[str]()
        with Store.open(self.directory.store) as store:
            store.set_teacher(TEACHER)
            for first in range(1, count + 1, POPULATION):
                genotypes: list[Genotype] = []
                while len(genotypes) < min(POPULATION, count + 1 - first):
                    one = self.space.sample(rng)
                    if one.id not in seen:
                        seen.add(one.id)
                        genotypes.append(one.canonical())
                generation = (first - 1) // POPULATION
                numbered = enumerate(genotypes, start=first)
                store.propose([self._measured(_pending(number, generation, one)) for number, one in numbered])

    def _measured(self, record: Record) -> Record:
        outcome = self.backend.outcome()
        assert outcome.measurements is not None
        judged = self.yardstick.write(self.yardstick.score(outcome.measurements))
        told = {"measurements": outcome.measurements, "seconds": outcome.seconds, "judged": judged}
        return replace(record, status="done", **told)

    @contextmanager
    def driver(self) -> Iterator[Driver]:
        """A driver of the run, resumed."""
        experiment = self.directory.experiment()
        with self.directory.lock(), Store.open(self.directory.store) as store:
            records = store.records()
            following = Following(experiment, records, StandingFile(self.directory.standing), Telling())
            following.measured(TEACHER)
            untimed = patch.object(driving, "student_latencies", lambda _e, genotypes, *_: [None] * len(genotypes))
            cache: Any = self.directory.path / ".cache"
            backend: Any = self.backend
            with untimed:
                yield Driver(self.directory, store, experiment, cache, TEACHER, backend, following, "cpu", records)

    def strategy(self) -> Any:
        """The strategy of the run, told nothing."""
        experiment = self.directory.experiment()
        return make_strategy(experiment.evolution, self.space, experiment.seed, self.yardstick)


def _pending(number: int, generation: int, genotype: Genotype) -> Record:
    return Record(number, "candidate", generation, 0, genotype, "sample", (), number, "pending")


def replay(driver: Driver, strategy: Any) -> None:
    """Tells a strategy all that was recorded, and prunes once behind it, as a resumed search does."""
    while records := driver.recorded("candidate", strategy.generation):
        driver.work("generation", records)
        strategy.tell(records)
    driver.prune_students()


def go_on(driver: Driver, strategy: Any) -> dict[str, float]:
    """One more generation: what each step took, in processor seconds of a candidate."""
    watch = Laps()
    proposals = strategy.ask()
    watch.lap("ask")
    records = driver.propose("candidate", strategy.generation, [(one, 0, "") for one in proposals])
    watch.lap("propose")
    driver.work("generation", records)
    driver.prune_students()
    watch.lap("record")
    strategy.tell(driver.recorded("candidate", strategy.generation))
    watch.lap("tell")
    return {name: seconds / len(proposals) for name, seconds in watch.laps.items()}


class Laps:
    """Processor seconds between one lap and the next, by name."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._start = time.process_time()

    def lap(self, name: str) -> float:
        """Ends a lap; its seconds."""
        now = time.process_time()
        self.laps[name], self._start = now - self._start, now
        return self.laps[name]


def measure(size: int, folder: Path) -> dict[str, float]:
    """The figures of one size, in this process."""
    run = Run(folder, size + POPULATION * (GENERATIONS + 1))
    filling = multiprocessing.get_context("fork").Process(target=run.fill, args=(size,))  # its memory is its own
    filling.start()
    filling.join()
    if filling.exitcode:
        raise SystemExit("the records were not written")
    # What the commands import is paid before they are timed.
    import rosearch.report.comparisons
    import rosearch.report.regression
    import rosearch.report.run_files
    import rosearch.report.statistics
    import rosearch.report.summary
    import rosearch.run.results
    import rosearch.terminal.run  # noqa: F401
    from rosearch.cli.run import status
    from rosearch.cli.stats import stats

    before, watch = memory_mib("VmRSS"), Laps()
    with run.driver() as driver:
        strategy = run.strategy()
        replay(driver, strategy)
        strategy.ask()
        found = {"resume_s": watch.lap("resume")}
        steps = [go_on(driver, strategy) for _ in range(GENERATIONS)]
        found["driver_mib"] = memory_mib("VmHWM") - before
    found |= {f"{name}_ms": 1000 * median(took[name] for took in steps) for name in steps[0]}
    watch.lap("driver")
    with redirect_stdout(StringIO()):
        status(run.directory.path)
        found["status_s"] = watch.lap("status")
        stats([run.directory.path])
    return found | {"stats_s": watch.lap("stats")}


def memory_mib(name: str) -> float:
    """The memory of this process, now (`VmRSS`) or at its peak (`VmHWM`).

    `getrusage` begins with the peak of whoever started the process.
    """
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def in_processes(sizes: Iterable[int]) -> dict[str, dict[str, float]]:
    """The figures of all sizes, each from a process of its own."""
    found = {}
    for size in sizes:
        command = [sys.executable, "-m", "tests.benchmarks.records_growth", "--child", str(size)]
        done = subprocess.run(command, env=environment(HERE), cwd=HERE, check=True, stdout=subprocess.PIPE, text=True)
        found[str(size)] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="records, with commas")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    if given.child:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(given.child, Path(folder))))
        return
    sizes = in_processes(int(size) for size in given.sizes.split(","))
    *others, largest = sizes
    if given.json:
        print(json.dumps({**sizes[largest], "sizes": {size: sizes[size] for size in others}}, indent=2))
        return
    print("| | " + " | ".join(f"{int(size):,}" for size in sizes) + " |\n|---|" + "---|" * len(sizes))
    for key in FLAT:
        print(f"| {key} | " + " | ".join(f"{sizes[size][key]:.2f}" for size in sizes) + " |")


if __name__ == "__main__":
    main()
