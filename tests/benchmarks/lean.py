"""What the framework itself costs: its time beside training, attack and measurement, and the memory of its processes.

    python -m tests.benchmarks.lean [--candidates 500] [--candidate-seconds 80] [--json]

*Driver*: a search of so many candidates in generations with the real driver, strategy and store; outcomes as large as
those of SST-2 come from a formula (`utilisation`). *Worker*: as many tiny candidates, one after another in one process,
by the code that workers run: build, distil, attack, measure, save, each of another architecture.

`overhead` is the driver's processor time and the time of the worker's own stages (opening the materials, building,
saving, and all between the stages), a candidate, over `--candidate-seconds`: what one takes on SST-2 (45 an hour on an
AVX2 core). `driver_growth_kib` and `worker_growth_kib` are kibibytes of resident memory a candidate, by a line through
the second half; `..._mib` are the memories after a fifth and at the end. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from transformers.utils import logging

from rosearch import search
from rosearch.candidate import run_candidate
from rosearch.config.file import load_experiment
from rosearch.materials.life import CandidateJob
from rosearch.materials.suites import attack_seed
from rosearch.materials.task import prepare_materials
from rosearch.progress import silent
from rosearch.records.record import Outcome
from rosearch.run.backends.backend import always
from rosearch.run.backends.replay import ReplayBackend, Seeded
from rosearch.space.loading import load_space
from tests.benchmarks.utilisation import answer, driving_with, new_run
from tests.small_run import write_experiment

WORKERS = 4
_OWN = ("open", "build", "save")  # the framework's stages of a candidate; the others are work
_PAGE = os.sysconf("SC_PAGE_SIZE")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=500)
    parser.add_argument("--candidate-seconds", type=float, default=80.0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        driver = of_driver(options.candidates, Path(temporary) / "runs")
        worker = of_worker(options.candidates, Path(temporary) / "worker")
    found = summary(driver, worker, options.candidate_seconds)
    print(json.dumps(found, indent=2) if options.json else in_words(found))


def resident() -> int:
    """Bytes of memory that this process has in use."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE


class Course:
    """Resident memory after each candidate, and the framework's own seconds."""

    def __init__(self) -> None:
        self.memory: list[int] = []
        self.seconds = 0.0

    def figures(self) -> dict[str, float]:
        """Seconds a candidate, memory early and late, and its growth."""
        half = self.memory[len(self.memory) // 2 :]
        slope = float(np.polyfit(range(len(half)), half, 1)[0]) if len(half) > 1 else 0.0
        return {
            "seconds": self.seconds / len(self.memory),
            "early_mib": self.memory[len(self.memory) // 5] / 2**20,
            "late_mib": self.memory[-1] / 2**20,
            "growth_kib": slope / 2**10,
        }


def of_driver(candidates: int, folder: Path) -> Course:
    """A whole search whose candidates are not trained."""
    course = Course()

    def answered(job: Seeded) -> Outcome:
        begun = time.process_time()
        outcome = answer(job)
        course.memory.append(resident())
        course.seconds -= time.process_time() - begun  # the landscape's, not the driver's
        return outcome

    course.seconds -= time.process_time()
    run = new_run(folder, "generational", WORKERS, candidates // WORKERS)
    with driving_with(run, ReplayBackend(WORKERS, answered)) as (driver, strategy):
        hours: Any = SimpleNamespace(are_left=always)
        while search._try_generation(driver, strategy, hours):
            driver.prune_students()
    course.seconds += time.process_time()
    return course


def of_worker(candidates: int, folder: Path) -> Course:
    """Candidates one after another in this process, each of another architecture, each written over the last."""
    logging.disable_progress_bar()
    course = Course()
    for job in islice(jobs(folder), candidates):
        begun = time.perf_counter()
        outcome = run_candidate(job, silent)
        assert outcome.failure is None, outcome.failure
        work = sum(seconds for stage, seconds in outcome.seconds.items() if stage not in _OWN)
        course.seconds += time.perf_counter() - begun - work
        course.memory.append(resident())
    return course


def jobs(folder: Path) -> Iterator[CandidateJob]:
    """Tiny candidates without end."""
    experiment = load_experiment(write_experiment(folder, "classification"))
    materials = prepare_materials(experiment, folder / "cache")
    first = CandidateJob(
        experiment=experiment,
        cache=folder / "cache",
        teacher=materials.measure_teacher(experiment),
        genotype=load_space(experiment.search_space).sample(random.Random(0)),
        seed=1,
        student_folder=folder / "student",
        suite=experiment.evaluation.robustness.search,
        attack_seed=attack_seed(experiment),
    )
    rng, space = random.Random(1), load_space(experiment.search_space)
    while True:
        yield replace(first, genotype=space.sample(rng), seed=rng.randrange(2**31))


def summary(driver: Course, worker: Course, candidate_seconds: float) -> dict[str, Any]:
    """The flat figures."""
    sides = {"driver": driver.figures(), "worker": worker.figures()}
    own = sum(side["seconds"] for side in sides.values())
    flat = {f"{name}_{key}": round(value, 4) for name, side in sides.items() for key, value in side.items()}
    return {"overhead": round(own / candidate_seconds, 5), "candidates": len(worker.memory), **flat}


def in_words(found: dict[str, Any]) -> str:
    """Three lines."""
    lines = [f"the framework takes {found['overhead']:.2%} of a candidate, over {found['candidates']} candidates"]
    for name in ("driver", "worker"):
        memory = f"{found[f'{name}_early_mib']:.0f} MiB after a fifth, {found[f'{name}_late_mib']:.0f} MiB at the end"
        growth = f"{found[f'{name}_growth_kib']:.1f} KiB a candidate"
        lines.append(f"{name}: {1000 * found[f'{name}_seconds']:.0f} ms a candidate; {memory} ({growth})")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
