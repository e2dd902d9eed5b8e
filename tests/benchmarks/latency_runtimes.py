"""Does the runtime in which students are timed change which of them is fast?

    python -m tests.benchmarks.latency_runtimes [--space robust_dag] [--students 12] [--tokens 32] [--json]

Students are random genotypes of a search space with random weights, timed as `evaluation.efficiency.runtime` has it:
in torch (`eager`) and as graphs in ONNX Runtime (`onnx`), at one text. Rounds visit every student in both. Kendall's
tau says how alike two of the rankings are: by eager latency, by that of ONNX Runtime, by FLOPs. `graph_s` is the
processor time to make a student's graph, which a search spends once an architecture.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from scipy.stats import kendalltau

from rosearch.config.evaluation import EfficiencyConfig
from rosearch.config.shipped import SPACES
from rosearch.evaluation.efficiency import count_model_flops, in_runtime
from rosearch.models.device import machine
from rosearch.models.timing import Clock, pass_times, quartiles
from rosearch.randomness import generator
from rosearch.space.genotype import Genotype
from rosearch.space.loading import load_space
from rosearch.student.build import build_student

RUNTIMES = ("eager", "onnx")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="robust_dag", help="a search space")
    parser.add_argument("--students", type=int, default=12)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processor-time", action="store_true", help="on a shared machine, with --threads 1")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    space = load_space(SPACES.find(options.space))
    genotypes = [space.sample(generator(number, "latency_runtimes")) for number in range(options.students)]
    clock = time.process_time if options.processor_time else time.perf_counter
    found = {"machine": machine(), "threads": options.threads, "tokens": options.tokens}
    found |= measured(genotypes, options.tokens, options.rounds, clock)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    for student in found["students"]:
        print("  ".join(f"{name} {value:,.2f}" for name, value in student.items()))
    print("  ".join(f"{name} {value:.2f}" for name, value in found["tau"].items()))


def measured(genotypes: Sequence[Genotype], tokens: int, rounds: int, clock: Clock) -> dict[str, Any]:
    """The latencies of each student in both runtimes, and how alike they rank."""
    students = [student_of(genotype, tokens) for genotype in genotypes]
    ids = torch.arange(tokens).reshape(1, tokens)
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    graphs, seconds = [], []
    for number, student in enumerate(students):
        print(f"graph {number + 1} of {len(students)} ...", file=sys.stderr, flush=True)
        begun = time.process_time()
        graphs.append(in_runtime(student, EfficiencyConfig(tokens=tokens, runtime="onnx")))
        seconds.append(time.process_time() - begun)
    forms = dict(zip(RUNTIMES, (students, graphs), strict=True))
    times: dict[str, list[list[float]]] = {name: [[] for _ in students] for name in RUNTIMES}
    with torch.inference_mode():
        for _ in range(rounds):
            for name, models in forms.items():
                for kept, model in zip(times[name], models, strict=True):
                    kept += pass_times(lambda model=model: model(**given), warmup=2, repeats=10, clock=clock)
    columns = {
        "flops": [float(count_model_flops(student, tokens)) for student in students],
        **{f"{name}_ms": [quartiles(one)[1] for one in times[name]] for name in RUNTIMES},
    }
    pairs = combinations(columns, 2)
    return {
        "tau": {f"{one}, {other}": float(kendalltau(columns[one], columns[other])[0]) for one, other in pairs},
        "onnx_over_eager": float(np.median(np.divide(columns["eager_ms"], columns["onnx_ms"]))),
        "graph_s": float(np.median(seconds)),
        "students": [
            {"graph_s": spent, **{name: values[number] for name, values in columns.items()}}
            for number, spent in enumerate(seconds)
        ],
    }


def student_of(genotype: Genotype, tokens: int) -> Any:
    """A student with random weights in evaluation mode."""
    return build_student(
        genotype,
        labels=("0", "1"),
        problem="classification",
        vocabulary=30522,
        positions=tokens,
        token_types=1,
        pad_token_id=0,
        dropout=0.0,
        seed=1,
    ).eval()


if __name__ == "__main__":
    main()
