"""Measurements without training: a synthetic landscape over genotypes, and runs of strategies on it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from rosearch.config.evolution import EvolutionConfig
from rosearch.config.fitness import FitnessConfig
from rosearch.evolution.fitness import Fitness, Yardstick
from rosearch.evolution.registry import make_strategy
from rosearch.evolution.strategy import Strategy
from rosearch.measurements import Efficiency, Estimate, Measurements, Quality, Robustness, Training
from rosearch.records.record import Failure, Proposal, Record
from rosearch.space.cost import count_parameters
from rosearch.space.genotype import Genotype
from rosearch.space.loading import load_space
from rosearch.space.search_space import SearchSpace
from rosearch.space.size_limit import SizeLimit
from rosearch.space.space import Space

TEACHER_PARAMETERS = 109_482_240
SPACES = Path(__file__).parents[2] / "search_spaces"
DAG = load_space(SPACES / "robust_dag.yaml")
ENCODERS = load_space(SPACES / "kd_nas.yaml")
SMALL = SearchSpace(  # 9 architectures: one node, or two in a chain or side by side, of two operations
    name="small",
    min_nodes=1,
    max_nodes=2,
    max_inputs=1,
    merges=("add",),
    widths=(64,),
    ranks=(32,),
    poolings=("mean",),
    operations={"glu": {}, "conv": {"kernel": (3,)}},
    vocabulary=30522,
    min_parameters=1,
    max_parameters=10_000_000,
)

Outcome = Measurements | Failure
Landscape = Callable[[Genotype], Outcome]


def measurements(
    quality: float = 0.85,
    under_attack: float = 0.2,
    words: float = 0.3,
    compression: float = 5.0,
    share: float | None = 0.5,
    attacked: bool = True,
) -> Measurements:
    def estimate(value: float) -> Estimate:
        return Estimate(value, max(value - 0.1, 0.0), min(value + 0.1, 1.0), 100)

    robustness = Robustness(
        "deepwordbug",
        1,
        100,
        estimate(quality),
        estimate(under_attack),
        estimate(1 - under_attack),
        estimate(30.0),
        estimate(words),
        estimate(words),
        0,
        1.0,
    )
    parameters = round(TEACHER_PARAMETERS / compression)
    return Measurements(
        Quality("accuracy", quality, 300, estimate(quality), largest_class_share=share),
        Efficiency(parameters, parameters // 2, compression, compression, 10**9, compression / 2, 32, 50.0),
        Training(10, 320, 0.5, "float32"),
        robustness if attacked else None,
    )


def score(
    found: Measurements, config: FitnessConfig, teacher_quality: float, teacher_latency_ms: float | None = None
) -> Fitness:
    return Yardstick(config, teacher_quality, teacher_latency_ms).score(found)


def hilly(genotype: Genotype) -> Measurements:
    """Quality from depth and mixed operations, robustness from attention after convolution and merged inputs.

    A little of both hangs on the id, as luck in training does.
    """
    luck = random.Random(genotype.id).gauss(0.0, 0.01)
    ops = [node.op for node in genotype.nodes]
    kinds = {op for op in ops if not op.endswith("pool") and op != "identity"}
    edges = [(ops[read - 1] if read else "source", op) for op, node in zip(ops, genotype.nodes) for read in node.inputs]
    mixed = sum(first.endswith("conv") and second == "attention" for first, second in edges) / len(ops)
    merged = sum(len(node.inputs) > 1 and node.merge == "gate" for node in genotype.nodes) / len(ops)
    quality = 0.6 + 0.03 * len(kinds) + 0.08 * ("attention" in kinds) + 0.0001 * genotype.width + luck
    words = 0.1 + 0.5 * min(mixed, 0.6) + 0.4 * merged + 0.1 * (genotype.pooling == "mean") + luck
    parameters = count_parameters(genotype, vocabulary=30522).total
    return measurements(
        quality=min(quality, 1.0),
        words=min(max(words, 0.0), 1.0),
        compression=TEACHER_PARAMETERS / parameters,
    )


def smooth(genotype: Genotype) -> Measurements:
    """Quality from attention and size, robustness from a share of convolutions: what a few dozen outcomes teach."""
    ops = [node.op for node in genotype.nodes]
    parameters = count_parameters(genotype, vocabulary=30522).total
    convolutions, attention = (sum(op.endswith(kind) for op in ops) / len(ops) for kind in ("conv", "attention"))
    return measurements(
        quality=0.7 + 0.1 * min(3 * attention, 1.0) + 0.1 * min(parameters / 2e7, 1.0),
        words=0.1 + 1.6 * convolutions * (1 - convolutions),
        compression=TEACHER_PARAMETERS / parameters,
    )


def evolution(strategy: str, **changes: object) -> EvolutionConfig:
    controller = {"exploration_step": 0.3, "passes": 5}  # kd_nas alone reads it
    defaults = {"strategy": strategy, "candidates": 24, "population": 8, "kd_nas": controller, "offspring": 2}  # quick
    return EvolutionConfig.model_validate(defaults | changes)


def build(
    strategy: str | EvolutionConfig,
    space: Space | None = None,
    seed: int = 1,
    fitness: FitnessConfig | None = None,
    teacher_quality: float = 0.9,
    limit: SizeLimit | None = None,
) -> Strategy:
    """A strategy on a space of graphs, where it searches those, unless another `space` is given."""
    config = evolution(strategy) if isinstance(strategy, str) else strategy
    space = space or (ENCODERS if config.strategy == "kd_nas" else DAG)
    return make_strategy(config, space, seed, Yardstick(fitness or FitnessConfig(), teacher_quality), limit)


def answer(proposals: Sequence[Proposal], generation: int, first: int, landscape: Landscape) -> list[Record]:
    """The records of a generation whose numbers start at `first`."""
    records = []
    for number, proposal in enumerate(proposals, start=first):
        outcome = landscape(proposal.genotype)
        done = isinstance(outcome, Measurements)
        records.append(
            Record(
                number,
                "candidate",
                generation,
                0,
                proposal.genotype,
                proposal.origin,
                proposal.parents,
                number,
                "done" if done else "failed",
                outcome if isinstance(outcome, Measurements) else None,
                outcome if isinstance(outcome, Failure) else None,
            )
        )
    return records


def run(strategy: Strategy, landscape: Landscape = hilly, generations: int = 1000) -> list[list[Record]]:
    """Asks and tells until the strategy is finished; the records of each generation."""
    told: list[list[Record]] = []
    while not strategy.finished and len(told) < generations:
        first = sum(map(len, told)) + 1
        told.append(answer(strategy.ask(), strategy.generation, first, landscape))
        strategy.tell(told[-1])
    return told


def failing(genotype: Genotype) -> Failure:
    return Failure("nan", "distil", "the loss is not finite")


def run_steadily(
    strategy: Strategy, landscape: Landscape = hilly, workers: int = 4, seed: int = 1, most: int = 10_000
) -> tuple[list[Record], list[int]]:
    """A steady search with so many workers, which are done in an order drawn by `seed`, until `most` are told.

    Gives all records by number, with the outcomes told before each as its generation, and the numbers as they were
    told. Those under way at the end are pending.
    """
    rng, records, under_way, order = random.Random(seed), {}, [], []
    while len(order) < most:
        while len(under_way) < workers and (proposal := strategy.ask_one()) is not None:
            (record,) = answer([proposal], len(order), len(records) + 1, landscape)
            records[record.number] = record
            under_way.append(record.number)
            strategy.begin(pending(record))
        if not under_way:
            break
        order.append(under_way.pop(rng.randrange(len(under_way))))
        strategy.tell_one(records[order[-1]])
    return [pending(record) if number in under_way else record for number, record in records.items()], order


def pending(record: Record) -> Record:
    """The record before its outcome."""
    return replace(record, status="pending", measurements=None, failure=None)
