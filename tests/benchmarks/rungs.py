"""Rungs replayed on recorded learning curves: the share of the best students that they lose, and the cost they save.

    python -m tests.benchmarks.rungs --json
    python -m tests.benchmarks.rungs --recorded FOLDER    # of `landscape record`, also while it goes on

Each of 30 runs draws 100 architectures without repeats, as a random search does, in generations of 10. At a rung the
recorded figures of that step decide by the product's own `promoted` who goes on; the curve was measured in the middle
of one training, as a rung is. `lost` is the share of those that no other of the 100 dominates at the end, and that were
stopped. `saved` is the cost of training all 100 over that with rungs, in rows that went through a student: 3 for each
row of a step, 1 for a query. A rung is charged for all attacked rows, since its figures are those of all. `bound` is
what the same rungs would save if the first promoted just those, by magic: no rule can save more and lose none.
`kept` is the hypervolume of the students that were trained to the end, as a share of that of all 100.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

from rosearch.config.file import load_experiment
from rosearch.evaluation.intervals import wilson
from rosearch.evolution.fitness import Fitness, Yardstick
from rosearch.evolution.front import undominated
from rosearch.evolution.promotion import measured_rung, promoted
from rosearch.measurements import Measurements, Rung
from rosearch.run.results import load_results
from tests.benchmarks.landscape import EXPERIMENT, LANDSCAPES, begun, hypervolume, written
from tests.evolution.landscapes import measurements

LANDSCAPE = LANDSCAPES / "generated.json.xz"
RUNS, CANDIDATES, GENERATION = 30, 100, 10
ROWS = 300  # validation rows of the landscape's experiment
Reference = tuple[float, ...]
MOST_LOST, LEAST_SAVED = 0.02, 3.0  # the bar

# Steps of the rungs, of 315; parts that go on; slack.
STEPS = ((40,), (80,), (120,), (160,), (240,), (80, 160), (120, 240), (80, 120, 160))
KEEPS, SLACKS = (0.1, 0.25, 0.5), (None, 0.02, 0.1)


@dataclass(frozen=True)
class Student:
    """A recorded student: its fitness at the end, its rungs by their steps, and the cost of the attack at each."""

    fitness: Fitness
    rungs: Mapping[int, Rung]
    attacks: Mapping[int, float]  # queries at a step, the last one included
    steps: int
    batch: int
    least_quality: float  # that passes the gate

    def cost(self, stops: Sequence[int]) -> float:
        """The cost of a training with an attack at each of some steps, the last of which ends it."""
        return 3.0 * stops[-1] * self.batch + sum(self.attacks[stop] for stop in stops)


@dataclass(frozen=True)
class Setting:
    """Settings of rungs, and what they lost and saved over all runs."""

    rungs: tuple[float, ...]
    keep: float
    slack: float | None
    lost: float
    saved: float
    bound: float
    kept: float

    @property
    def reaches_the_bar(self) -> bool:
        """True where so much is saved at so little lost."""
        return self.lost <= MOST_LOST and self.saved >= LEAST_SAVED


def read_students(data: Mapping[str, Any]) -> list[Student]:
    """The students of a landscape, whether or not all of its space are there."""
    yardstick = Yardstick(load_experiment(EXPERIMENT).fitness, data["teacher_quality"])
    return [_student(row, yardstick, data["batch_size"]) for row in data["students"]]


def _student(row: Mapping[str, Any], yardstick: Yardstick, batch: int) -> Student:
    points = {point["step"]: {**row, **point} for point in row["curve"]}
    rungs = {step: measured_rung(_measured(point), step / row["steps"], yardstick) for step, point in points.items()}
    attacks = {step: _attack_cost(point) for step, point in points.items()} | {row["steps"]: float(row["queries"])}
    least = yardstick.config.min_quality * yardstick.teacher_quality
    return Student(yardstick.score(_measured(row)), rungs, attacks, row["steps"], batch, least)


def _measured(told: Mapping[str, Any]) -> Measurements:
    names = ("accuracy", "under_attack", "words_to_break", "compression", "largest_class_share")
    return measurements(*(told[name] for name in names))


def _attack_cost(point: Mapping[str, Any]) -> float:
    attacked = len(point["outcomes"]) - point["outcomes"].count("m")
    return float(point["queries"] * attacked)


def best_of(students: Sequence[Student]) -> set[int]:
    """The places of those that pass all gates and that no other dominates, equals included."""
    able = {place: one.fitness.objectives for place, one in enumerate(students) if one.fitness.eligible}
    front = set(undominated(able.values()))
    return {place for place, point in able.items() if point in front}


def climb(students: Sequence[Student], steps: Sequence[int], keep: float, slack: float | None) -> dict[int, list[int]]:
    """By the place of each of one run's students, the steps at which it was measured; the last ended its training."""
    stops: dict[int, list[int]] = {place: [] for place in range(len(students))}
    for first in range(0, len(students), GENERATION):
        going_on = set(range(first, min(first + GENERATION, len(students))))
        for step in steps:
            for place in going_on:
                stops[place].append(step)
            going_on = promoted({place: students[place].rungs[step] for place in sorted(going_on)}, keep, slack)
        for place in going_on:
            stops[place].append(students[place].steps)
    return stops


