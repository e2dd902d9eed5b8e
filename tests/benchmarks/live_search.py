"""Does the search pay on real data? Searches of SST-2, live: the default, random search, and random search with rungs.

    python -m tests.benchmarks.live_search record FOLDER --data-root DATA    # hours; goes on after Ctrl-C or kill -9
    python -m tests.benchmarks.live_search write FOLDER > tests/benchmarks/landscapes/sst2.json.xz
    python -m tests.benchmarks.live_search report [FILE] [--json]

`record` runs the experiment `landscapes/sst2.yaml` with each strategy and seed, one search after the other; those of a
seed share teacher and rows. DATA holds `glue/SST-2` with GLUE's own files. `report` reads what `write` has kept.

Quality is the hypervolume of (robustness, accuracy, efficiency) of what may win, above chance in accuracy. Cost is rows
that went through a student: 3 for a row of a training step (forward and backward), 1 for a query of an attack, those
at rungs included. The budget of a seed is what random search spent on its 40 students; the others get some more
students, and what they spend above the budget is not looked at. `share_to_random` is the cost at which the default
reaches the last hypervolume of random search of the same seed, over the budget; `share_to_rungs` the same for random
search with rungs. Both are infinite where it never does.

`held_out_tau` tells whether these records can stand for the space: Kendall's tau of each figure with what extra trees
predict of it, over architectures that were left out of the fit (ten folds), and the same inside each encoding; the
median over seeds, which have rows and teachers of their own.
"""

from __future__ import annotations

import argparse
import json
import lzma
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from scipy.stats import kendalltau
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import KFold, cross_val_predict

from rosearch.config.file import load_experiment
from rosearch.evolution.fitness import Fitness
from rosearch.evolution.surrogates.architecture import features, table
from rosearch.measurements import Measurements
from rosearch.models.device import machine
from rosearch.records.record import Record
from rosearch.records.run_directory import RunDirectory
from rosearch.run.results import Results, load_results
from rosearch.search import run_search
from rosearch.space.genotype import Genotype
from tests.benchmarks.landscape import LANDSCAPES, hypervolume

EXPERIMENT, RECORDED = LANDSCAPES / "sst2.yaml", LANDSCAPES / "sst2.json.xz"
DEFAULT, RANDOM, RUNGS = "rosearch", "random", "random_rungs"
SEARCHES: dict[str, list[str]] = {  # more students than random search has, so that each spends the budget
    DEFAULT: ["evolution.candidates=44"],
    RANDOM: ["evolution.strategy=random", "evolution.candidates=40"],
    RUNGS: ["evolution.strategy=random", "evolution.candidates=64", "evolution.rungs=[0.5]"],
}
FIGURES, FOLDS = ("accuracy", "words_to_break", "scalar"), 10
REFERENCE = (0.0, 0.5, 0.0)  # robustness, accuracy (chance), efficiency: what bounds a hypervolume below


def record(folder: Path, data_root: Path, searches: Sequence[str], seeds: Sequence[int]) -> None:
    """Begins or goes on with each search, in a folder of its own name below the folder."""
    for seed in seeds:
        for name in searches:
            run = begun(folder, name, seed)
            if run is None or not load_results(run).finished:
                overrides = [*SEARCHES[name], f"seed={seed}", f"name={name}-{seed}"]
                run_search(run or load_experiment(EXPERIMENT, overrides, data_root), runs=folder)
            print(f"{name}, seed {seed}: over", file=sys.stderr, flush=True)


def begun(folder: Path, name: str, seed: int) -> RunDirectory | None:
    """The run of a search that `record` began; None where it has not."""
    runs = sorted(folder.glob(f"{name}-{seed}-*"))
    return RunDirectory.open(runs[-1]) if runs else None


