"""How near is a training step to what the processor can do? Eight random genotypes of `robust_dag`, on one thread.

    python -m tests.benchmarks.trainer_limit [--portable] [--steps 8] [--repeats 7] [--only 0,1] [--json]

The limit of a step is the time of its matrix products (all that torch's FLOP counter counts: linear maps, convolutions,
attention, there and back), plus that of the optimiser's memory traffic. Both are timed alone: the very kernels that the
step called, on tensors of the same shape, order in memory and type, one after the other; and one fused AdamW over one
flat tensor of all dense parameters and the rows of the word table that the step touched.

`share_of_matmul` is the smallest share of the limit in the whole step over the genotypes, `share_of_matmul_mean` the
mean. The step is that of `rosearch`: rows become a batch, the student runs, `kd`'s loss is propagated back, gradients
are clipped, both optimisers step. Rows have the lengths of SST-2's training rows (mean 13 tokens). Processor time; of
each step the fastest of the repeats, in which step and limit take turns. `--portable` holds the run to AVX2 and
float32, as older processors have them. The first two genotypes have width 128, the others 192 to 512.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rosearch.config.distillation import DistillationConfig
from rosearch.data.batches import Batch, TaskRows
from rosearch.data.tokens import TokenisedSplit
from rosearch.models.products import Call, Products, make, run_alone
from rosearch.space.genotype import Genotype
from rosearch.space.loading import load_space
from rosearch.student.build import build_student
from rosearch.training.fitting import Schedule, fit
from rosearch.training.kd import LabelLoss
from rosearch.training.outputs import TeacherRows
from tests.benchmarks.without_bfloat16 import AVX2

WIDTHS = (128, 128, 192, 256, 320, 384, 448, 512)
VOCABULARY, POSITIONS, ROWS = 30_522, 64, 8 * 64
WARM = 8  # steps before the first one that is timed: an epoch, so that every row of the word table was touched before


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--portable", action="store_true", help="AVX2 and float32")
    parser.add_argument("--steps", type=int, default=8, help="of each genotype that are timed")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", default="", help="numbers of genotypes, such as 0,1; default: all eight")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.portable and (missing := AVX2.keys() - os.environ.keys()):
        environment = {**os.environ, **{name: AVX2[name] for name in missing}}
        os.execve(sys.executable, [sys.executable, "-m", "tests.benchmarks.trainer_limit", *sys.argv[1:]], environment)
    torch.set_num_threads(1)
    chosen = [int(number) for number in options.only.split(",") if number] or range(len(WIDTHS))
    drawn, rows = genotypes(), training_rows()
    precision = "float32" if options.portable else "auto"
    found = []
    for number in chosen:
        found.append(measured(drawn[number], rows, options.steps, options.repeats, precision))
        if not options.json:
            print(line(number, found[-1]), flush=True)
    result = summary(found)
    print(json.dumps(result, indent=2) if options.json else _in_words(result))


def genotypes() -> list[Genotype]:
    """The first random genotype of each of `WIDTHS`, the same at each call."""
    rng, space, found = random.Random(1), load_space("robust_dag"), list[Genotype]()
    while len(found) < len(WIDTHS):
        genotype = space.sample(rng)
        if genotype.width == WIDTHS[len(found)]:
            found.append(genotype)
    return found


def training_rows() -> TokenisedSplit:
    """Rows as long as those of SST-2's training split, of words as often as ranks have it, with labels at random."""
    rng = np.random.default_rng(1)
    lengths = np.clip(2 + rng.geometric(1 / 11, ROWS), 4, POSITIONS)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = (VOCABULARY * rng.random(offsets[-1]) ** 3).astype(np.int32)
    return TokenisedSplit("made", ids, np.zeros(len(ids), np.int8), offsets, rng.integers(0, 2, ROWS), 0, 0)


