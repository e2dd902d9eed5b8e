"""Does a student's speed keep up with its compression? A student of some 10 M parameters against BERT-base's shape.

    python -m tests.benchmarks.student_latency [--student NAME] [--threads 2] [--portable] [--json]

Both have random weights: latency does not depend on them. The student is `nas_bert_10m`, the yield of a published
search (`rosearch.space.known`) and a legal genotype of `search_spaces/robust_dag.yaml`. `robust_dag:N` is the N-th
random genotype of that space with 9.5 to 10.5 million parameters, from 0 on.

`eager_batch1` and `eager_batch32` say how many times faster the student is, both in torch; `onnx_batch1` and
`onnx_batch32`, both in ONNX Runtime: the smaller of lengths 16 and 64. `flops_ratio` is that of their FLOPs, with all
tokens at every node, the larger of the two lengths; `onnx_batch1_of_flops` and `onnx_batch32_of_flops` compare at equal
length. `onnx_over_eager_batch1` is how many times faster the student is in ONNX Runtime than in torch.
`onnx_share_of_matmul` is the time of its plain products (an ONNX graph of nothing else) over its own, at 1 x 25.

Everything runs in one process. Rounds visit every program; a ratio is the median of the rounds' ratios of medians, and
`spread` its smallest and largest. `--portable` holds torch to AVX2; ONNX Runtime has no switch for that.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from rosearch.evaluation.efficiency import count_model_flops
from rosearch.export.product_graph import product_graph
from rosearch.models.device import machine
from rosearch.models.engines import onnx_session
from rosearch.models.graphs import graph_inputs, write_graph
from rosearch.models.products import products_of
from rosearch.models.timing import Clock, on_threads, quartiles, times_within
from rosearch.space.cost import count_parameters
from rosearch.space.genotype import Genotype
from rosearch.space.known import known_architecture
from rosearch.space.loading import load_space
from rosearch.student.build import build_student
from tests.benchmarks.without_bfloat16 import AVX2

STUDENT, NEAR = "nas_bert_10m", (9_500_000, 10_500_000)
LENGTHS, BATCHES, SHARE_TOKENS = (16, 64), (1, 32), 25
VOCABULARY = 30_522

Shape = tuple[int, int]  # texts, tokens
Programs = dict[str, Callable[[Shape], Callable[[], Any]]]
Medians = dict[tuple[str, Shape], list[float]]  # of each round, ms


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", default=STUDENT, help="a known architecture, or robust_dag:N")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of a program at a shape in a round")
    parser.add_argument("--graphs", type=Path, help="keep ONNX files here, and read those that are there")
    parser.add_argument("--portable", action="store_true", help="torch with AVX2 alone")
    parser.add_argument("--processor-time", action="store_true", help="on a shared machine, with --threads 1")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.portable and (missing := AVX2.keys() - os.environ.keys()):
        environment = {**os.environ, **{name: AVX2[name] for name in missing}}
        os.execve(
            sys.executable, [sys.executable, "-m", "tests.benchmarks.student_latency", *sys.argv[1:]], environment
        )
    torch.set_num_threads(options.threads)
    genotype = genotype_of(options.student)
    models = {"bert": bert_base(), "student": student_of(genotype)}
    with tempfile.TemporaryDirectory() as scratch:
        graphs = options.graphs or Path(scratch)
        graphs.mkdir(parents=True, exist_ok=True)
        programs = programs_of(models, {"bert": "bert_base", "student": genotype.id}, graphs, options.threads)
        clock = time.process_time if options.processor_time else time.perf_counter
        medians = measured(programs, options.rounds, options.seconds, clock)
    ratios = {f"flops_{tokens}": flops_ratio(models, tokens) for tokens in LENGTHS}
    result = summary(medians, ratios) | {
        "student": options.student,
        "genotype": genotype.to_dict(),
        "parameters": count_parameters(genotype).total,
        "machine": machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": options.threads,
        "clock": "processor" if options.processor_time else "wall",
    }
    print(json.dumps(result, indent=2) if options.json else in_words(result))


def genotype_of(name: str) -> Genotype:
    """A known architecture, or the N-th genotype of some 10 M parameters that `robust_dag` draws: `robust_dag:N`."""
    space, _, number = name.partition(":")
    if not number:
        return known_architecture(name).genotype
    drawn, rng = load_space(space), random.Random(1)
    found: list[Genotype] = []
    while len(found) <= int(number):
        genotype = drawn.sample(rng)
        if NEAR[0] <= count_parameters(genotype).total <= NEAR[1]:
            found.append(genotype)
    return found[-1]


def student_of(genotype: Genotype) -> Any:
    """A student of random weights."""
    return build_student(
        genotype,
        labels=("negative", "positive"),
        problem="classification",
        vocabulary=VOCABULARY,
        positions=512,
        token_types=2,
        pad_token_id=0,
        dropout=0.1,
        seed=1,
    ).eval()


def bert_base() -> Any:
    """A BERT of the base size with two labels and random weights."""
    torch.manual_seed(1)
    return BertForSequenceClassification(BertConfig(vocab_size=VOCABULARY)).eval()


def flops_ratio(models: Mapping[str, Any], tokens: int) -> float:
    """FLOPs of BERT over those of the student, with all tokens of all nodes."""
    return count_model_flops(models["bert"], tokens) / count_model_flops(models["student"], tokens)


def given(shape: Shape) -> dict[str, torch.Tensor]:
    """Full texts of random words."""
    ids = torch.randint(1000, VOCABULARY, shape, generator=torch.Generator().manual_seed(1))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}


def programs_of(models: Mapping[str, Any], names: Mapping[str, str], graphs: Path, threads: int) -> Programs:
    """Both models in torch and in ONNX Runtime, and the student's products in ONNX Runtime, by shape."""

    def eager(model: Any) -> Callable[[Shape], Callable[[], Any]]:
        def at(shape: Shape) -> Callable[[], Any]:
            inputs = given(shape)

            def run() -> None:
                with torch.inference_mode():
                    model(**inputs)

            return run

        return at

    def onnx(model: Any, name: str) -> Callable[[Shape], Callable[[], Any]]:
        path = graphs / f"{name}.onnx"
        if not path.is_file():
            print(f"{name}: writing ONNX ...", file=sys.stderr, flush=True)
            write_graph(model, path, {})
        run, inputs = session_of(path, threads), graph_inputs(model)
        return lambda shape: run({name: given(shape)[name].numpy() for name in inputs})

    def products(shape: Shape) -> Callable[[], Any]:
        graph, inputs = product_graph(products_of(models["student"], given(shape)))
        return session_of(graph, threads)(inputs)

    return {
        **{f"eager {kind}": eager(model) for kind, model in models.items()},
        **{f"onnx {kind}": onnx(model, names[kind]) for kind, model in models.items()},
        "onnx products": products,
    }