def written(folder: Path) -> dict[str, Any]:
    """The records of all searches that are over, as JSON data."""
    found = {
        f"{name} {seed}": load_results(run)
        for name in SEARCHES
        for seed in range(1, 100)
        if (run := begun(folder, name, seed)) is not None
    }
    over = {name: results for name, results in found.items() if results.finished}
    if not over:
        raise SystemExit(f"{folder}: no search in it is over")
    teachers = {name: results.teacher.quality.value for name, results in over.items() if results.teacher is not None}
    for seed in {name.split()[1] for name in over}:
        values = {value for name, value in teachers.items() if name.split()[1] == seed}
        if len(values) != 1:
            raise SystemExit(f"{folder}: expected one teacher for seed {seed}, got accuracies {sorted(values)}")
    first = next(iter(over.values()))
    return {
        "about": f"sst2: {', '.join(over)}",
        "machine": machine(),
        "space": first.run.search_space.name,
        "fitness": first.experiment.fitness.model_dump(mode="json"),
        "teacher_quality": teachers,
        "reference": list(REFERENCE),
        "batch_size": first.experiment.distillation.batch_size,
        "searches": {
            name: [_row(one, results.fitness.get(one.number)) for one in results.of("candidate")]
            for name, results in over.items()
        },
        "seconds": {name: round(_seconds(results), 1) for name, results in over.items()},
    }


def _seconds(results: Results) -> float:
    return sum(sum(one.seconds.values()) for one in results.of("candidate"))


def _row(one: Record, fitness: Fitness | None) -> dict[str, Any]:
    row: dict[str, Any] = {"genotype": one.genotype.to_dict(), "origin": one.origin, "parents": list(one.parents)}
    found = one.measurements
    if found is None or fitness is None:
        return row | {"failure": str(one.failure)}
    attacked = found.robustness
    assert attacked is not None
    return row | {
        "accuracy": found.quality.value,
        "under_attack": attacked.under_attack.value,
        "words_to_break": attacked.words_to_break.value,
        "outcomes": attacked.outcomes,
        "queries": queries_of(found),
        "parameters": found.efficiency.parameters,
        "compression": found.efficiency.compression,
        "steps": found.training.steps,
        "stopped_at": found.stopped_at,
        "objectives": list(fitness.objectives),
        "scalar": fitness.scalar,
        "gates": list(fitness.gates),
    }


def queries_of(found: Measurements) -> int:
    """All queries of a candidate's attacks, those at rungs before its last figures included."""
    last = sum(round(attack.queries.value * attack.queries.n) for attack in found.attacks)
    return last + sum(rung.queries for rung in found.rungs if rung.steps < found.training.steps)


@dataclass(frozen=True)
class Course:
    """What one search had spent and found after each student."""

    costs: list[float]
    volumes: list[float]
    best: float  # scalar fitness

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], batch: int, budget: float = np.inf) -> Course:
        """The course until a budget is spent. A student that failed costs nothing that was recorded."""
        costs, volumes, front, best, spent = [], [], [], 0.0, 0.0
        for row in (row for row in rows if "failure" not in row):
            spent += 3.0 * row["steps"] * batch + row["queries"]
            if spent > budget:
                break
            if not row["gates"]:
                front.append(tuple(row["objectives"]))
                best = max(best, row["scalar"])
            costs.append(spent)
            volumes.append(hypervolume(front, REFERENCE))
        return cls(costs, volumes, best)

    @property
    def last(self) -> float:
        """The hypervolume in the end."""
        return self.volumes[-1] if self.volumes else 0.0

    def reaches(self, volume: float) -> float:
        """The cost at which a hypervolume was reached; infinite where it never was."""
        return next((cost for cost, found in zip(self.costs, self.volumes, strict=True) if found >= volume), np.inf)


def report(data: Mapping[str, Any]) -> dict[str, Any]:
    """The figures by seed, for seeds of which all searches are over, and their medians."""
    batch, searches = data["batch_size"], data["searches"]
    seeds: dict[int, dict[str, Any]] = {}
    for seed in sorted({int(name.split()[1]) for name in searches}):
        rows = {name: searches.get(f"{name} {seed}") for name in SEARCHES}
        if None in rows.values():
            continue
        budget = Course.of(rows[RANDOM], batch).costs[-1]
        found = {name: Course.of(one, batch, budget) for name, one in rows.items()}
        ours = found[DEFAULT]
        seeds[seed] = {
            "budget": budget,
            "share_to_random": ours.reaches(found[RANDOM].last) / budget,
            "share_to_rungs": ours.reaches(found[RUNGS].last) / budget,
            "hypervolume": {name: one.last for name, one in found.items()},
            "best_fitness": {name: one.best for name, one in found.items()},
            "students": {name: len(one.costs) for name, one in found.items()},
        }
    shares = {key: [float(one[key]) for one in seeds.values()] for key in ("share_to_random", "share_to_rungs")}
    medians = {key: median(values) if values else None for key, values in shares.items()}
    return medians | {
        "about": data["about"],
        "machine": data["machine"],
        "seeds": seeds,
        "held_out_tau": _median_tau(searches),
    }


