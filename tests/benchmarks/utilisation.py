"""How busy are the workers of a search, generational and steady? Only the clock is simulated.

Usage: `python -m tests.benchmarks.utilisation [--workers 1,8,64,512,1000] [--each 20] [--json]`. Each search has 20
candidates a worker and is a process of its own. Driver, strategy and store are real. A simulated worker has a candidate
for the seconds that `seconds_of` says. The driver's own seconds, the disk's included, count while workers wait for it;
those of the landscape do not.

- Space: `robust_dag`. Strategy: `rosearch`, with a population that fills the workers: `max(8, workers + elite)`.
- Seconds: (30 + 90 (parameters / 10 million)^1.5) exp(z / 2), with z standard normal, drawn by the genotype's id.
- Objectives: smooth functions of size, depth, operations and merges; see `landscape`. Records are as large as those of
  two attacks on 200 rows.

`asynchronous_1000` and `generational_1000` are the shares of the workers' time from the first to the last start that
candidates had. `table` has for each number of workers: both shares, hypervolumes (of robustness, accuracy and
efficiency, from 0), worker-hours until the last candidate was over, and milliseconds of the process a candidate.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import moocore
import networkx as nx
import numpy as np

from rosearch import search
from rosearch.config.experiment import Experiment
from rosearch.evolution.fitness import Yardstick
from rosearch.evolution.registry import make_strategy
from rosearch.evolution.strategy import Strategy
from rosearch.measurements import Estimate, Measurements, Quality, Robustness, TeacherCost, TeacherFacts
from rosearch.records.record import Outcome
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.run import driver as driving
from rosearch.run.backends.backend import always
from rosearch.run.backends.replay import ReplayBackend, Seeded
from rosearch.run.driver import Driver
from rosearch.run.following import Following
from rosearch.run.observer import Nobody
from rosearch.run.standing import StandingFile
from rosearch.run.steady import evolve
from rosearch.space.cost import count_parameters
from rosearch.space.genotype import Genotype
from rosearch.space.loading import load_space
from tests.equal_records import HERE, environment
from tests.evolution.landscapes import SPACES, TEACHER_PARAMETERS, measurements

WORKERS, EACH, ELITE, ROWS = (1, 8, 64, 512, 1000), 20, 2, 200
MODES = {"asynchronous": "steady", "generational": "generational"}
TEACHER = TeacherFacts(
    Quality("accuracy", 0.95, 300, Estimate(0.95, 0.9, 0.99, 300), largest_class_share=0.5),
    TeacherCost(TEACHER_PARAMETERS, 85_000_000, 10**10),
    512,
    2,
)


@dataclass(frozen=True)
class Found:
    """The figures of one search."""

    utilisation: float  # from the first to the last start
    hypervolume: float
    worker_hours: float  # until the last candidate was over
    process_ms: float  # a candidate, to drive the search and to make its outcomes


def landscape(genotype: Genotype) -> Measurements:
    """Accuracy rises with size, depth and a third of attention; robustness with convolutions and gated merges."""
    ops = [node.op for node in genotype.nodes]
    size = math.log(parameters_of(genotype) / 4.5e6) / math.log(24 / 4.5)  # 0 to 1
    depth = nx.dag_longest_path_length(genotype.graph) / 12
    attention = sum(op == "attention" for op in ops) / len(ops)
    convolutions = sum(op.endswith("conv") for op in ops) / len(ops)
    gated = sum(len(node.inputs) > 1 and node.merge == "gate" for node in genotype.nodes) / len(ops)
    quality = 0.7 + 0.2 * (1 - math.exp(-2 * size - depth)) + 0.06 * _peak(attention, 1 / 3)
    words = 0.1 + 0.3 * _peak(convolutions, 0.5) + 0.3 * math.sqrt(gated) + 0.1 * (genotype.pooling == "attention")
    return measurements(quality, 0.5 * words, words, TEACHER_PARAMETERS / parameters_of(genotype))


def _peak(value: float, at: float) -> float:
    return math.exp(-(((value - at) / 0.2) ** 2))


def parameters_of(genotype: Genotype) -> int:
    """All parameters, embeddings included."""
    return count_parameters(genotype, vocabulary=30522).total


def seconds_of(genotype: Genotype) -> float:
    """The time of a candidate: more with its size, with a long tail."""
    chance = math.exp(random.Random(genotype.id).gauss(0.0, 0.5))
    return (30 + 90 * (parameters_of(genotype) / 1e7) ** 1.5) * chance


def answer(job: Seeded) -> Outcome:
    """The outcome of a candidate, as large as one of SST-2."""
    rng, found = random.Random(job.genotype.id), landscape(job.genotype)
    assert found.robustness is not None
    attacks = tuple(_attacked(name, found.robustness.under_attack, rng) for name in ("deepwordbug", "pruthi"))
    worst = Robustness(**{**vars(found.robustness), "outcomes": attacks[0].outcomes, "shares": attacks[0].shares})
    whole = Measurements(found.quality, found.efficiency, found.training, worst, attacks)
    return Outcome(whole, None, {"distil": seconds_of(job.genotype)})


def _attacked(name: str, share: Estimate, rng: random.Random) -> Robustness:
    outcomes = "".join("s" if rng.random() < share.value else "b" for _ in range(ROWS))
    shares = tuple(round(rng.random(), 4) for _ in range(ROWS))
    return Robustness(name, 1, ROWS, share, share, share, share, share, share, 0, 1.0, outcomes=outcomes, shares=shares)


def new_run(folder: Path, mode: str, workers: int, each: int) -> RunDirectory:
    """A run whose candidates are never trained."""
    population = max(8, workers + ELITE)
    evolution = {"mode": mode, "candidates": workers * each, "population": population, "elite": ELITE}
    task = {"name": "grammar", "text": ["sentence"], "labels": ["neg", "pos"], "generated": {}, "max_length": 64}
    settings = {"task": task, "evolution": evolution, "teacher": {"model": "nowhere"}}
    space = SPACES / "robust_dag.yaml"
    return RunDirectory.create(
        folder, Experiment.model_validate({"name": "simulated", "search_space": space, **settings})
    )


@contextmanager
def driving_with(run: RunDirectory, backend: ReplayBackend) -> Iterator[tuple[Driver, Strategy]]:
    """The driver of a run, and its strategy, as a search makes them."""
    experiment = run.experiment()
    yardstick = Yardstick.of(experiment.fitness, TEACHER)
    strategy = make_strategy(experiment.evolution, load_space(run.search_space), experiment.seed, yardstick)
    untimed = patch.object(driving, "student_latencies", lambda _e, genotypes, *_: [None] * len(genotypes))
    with run.lock(), Store.open(run.store) as store, untimed:
        store.set_teacher(TEACHER)
        following = Following(experiment, (), StandingFile(run.standing), Nobody())
        following.measured(TEACHER)
        cache = run.path / ".cache"
        yield Driver(run, store, experiment, cache, TEACHER, backend, following, "cpu", store.records()), strategy


def measure(
    mode: str, workers: int, each: int, folder: Path, driver_clock: Callable[[], float] | None = time.perf_counter
) -> Found:
    """One whole search of `each` candidates a worker. `driver_clock` None: the driver takes no time."""
    backend = ReplayBackend(workers, answer, driver_clock=driver_clock)
    began = time.perf_counter()
    with driving_with(new_run(folder, mode, workers, each), backend) as (driver, strategy):
        if mode == "steady":
            evolve(driver, strategy, always)
        else:
            hours: Any = SimpleNamespace(are_left=always)
            while search._try_generation(driver, strategy, hours):
                driver.prune_students()
    took = time.perf_counter() - began
    spans = list(backend.spans.values())
    hours_of_all = workers * (max(end for _, end in spans) - min(start for start, _ in spans)) / 3600
    return Found(utilisation(spans, workers), hypervolume(strategy), hours_of_all, 1000 * took / len(spans))


def utilisation(spans: list[tuple[float, float]], workers: int) -> float:
    """The share of the workers' time from the first to the last start in which they had a candidate."""
    first, last = min(start for start, _ in spans), max(start for start, _ in spans)
    busy = sum(min(end, last) - start for start, end in spans)
    return busy / (workers * (last - first)) if last > first else 1.0