def session_of(graph: Path | bytes, threads: int) -> Callable[[Mapping[str, Any]], Callable[[], Any]]:
    """An ONNX file, or its bytes, on some threads: from inputs to a pass."""
    with on_threads(threads):
        session = onnx_session(graph)
    return lambda inputs: lambda: session.run(None, dict(inputs))


def measured(programs: Programs, rounds: int, seconds: float, clock: Clock) -> Medians:
    """The median of each program at each shape, round by round."""
    shapes = [*((batch, tokens) for batch in BATCHES for tokens in LENGTHS), (1, SHARE_TOKENS)]
    runs = {(name, shape): at(shape) for shape in shapes for name, at in programs.items()}
    found: Medians = {which: [] for which in runs}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds} ...", file=sys.stderr, flush=True)
        for which, run in runs.items():
            found[which].append(quartiles(times_within(run, seconds, clock))[1])
    return found


def summary(medians: Medians, flops: Mapping[str, float]) -> dict[str, Any]:
    """The flat figures, their spreads over the rounds, and the milliseconds of every program."""
    spread: dict[str, list[float]] = {}

    def over(name: str, above: tuple[str, Shape], below: tuple[str, Shape]) -> float:
        ratios = np.divide(medians[above], medians[below])
        spread[name] = [round(float(ratios.min()), 3), round(float(ratios.max()), 3)]
        return float(np.median(ratios))

    found: dict[str, float] = {}
    for runtime, batch in itertools.product(("eager", "onnx"), BATCHES):
        name, both = f"{runtime}_batch{batch}", (f"{runtime} bert", f"{runtime} student")
        by_length = {
            tokens: over(f"{name}_{tokens}", (both[0], (batch, tokens)), (both[1], (batch, tokens)))
            for tokens in LENGTHS
        }
        found[name] = min(by_length.values())
        if runtime == "onnx":
            found[f"{name}_of_flops"] = min(ratio / flops[f"flops_{tokens}"] for tokens, ratio in by_length.items())
    found["flops_ratio"] = max(flops.values())
    found["onnx_over_eager_batch1"] = min(
        over(f"onnx_over_eager_{tokens}", ("eager student", (1, tokens)), ("onnx student", (1, tokens)))
        for tokens in LENGTHS
    )
    share = (1, SHARE_TOKENS)
    found["onnx_share_of_matmul"] = over("onnx_share_of_matmul", ("onnx products", share), ("onnx student", share))
    milliseconds = {
        f"{name} {batch}x{tokens}": round(float(np.median(times)), 3)
        for (name, (batch, tokens)), times in medians.items()
    }
    return {name: round(value, 3) for name, value in found.items()} | {"spread": spread, "milliseconds": milliseconds}


def in_words(result: Mapping[str, Any]) -> str:
    """The flat figures, a line each."""
    lines = [f"{name:<24} {value}" for name, value in result.items() if isinstance(value, float)]
    return "\n".join([f"{result['student']} on {result['threads']} threads, {result['machine']}", *lines])


if __name__ == "__main__":
    main()
