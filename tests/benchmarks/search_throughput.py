"""What a candidate costs by rosearch, and by what users write today (`glue_pipeline`), in processor seconds.

    python -m tests.benchmarks.search_throughput [--candidates 16] [--steps 300] [--rows 100] [--json]
        [--experiment quickstart] [--data-root DATA] [-o KEY=VALUE ...]

Random genotypes of the experiment's space are trained, evaluated and attacked on one thread, rosearch and both forms of
the pipeline in turns: the same initial weights, rows and attack. `ratio_brief` and `ratio_tuned` are medians over the
candidates of the pipeline's seconds over rosearch's, with quartiles. rosearch's hold all that a candidate takes but the
measurement of meaning, which the pipeline has not. The brief form takes `--brief-steps` steps and attacks
`--brief-rows` rows, which stand for all of them; the tuned form does all. `rank_correlation` is Spearman's, of the
fitness of rosearch's students and that of the tuned pipeline's. What is made once for all candidates is not timed: the
teacher, its logits, tokens, and rosearch's plan of the attack, which the tuned form uses too.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from scipy.stats import spearmanr

from rosearch.config.experiment import Experiment
from rosearch.config.file import load_experiment
from rosearch.evolution.fitness import Yardstick
from rosearch.materials.life import CandidateJob, TaskLife, Trained
from rosearch.materials.suites import attack_seed, suite_of
from rosearch.materials.task import TaskMaterials, prepare_materials
from rosearch.measurements import Measurements, TeacherFacts, Training
from rosearch.progress import Stopwatch, silent
from rosearch.randomness import derive_seed
from rosearch.space.genotype import Genotype
from rosearch.space.loading import load_space
from tests.benchmarks.glue_pipeline import Spent, run_pipeline

SETTINGS = (
    "search_space=robust_dag",
    "distillation.method=kd",
    "distillation.precision=float32",  # that of the pipeline
    "evaluation.robustness.search.attacks=[deepwordbug]",
    "evaluation.robustness.search.single_swaps=[]",
    "evaluation.efficiency.repeats=0",
    "execution.device=cpu",
    "execution.threads=1",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        rows = measured(options, options.work or Path(temporary))
    result = summary(rows)
    print(json.dumps(result, indent=2) if options.json else _in_words(result))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", default="quickstart")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("-o", dest="override", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--candidates", type=int, default=16)
    parser.add_argument("--steps", type=int, default=300, help="of each training")
    parser.add_argument("--rows", type=int, default=100, help="that are attacked")
    parser.add_argument("--brief-steps", type=int, default=12)
    parser.add_argument("--brief-rows", type=int, default=4)
    parser.add_argument("--work", type=Path, help="a folder that keeps teacher, tokens and plans for the next time")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def measured(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    """One row for each candidate."""
    length = (f"distillation.max_steps={options.steps}", "distillation.epochs=1000")
    attacked = (f"evaluation.robustness.search.rows={options.rows}",)
    settings = [*SETTINGS, *length, *attacked, *options.override]
    experiment = load_experiment(options.experiment, settings, options.data_root)
    materials = prepare_materials(experiment, work / "cache")
    teacher = materials.measure_teacher(experiment)
    rng, space, found = random.Random(experiment.seed), load_space(experiment.search_space), []
    for number in range(options.candidates):
        life = _life(experiment, materials, teacher, space.sample(rng), work)
        if not number:
            warm(life)
        found.append(one_candidate(life, options, work))
        print(f"{number + 1} of {options.candidates}: {_line(found[-1])}", file=sys.stderr, flush=True)
    return found


def one_candidate(life: TaskLife, options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Processor seconds of rosearch and of both forms, and two fitnesses."""
    ours, measurements = rosearch(life)
    tuned = run_pipeline(life, work / "trainer", tuned=True)
    brief = run_pipeline(life, work / "trainer", tuned=False, steps=options.brief_steps, rows=options.brief_rows)
    yardstick = Yardstick.of(life.job.experiment.fitness, life.job.teacher)
    assert tuned.quality is not None and tuned.robustness is not None
    theirs = replace(measurements, quality=tuned.quality, robustness=tuned.robustness, attacks=(tuned.robustness,))
    return {
        "id": life.job.genotype.id,
        "width": life.job.genotype.width,
        "rosearch": _rounded(ours),
        "tuned": _rounded(tuned),
        "brief": _rounded(brief),
        "ratio_tuned": round(tuned.total / ours.total, 3),
        "ratio_brief": round(brief.total / ours.total, 3),
        "fitness": round(yardstick.score(measurements).scalar, 5),
        "fitness_tuned": round(yardstick.score(theirs).scalar, 5),
    }


def rosearch(life: TaskLife) -> tuple[Spent, Measurements]:
    """The candidate as a worker runs it that has had others before; only meaning is not measured."""
    student, spent = life.build(), Spent()
    with spent.stage("train"):
        trained = life.distil(student, silent)
    with spent.stage("measure"), patch.object(TaskMaterials, "meaning", lambda *_: None):
        measurements = life.measure(student, trained, Stopwatch(), silent)
    return spent, measurements


def warm(life: TaskLife) -> None:
    """Import TextAttack, open the plan and remember its words, by the attack of a student that was not trained."""
    untrained = Trained(Training(0, 0, 0.0, "float32"))
    life.measure(life.build(), untrained, Stopwatch(), silent)


def _life(
    experiment: Experiment, materials: TaskMaterials, teacher: TeacherFacts, genotype: Genotype, work: Path
) -> TaskLife:
    seed = derive_seed(experiment.seed, "candidate", genotype.id)
    suite = suite_of(experiment, "validation")
    job = CandidateJob(
        experiment, work / "cache", teacher, genotype, seed, work / "student", suite, attack_seed(experiment)
    )
    return TaskLife(job, materials)


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The flat figures, and each candidate's."""
    found: dict[str, Any] = {}
    for name in ("ratio_brief", "ratio_tuned"):
        low, middle, high = np.percentile([row[name] for row in rows], [25, 50, 75])
        found |= {name: round(float(middle), 3), f"{name}_quartiles": [round(float(low), 3), round(float(high), 3)]}
    order = spearmanr([row["fitness"] for row in rows], [row["fitness_tuned"] for row in rows]).statistic
    found["rank_correlation"] = round(float(order), 4) if len(rows) > 1 else None
    return {**found, "torch": torch.__version__, "machine": platform.machine(), "candidates": list(rows)}


def _rounded(spent: Spent) -> dict[str, float]:
    return {name: round(seconds, 2) for name, seconds in spent.seconds.items()}


def _line(row: dict[str, Any]) -> str:
    return f"width {row['width']}: brief {row['ratio_brief']:.1f}, tuned {row['ratio_tuned']:.2f} times rosearch"


def _in_words(found: dict[str, Any]) -> str:
    low, high = found["ratio_tuned_quartiles"]
    tuned = f"tuned {found['ratio_tuned']:.2f} [{low:.2f}, {high:.2f}]"
    return f"brief {found['ratio_brief']:.1f}, {tuned} times rosearch; ranks agree at {found['rank_correlation']}"


if __name__ == "__main__":
    main()