def hypervolume(strategy: Strategy) -> float:
    """Of the front, in robustness, accuracy and efficiency, above 0 in each: at most 1."""
    fitness = strategy.fitnesses
    points = [fitness[record.id].objectives for record in strategy.front()]
    return float(moocore.hypervolume(-np.array(points), ref=np.zeros(3))) if points else 0.0


def in_processes(workers: Iterable[int], each: int) -> dict[str, dict[str, Any]]:
    """The figures by the number of workers, each search in a process of its own."""
    table: dict[str, dict[str, Any]] = {}
    for count in workers:
        found = {name: _child(mode, count, each) for name, mode in MODES.items()}
        table[str(count)] = {"candidates": count * each, **{name: asdict(one) for name, one in found.items()}}
    return table


def _child(mode: str, workers: int, each: int) -> Found:
    command = [sys.executable, "-m", "tests.benchmarks.utilisation", "--child", mode]
    command += ["--workers", str(workers), "--each", str(each)]
    done = subprocess.run(command, env=environment(HERE), cwd=HERE, check=True, stdout=subprocess.PIPE, text=True)
    return Found(**json.loads(done.stdout.splitlines()[-1]))


def rows(table: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The table as lines of Markdown."""
    yield "| workers | candidates | utilisation | | hypervolume | | worker-hours | | ms a candidate | |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    yield "| | |" + " steady | generational |" * 4
    for count, row in table.items():
        pairs = [[row[name][key] for name in MODES] for key in Found.__dataclass_fields__]
        shown = zip(pairs, (".3f", ".4f", ",.1f", ".1f"), strict=True)
        cells = " | ".join(f"{value:{form}}" for pair, form in shown for value in pair)
        yield f"| {int(count):,} | {row['candidates']:,} | {cells} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default=",".join(map(str, WORKERS)), help="numbers of workers, with commas")
    parser.add_argument("--each", type=int, default=EACH, help="candidates a worker")
    parser.add_argument("--child", choices=MODES.values(), help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    workers = [int(count) for count in given.workers.split(",")]
    if given.child:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(asdict(measure(given.child, workers[0], given.each, Path(folder)))))
        return
    table = in_processes(workers, given.each)
    if given.json:
        flat = {f"{name}_{count}": table[str(count)][name]["utilisation"] for name in MODES for count in workers[-1:]}
        print(json.dumps(flat | {"table": table}, indent=2))
        return
    print("\n".join(rows(table)))


if __name__ == "__main__":
    main()
