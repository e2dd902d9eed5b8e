"""How robust are students, by how they were distilled? One task, several arms, equal rows for all, clean and attacked.

    python -m tests.benchmarks.robust_distillation experiments/robustness/sst2.yaml --data-root FOLDER \
        --resources FOLDER --arm plain,kd,wordpiece --arm robust,robust_kd,typos+synonyms

An arm is NAME,METHOD,ENCODING and then any KEY=VALUE of the experiment, parted by ;. Arms differ in nothing else. Each
student is a `rosearch distil` of its own below `--runs`, so that an interrupted run goes on; figures are of test
rows that no training and no choice has seen. The JSON is a list with one object for each student: arm, task, seed,
parameters, compression (against BERT-base's 109.48 M, all weights), compression_layers (against its layers' 85.05 M),
clean (on all test rows), and of each attack the accuracy under it with its interval, and its success rate.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

import rosearch.student  # noqa: F401  (its import teaches the Auto classes our students)
from rosearch.attack import attack
from rosearch.config.experiment import Experiment
from rosearch.config.file import load_experiment
from rosearch.data.loading import load_task, task_seed
from rosearch.distil import Options, distil_student
from rosearch.distil.inputs import find_student
from rosearch.evaluation.robustness import Suite
from rosearch.models.saved import load_tokenizer

_SEED = 7  # of the attacked rows and letters: one for all arms
ATTACKS = ["deepwordbug", "synonym-swap", "pwws", "textbugger-lite"]


def main(arguments: list[str] | None = None) -> None:
    """Run all arms and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--arm", action="append", required=True, metavar="NAME,METHOD,ENCODING[,KEY=VALUE;...]")
    parser.add_argument("--student", default="layers:0,2,4,5")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--attacks", nargs="+", default=ATTACKS)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--resources", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs/robust_distillation"))
    parser.add_argument("-o", "--override", action="append", default=[], metavar="KEY=VALUE", help="of every arm")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = [run(options, arm.split(",", 3), seed) for arm in options.arm for seed in options.seeds]
    print(json.dumps(rows, indent=1))


def run(options: argparse.Namespace, arm: list[str], seed: int) -> dict[str, Any]:
    """One student: distilled where it is not there yet, then attacked where it was not yet."""
    name, method, encoding, *rest = arm
    more = [change for part in rest for change in part.split(";")]
    resources = [f"evaluation.robustness.resources={options.resources}"] if options.resources else []
    overrides = (f"distillation.method={method}", *more, *options.override, *resources)
    experiment = load_experiment(options.experiment, overrides, options.data_root)
    folder = options.runs / f"{experiment.name}-{name}-{seed}"
    if not (folder / "distillation.json").is_file():
        print(f"{folder.name}: distilling ...", file=sys.stderr, flush=True)
        student = find_student(options.student, encoding)
        distil_student(experiment, student, folder, Options(seed, True, options.runs / "cache"))
    record = json.loads((folder / "distillation.json").read_text(encoding="utf-8"))
    return {
        "arm": name,
        "task": experiment.name,
        "seed": seed,
        "parameters": record["efficiency"]["parameters"],
        "compression": record["compression"]["bert_base"],
        "compression_layers": record["compression"]["bert_base_encoder"],
        "clean": record["quality"]["test"]["student"]["value"],
        "teacher": record["quality"]["test"]["teacher"]["value"],
        **attacked(options, experiment, folder),
    }


def attacked(options: argparse.Namespace, experiment: Experiment, folder: Path) -> dict[str, Any]:
    """Accuracy under each attack on the same sample of test rows; kept beside the student."""
    kept = folder / f"attacked-{options.rows}-{'-'.join(options.attacks)}.json"
    if not kept.is_file():
        print(f"{folder.name}: attacking ...", file=sys.stderr, flush=True)
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        tokenizer = load_tokenizer(folder)
        split = load_task(experiment.task, task_seed(experiment)).test
        rows = [(text[0] if len(text) == 1 else text, int(label)) for text, label in zip(split.texts, split.labels)]
        suite = Suite(tuple(options.attacks), options.rows)
        cache = options.runs / "cache"
        result = attack(model, tokenizer, rows, suite, seed=_SEED, resources=options.resources, cache=cache)
        found: dict[str, Any] = {"rows": result.worst.n}
        for one in (*result.attacks, result.worst):
            label = "worst_case" if one is result.worst else one.attack
            value = one.under_attack
            found[label] = value.value
            found[f"{label}_interval"] = [value.low, value.high]
            found[f"{label}_success"] = one.success_rate.value
        kept.write_text(json.dumps(found), encoding="utf-8")
    stored: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return stored


if __name__ == "__main__":
    main()
