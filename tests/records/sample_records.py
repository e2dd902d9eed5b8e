"""Records for the tests, small and all different; also used by the drivers that tests kill."""

from __future__ import annotations

from rosearch.measurements import Efficiency, Estimate, Measurements, Quality, Training
from rosearch.records.record import Failure, Outcome, Record
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node

FAILED = Outcome(None, Failure("nan", "distil", "loss is nan"), {"distil": 0.5})


def measured(value: float = 0.9) -> Outcome:
    quality = Quality("accuracy", value, 100, Estimate(value, value - 0.1, value + 0.1, 100))
    efficiency = Efficiency(1000, 800, 9.5, 10.5, 4000, 11.5, 32, 0.25)
    return Outcome(Measurements(quality, efficiency, Training(10, 320, 0.7, "float32")), None, {"build": 0.25})


def pending(number: int, generation: int = 0, **changes: object) -> Record:
    fields = {
        "number": number,
        "role": "candidate",
        "generation": generation,
        "replicate": 0,
        "genotype": chain(number),
        "origin": "sample",
        "parents": (),
        "seed": number,
        "status": "pending",
    }
    return Record(**(fields | changes))


def generation_of(index: int, size: int = 4) -> list[Record]:
    """Generation `index`: numbers follow those of the one before."""
    return [pending(index * size + offset + 1, index) for offset in range(size)]


def chain(number: int) -> Genotype:
    """A chain of convolutions that spells a number: one architecture for each."""
    nodes = [Node.of("ffn", ratio=1.0)]
    while number:
        nodes.append(Node.of("conv", (len(nodes),), kernel=3 if number & 1 else 5))
        number >>= 1
    return Genotype(64, 32, "mean", tuple(nodes))