def replay(
    runs: Sequence[Sequence[Student]], steps: Sequence[int], keep: float, slack: float | None, reference: Reference
) -> Setting:
    """What rungs at some steps lose and save, over all runs."""
    lost = best = 0
    kept = []
    whole = cost = least = 0.0
    for students in runs:
        stops, found = climb(students, steps, keep, slack), best_of(students)
        best += len(found)
        lost += sum(stops[place][-1] < students[place].steps for place in found)
        whole += sum(one.cost([one.steps]) for one in students)
        cost += sum(one.cost(stops[place]) for place, one in enumerate(students))
        least += sum(
            one.cost([*steps, one.steps] if place in found else steps[:1]) for place, one in enumerate(students)
        )
        finished = [one for place, one in enumerate(students) if stops[place][-1] == one.steps]
        kept.append(_volume(finished, reference) / _volume(students, reference))
    shares = tuple(round(step / runs[0][0].steps, 3) for step in steps)
    return Setting(shares, keep, slack, lost / best, whole / cost, whole / least, fmean(kept))


def _volume(students: Sequence[Student], reference: Reference) -> float:
    return hypervolume([one.fitness.objectives for one in students if one.fitness.eligible], reference)


def drawn(students: Sequence[Student], runs: int = RUNS) -> list[list[Student]]:
    """The students of each run, without repeats, drawn by its number."""
    count = min(CANDIDATES, len(students))
    return [random.Random(f"run {number}").sample(list(students), count) for number in range(runs)]


def correlations(students: Sequence[Student]) -> Iterator[dict[str, float]]:
    """Spearman's rho of each term at a step with that at the end, and what a gate of the end would stop there.

    `gate_would_stop` is the share of those that pass all gates at the end, and whose whole interval of accuracy at the
    step lies below `fitness.min_quality`.
    """
    from scipy.stats import spearmanr

    best, able = best_of(students), [one for one in students if one.fitness.eligible]
    for step in sorted(students[0].rungs):
        at = [one.rungs[step] for one in students]
        told: dict[str, float] = {"share": round(step / students[0].steps, 3)}
        for name in ("robustness", "accuracy", "scalar"):
            end = [getattr(one.fitness, name) or 0.0 for one in students]
            told[name] = round(float(spearmanr([getattr(rung, name) or 0.0 for rung in at], end).statistic), 3)
        told["accuracy_of_the_best"] = round(fmean(at[place].accuracy for place in best), 3)
        below = [wilson(round(one.rungs[step].accuracy * ROWS), ROWS).high < one.least_quality for one in able]
        told["gate_would_stop"] = round(fmean(below), 3)
        yield told


def measure(data: Mapping[str, Any]) -> dict[str, Any]:
    """All settings, the one that saves most among those that lose least, and how far a rung foretells the end."""
    students = read_students(data)
    runs = drawn(students)
    settings = [replay(runs, *one, tuple(data["reference"])) for one in product(STEPS, KEEPS, SLACKS)]
    reaching = [one for one in settings if one.reaches_the_bar]
    sparing = [one for one in settings if one.lost <= MOST_LOST]
    chosen = max(sparing or settings, key=lambda one: one.saved if sparing else -one.lost)
    return {
        "about": f"{len(students)} recorded students, {len(best_of(students))} of them non-dominated; {data['about']}",
        "bar": {"most_lost": MOST_LOST, "least_saved": LEAST_SAVED, "settings_that_reach_it": len(reaching)},
        "lost": chosen.lost,
        "saved": chosen.saved,
        "kept": chosen.kept,
        "best_setting": asdict(chosen),
        "non_dominated_of_a_run": fmean(len(best_of(run)) for run in runs),
        "foretells": list(correlations(students)),
        "settings": [asdict(one) for one in settings],
    }


def committed() -> dict[str, Any]:
    """The landscape that lies in the repository."""
    if not LANDSCAPE.is_file():
        raise SystemExit(f"{LANDSCAPE}: no such file: give --recorded FOLDER")
    data: dict[str, Any] = json.loads(lzma.decompress(LANDSCAPE.read_bytes()))
    return data


def recorded(folder: Path) -> dict[str, Any]:
    """The landscape that is being recorded in a folder, as far as it has come."""
    run = begun(folder)
    if run is None:
        raise SystemExit(f"{folder}: expected the folder of `landscape record`, got none with a run")
    return written(load_results(run), folder / "curves.jsonl")


def print_settings(told: Mapping[str, Any]) -> None:
    print(told["about"])
    print(f"{'rungs':18}{'keep':>6}{'slack':>7}{'lost':>8}{'saved':>8}{'bound':>8}{'kept':>8}")
    for one in told["settings"]:
        rungs = ", ".join(f"{share:.2f}" for share in one["rungs"])
        slack = "none" if one["slack"] is None else one["slack"]
        figures = f"{one['lost']:8.1%}{one['saved']:8.2f}{one['bound']:8.2f}{one['kept']:8.1%}"
        print(f"{rungs:18}{one['keep']:6}{slack:>7}{figures}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--recorded", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    told = measure(recorded(given.recorded) if given.recorded else committed())
    if given.json:
        print(json.dumps(told, indent=2))
    else:
        print_settings(told)


if __name__ == "__main__":
    main()