def _median_tau(searches: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Medians over seeds of `held_out_tau`, and the architectures of all."""
    seeds = {name.split()[1] for name in searches}
    found = [
        held_out_tau([row for name, rows in searches.items() if name.split()[1] == seed for row in rows])
        for seed in sorted(seeds)
    ]
    told: dict[str, Any] = {"architectures": sum(one["architectures"] for one in found)}
    for key in FIGURES:
        encodings = sorted({encoding for one in found for encoding in one[key]["inside"]})
        inside = {name: _middle([one[key]["inside"].get(name, np.nan) for one in found]) for name in encodings}
        told[key] = {"tau": _middle([one[key]["tau"] for one in found]), "inside": inside}
    return told


def _middle(values: Sequence[float]) -> float:
    return round(float(np.nanmedian(values)), 3)


def held_out_tau(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How far figures of architectures follow from those of others; of one that was tried twice, the first."""
    whole = {
        (one := Genotype.from_dict(row["genotype"])).id: (one, row)
        for row in rows[::-1]
        if "failure" not in row and not row["stopped_at"]
    }
    found = [features(genotype) for genotype, _ in whole.values()]
    known = table(found, sorted(set().union(*found)))
    encodings = np.array([str(genotype.source_setting["encoding"]) for genotype, _ in whole.values()])
    told: dict[str, Any] = {"architectures": len(whole)}
    for key in FIGURES:
        values = np.array([row[key] for _, row in whole.values()])
        folds = KFold(FOLDS, shuffle=True, random_state=1)
        trees = ExtraTreesRegressor(300, min_samples_leaf=2, random_state=1)
        predicted = cross_val_predict(trees, known, values, cv=folds)
        inside = {
            encoding: round(float(kendalltau(predicted[encodings == encoding], values[encodings == encoding])[0]), 3)
            for encoding in sorted(set(encodings.tolist()))
        }
        told[key] = {"tau": round(float(kendalltau(predicted, values)[0]), 3), "inside": inside}
    return told


def rows_of(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures as lines of Markdown."""
    yield "| seed | strategy | students | hypervolume at equal cost | best fitness | ours reaches it at |"
    yield "|---|---|---|---|---|---|"
    shares = {RANDOM: "share_to_random", RUNGS: "share_to_rungs"}
    for seed, one in found["seeds"].items():
        for name in SEARCHES:
            share = f"{one[shares[name]]:.2f}" if name in shares else ""
            figures = f"{one['hypervolume'][name]:.4f} | {one['best_fitness'][name]:.3f}"
            yield f"| {seed} | {name} | {one['students'][name]} | {figures} | {share} |"
    yield ""
    yield from (f"{key}: {found[key]}" for key in (*shares.values(), "held_out_tau"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="run the searches")
    recording.add_argument("folder", type=Path)
    recording.add_argument("--data-root", type=Path, required=True, help="the folder that holds glue/SST-2")
    recording.add_argument("--searches", default=",".join(SEARCHES), help="names with commas")
    recording.add_argument("--seeds", default="1,2,3", help="with commas")
    commands.add_parser("write", help="print the records, compressed").add_argument("folder", type=Path)
    reporting = commands.add_parser("report", help="compare what was recorded")
    reporting.add_argument("file", type=Path, nargs="?", default=RECORDED)
    reporting.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    if given.command == "record":
        seeds = [int(seed) for seed in given.seeds.split(",")]
        record(given.folder, given.data_root, given.searches.split(","), seeds)
    elif given.command == "write":
        sys.stdout.buffer.write(lzma.compress(json.dumps(written(given.folder)).encode(), preset=9))
    else:
        found = report(json.loads(lzma.decompress(given.file.read_bytes())))
        print(json.dumps(found, indent=2) if given.json else "\n".join(rows_of(found)))


if __name__ == "__main__":
    main()