class Trial:
    """One training by `kd` from the same weights over the same batches; what each step took, or computed."""

    def __init__(self, genotype: Genotype, rows: TokenisedSplit, precision: str) -> None:
        self.student = build_student(
            genotype,
            labels=("negative", "positive"),
            problem="classification",
            vocabulary=VOCABULARY,
            positions=POSITIONS,
            token_types=2,
            pad_token_id=0,
            dropout=0.1,
            seed=1,
        )
        self.rows = rows
        self.precision = precision
        self.answers = np.random.default_rng(2).standard_normal((len(rows), 2)).astype(np.float32)
        self.loss = LabelLoss(DistillationConfig(), "classification")
        self.batches: list[Batch] = []

    def run(self, steps: int, before_step: Callable[[int], None]) -> None:
        """Train; `before_step` is called before each step, and once after the last."""
        schedule = Schedule(100, steps, 64, 5e-4, 0.1, 0.01, 1.0, self.precision)
        fit(
            self.student,
            self._losses,
            TaskRows(self.rows),
            schedule,
            device=torch.device("cpu"),
            seed=1,
            stage="trial",
            before_step=before_step,
        )
        before_step(steps)

    def _losses(self, batch: Batch) -> Iterator[Tensor]:
        self.batches.append(batch)
        teacher = TeacherRows(torch.from_numpy(self.answers[batch.rows]), None)
        yield self.loss(self.student(**batch.inputs).logits, batch, teacher)


def step_seconds(genotype: Genotype, rows: TokenisedSplit, steps: int, precision: str) -> list[float]:
    """Processor seconds of each step behind the warm ones."""
    marks: list[float] = []
    Trial(genotype, rows, precision).run(WARM + steps + 1, lambda _: marks.append(time.process_time()))
    return np.diff(marks)[WARM : WARM + steps].tolist()  # the last also tells of the losses


def products_of(genotype: Genotype, rows: TokenisedSplit, steps: int, precision: str) -> tuple[list[list[Call]], int]:
    """The products of those steps, and the values that an optimiser moves at the last of them."""
    trial, mode, ends = Trial(genotype, rows, precision), Products(), list[int]()
    with mode:
        trial.run(WARM + steps + 1, lambda _: ends.append(len(mode.calls)))
    calls = [mode.calls[start:end] for start, end in itertools.pairwise(ends)][WARM : WARM + steps]
    table = trial.student.get_input_embeddings().weight
    dense = sum(parameter.numel() for parameter in trial.student.parameters() if parameter is not table)
    touched = np.mean([len(batch.input_ids.unique()) for batch in trial.batches[WARM : WARM + steps]])
    return calls, dense + round(float(touched)) * table.shape[1]


class Flat:
    """Fused AdamW over one flat tensor: the optimiser's traffic, without what it costs to go from tensor to tensor."""

    def __init__(self, values: int) -> None:
        self.weights = torch.nn.Parameter(torch.full((values,), 0.01))
        self.weights.grad = torch.full((values,), 0.01)
        self.optimiser = torch.optim.AdamW([self.weights], fused=True)
        self.optimiser.step()

    def seconds(self) -> float:
        """Processor seconds of one update."""
        start = time.process_time()
        self.optimiser.step()
        return time.process_time() - start


def measured(genotype: Genotype, rows: TokenisedSplit, steps: int, repeats: int, precision: str) -> dict[str, Any]:
    """A step of one genotype and its limit, in milliseconds, means over the steps."""
    calls, values = products_of(genotype, rows, steps, precision)
    flat = Flat(values)
    whole, products, traffic = [], [], []
    for _ in range(repeats):
        whole.append(step_seconds(genotype, rows, steps, precision))
        products.append([run_alone(make(step), time.process_time) for step in calls])
        traffic.append([flat.seconds() for _ in range(steps)])
    step, matmul, optimiser = (1000 * float(np.min(times, axis=0).mean()) for times in (whole, products, traffic))
    return {
        "id": genotype.id,
        "width": genotype.width,
        "nodes": len(genotype.nodes),
        "products": round(len(calls[0])),
        "step_ms": round(step, 3),
        "products_ms": round(matmul, 3),
        "optimiser_ms": round(optimiser, 3),
        "share": round((matmul + optimiser) / step, 4),
    }


def summary(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The flat figures, and each genotype's."""
    shares = [one["share"] for one in found]
    return {
        "share_of_matmul": min(shares),
        "share_of_matmul_mean": round(float(np.mean(shares)), 4),
        "torch": torch.__version__,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "genotypes": list(found),
    }


def line(number: int, one: dict[str, Any]) -> str:
    """One genotype in words."""
    limit = f"products {one['products_ms']:.1f}, optimiser {one['optimiser_ms']:.1f}"
    return (
        f"{number}: width {one['width']}, {one['nodes']} nodes: {one['step_ms']:.1f} ms ({limit}): {one['share']:.0%}"
    )


def _in_words(result: dict[str, Any]) -> str:
    return f"at least {result['share_of_matmul']:.1%} of the limit, {result['share_of_matmul_mean']:.1%} in the mean"


if __name__ == "__main__":
    main()
