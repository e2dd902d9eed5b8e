"""Which robustness measure ranks students best at equal cost? On the students of finished runs.

    python -m tests.benchmarks.fitness_ranking RUN [RUN ...] --data-root DATA --resources FOLDER [--json]

The truth that each measure is held against is the worst case of a report that no measure has seen: other rows (the
test split), another seed, and attacks of which all but one are not used by any measure. Cost is texts that the model
has to score. For each budget, each measure gets as many rows of the validation split as it can pay for, drawn
together for all students; Kendall's tau of its ranking with the truth is averaged over the draws.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.stats import kendalltau
from transformers import AutoTokenizer

from rosearch.config.experiment import Experiment
from rosearch.config.file import load_experiment
from rosearch.data.loading import load_task, task_seed
from rosearch.data.tasks import Split
from rosearch.evaluation.attacks.engine.single_swaps import single_swap_margins
from rosearch.evaluation.attacks.prepared import prepare_attack
from rosearch.evaluation.attacks.result import words_to_break
from rosearch.evaluation.attacks.victim import Victim
from rosearch.evaluation.quality import inference
from rosearch.evaluation.robustness import Suite, measure_robustness, sample_rows
from rosearch.randomness import generator
from rosearch.records.run_directory import RunDirectory
from rosearch.resources.resources import Resources
from rosearch.student.modeling_rosearch import StudentForSequenceClassification

Values = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class Measured:
    """One student: of each measure the values and the cost of each row, and the truth."""

    values: dict[str, Values]  # (rows,)
    texts: dict[str, Values]  # (rows,)
    truth: dict[str, float]


def measure(
    victim: Victim, found: Split, report: Split, options: argparse.Namespace, attacks: Sequence[str]
) -> Measured:
    """Everything of one student."""
    resources, cache = Resources(options.resources), options.cache
    chosen = sample_rows(len(found), options.rows, options.seed)
    texts, labels = [found.texts[row] for row in chosen], [int(found.labels[row]) for row in chosen]
    values: dict[str, Any] = {}
    costs: dict[str, Any] = {}
    with inference(victim.model, victim.device):
        for name in attacks:
            attack = prepare_attack(name, texts, options.seed, victim, resources, cache)
            rows = attack.run(victim, labels)
            cost = np.array([row.distinct for row in rows], np.float64)
            values["clean accuracy"] = np.array([row.outcome != "misclassified" for row in rows], np.float64)
            costs["clean accuracy"] = np.ones(len(rows))
            values[f"{name}: accuracy under attack"] = np.array([row.outcome == "survived" for row in rows], np.float64)
            values[f"{name}: words to break"] = np.array([words_to_break(row) for row in rows])
            margins, scored = single_swap_margins(attack, victim, labels)
            values[f"{name}: single-swap worst case"] = (margins > 0).astype(np.float64)
            values[f"{name}: single-swap margin"] = margins
            for kind in ("accuracy under attack", "words to break"):
                costs[f"{name}: {kind}"] = cost
            for kind in ("single-swap worst case", "single-swap margin"):
                costs[f"{name}: {kind}"] = scored.astype(np.float64)
    suite = Suite(tuple(options.report), options.report_rows)
    worst = measure_robustness(
        victim, report.texts, report.labels, suite, seed=options.seed + 1, resources=resources, cache=cache
    ).worst
    truth = {"accuracy under attack": worst.under_attack.value, "words to break": worst.words_to_break.value}
    return Measured(values, costs, truth)


def rank(
    measured: Sequence[Measured], budgets: Sequence[int], truth: str, draws: int, seed: int
) -> list[dict[str, Any]]:
    """Kendall's tau-b with the truth, mean and 95 % range over the draws, for each measure and budget."""
    told = [one.truth[truth] for one in measured]
    results = []
    for name in measured[0].values:
        values = np.stack([one.values[name] for one in measured])  # (students, rows)
        price = float(np.mean([one.texts[name].mean() for one in measured]))
        for budget in budgets:
            rows = min(values.shape[1], max(2, round(budget / price)))
            rng = np.random.default_rng(generator(seed, f"draws of {name}").getrandbits(63))
            taus = []
            for _ in range(draws):
                drawn = rng.choice(values.shape[1], rows, replace=False)
                tau = kendalltau(values[:, drawn].mean(axis=1), told).statistic
                taus.append(0.0 if np.isnan(tau) else float(tau))
            low, high = np.percentile(taus, [2.5, 97.5])
            results.append(
                {
                    "measure": name,
                    "budget": budget,
                    "rows": rows,
                    "all_rows": rows == values.shape[1],
                    "texts_per_row": round(price, 1),
                    "tau": float(np.mean(taus)),
                    "low": float(low),
                    "high": float(high),
                }
            )
    return results


def students_of(runs: Sequence[Path]) -> list[tuple[str, Path, Path]]:
    """Name, weights and tokenizer of all students that the runs have kept; each weights file once."""
    found = {}
    for run in runs:
        for folder in sorted((run / "students").iterdir()):
            if (folder / "model.safetensors").exists():
                size = (folder / "model.safetensors").read_bytes()
                found.setdefault(hash(size), (f"{run.name}/{folder.name}", folder, run / "tokenizer"))
    return list(found.values())


def _victim(folder: Path, tokenizer: Path, experiment: Experiment) -> Victim:
    model = StudentForSequenceClassification.from_pretrained(folder)
    return Victim(model, AutoTokenizer.from_pretrained(tokenizer), experiment.task.max_length, torch.device("cpu"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, rank, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--experiment", type=Path, required=True, help="the task: an experiment file")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--resources", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".rosearch"))
    parser.add_argument("--attacks", nargs="+", default=["deepwordbug"], help="what the measures are made of")
    parser.add_argument(
        "--report", nargs="+", default=["deepwordbug", "synonym-swap"], help="what the truth is made of"
    )
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--report-rows", type=int, default=500)
    parser.add_argument("--budgets", type=int, nargs="+", default=[500, 1000, 2000, 4000])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    experiment = load_experiment(options.experiment, (), options.data_root)
    task = load_task(experiment.task, task_seed(experiment))
    measured, names = [], []
    for name, folder, tokenizer in students_of([RunDirectory.open(run).path for run in options.runs]):
        measured.append(
            measure(_victim(folder, tokenizer, experiment), task.validation, task.test, options, options.attacks)
        )
        names.append(name)
        print(f"{name}: {measured[-1].truth}", file=sys.stderr, flush=True)
    result = {
        "students": len(names),
        "report": options.report,
        "truth": {name: one.truth for name, one in zip(names, measured, strict=True)},
        "ranking": {
            truth: rank(measured, options.budgets, truth, options.draws, options.seed) for truth in measured[0].truth
        },
    }
    if options.json:
        print(json.dumps(result, indent=1))
        return
    for truth, rows in result["ranking"].items():  # type: ignore[attr-defined]
        table = Table(title=f"Kendall's tau with {truth} (worst of {', '.join(options.report)}), {len(names)} students")
        for heading in ("measure", "texts a row", *(f"{budget} texts" for budget in options.budgets)):
            table.add_column(heading)
        for measure_name in measured[0].values:
            cells = [row for row in rows if row["measure"] == measure_name]
            shown = [f"{cell['tau']:.2f} [{cell['low']:.2f}, {cell['high']:.2f}] n={cell['rows']}" for cell in cells]
            table.add_row(measure_name, str(cells[0]["texts_per_row"]), *shown)
        Console(width=160).print(table)


if __name__ == "__main__":
    main()
