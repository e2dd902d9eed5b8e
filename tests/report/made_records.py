"""Genotypes, measurements and records whose numbers follow from their arguments."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from rosearch.measurements import (
    Efficiency,
    Estimate,
    Latency,
    Measurements,
    Quality,
    Robustness,
    Training,
)
from rosearch.records.record import Failure, Record
from rosearch.space.cost import count_parameters
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node

OPERATORS = (
    ("attention", {"heads": 2, "conv": False}),
    ("ffn", {"ratio": 2, "activation": "gelu"}),
    ("conv", {"kernel": 5}),
    ("light_conv", {"kernel": 7}),
    ("glu", {}),
    ("max_pool", {"kernel": 3}),
)


def make_genotype(rng: random.Random, nodes: int = 5) -> Genotype:
    """A random DAG of the usual operators."""
    made = []
    for position in range(1, nodes + 1):
        op, settings = rng.choice(OPERATORS)
        inputs = [rng.randrange(position) for _ in range(rng.randint(1, 2))]
        made.append(Node.of(op, inputs, "add", **settings))
    return Genotype(rng.choice((128, 256)), rng.choice((32, 64)), "mean", tuple(made))


def share(value: float, n: int = 100) -> Estimate:
    """An estimate with a plausible interval."""
    return Estimate(value, max(0.0, value - 0.05), min(1.0, value + 0.05), n)


def make_measurements(
    genotype: Genotype, *, quality: float = 0.8, under_attack: float = 0.2, class_share: float = 0.5
) -> Measurements:
    """Measurements whose numbers follow from the arguments."""
    count = count_parameters(genotype)
    return Measurements(
        quality=Quality("accuracy", quality, 300, share(quality, 300), largest_class_share=class_share),
        efficiency=Efficiency(
            parameters=count.total,
            encoder_parameters=count.encoder,
            compression=22_000_000 / count.total,
            encoder_compression=10_000_000 / count.encoder,
            flops=1000,
            flops_compression=9.0,
            tokens=32,
            size_mb=4 * count.total / 1e6,
            latency=(Latency(1, 2.0, 1.9, 2.2), Latency(32, 20.0, 19.0, 22.0)),
        ),
        training=Training(10, 320, 0.5, "float32"),
        robustness=Robustness(
            "deepwordbug", 7, 100, share(quality), share(under_attack), share(0.7), share(30.0), share(0.3),
            share(under_attack / 2 + 0.1), errors=1, seconds=2.0,
        ),
    )  # fmt: skip


def make_record(number: int, genotype: Genotype, measurements: Measurements | None, **changes: object) -> Record:
    """A done candidate; `changes` replace its fields."""
    record = Record(
        number=number,
        role="candidate",
        generation=(number - 1) // 8,
        replicate=0,
        genotype=genotype,
        origin="sample",
        parents=(),
        seed=number,
        status="done",
        measurements=measurements,
        seconds={"distil": 1.5},
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def make_search(count: int) -> Sequence[Record]:
    """A run of so many candidates, then a failed one, a pending one, a baseline and a finalist."""
    rng = random.Random(count)
    records = []
    for number in range(1, count + 1):
        genotype = make_genotype(rng)
        attention = sum(node.op == "attention" for node in genotype.nodes)
        measured = make_measurements(
            genotype,
            quality=0.7 + 0.2 * rng.random(),
            under_attack=0.1 + 0.05 * attention + 0.05 * rng.random(),
        )
        records.append(make_record(number, genotype, measured))
    spare = make_genotype(rng)
    measured = make_measurements(spare, quality=0.99, under_attack=0.9)
    nan = Failure("nan", "distil", "the loss is nan,\nat step 3")
    return [
        *records,
        make_record(count + 1, spare, None, status="failed", failure=nan),
        make_record(count + 2, spare, None, status="pending", seconds={}),
        make_record(count + 3, spare, measured, role="baseline", name="tinybert4", generation=-1),
        make_record(count + 4, spare, measured, role="finalist", generation=-1, replicate=1),
    ]
