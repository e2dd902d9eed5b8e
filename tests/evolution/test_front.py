from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deap import base, tools
from hypothesis import given
from hypothesis import strategies as st

from rosearch.evolution.fitness import Fitness
from rosearch.evolution.front import by_front, by_scalar, front_of
from rosearch.records.record import Record
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node

GENOTYPE = Genotype(64, 32, "mean", (Node.of("glu"),))
# Few values: ties and equal points are the cases in which sorts differ.
TERM = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1))
POINTS = st.lists(st.tuples(st.none() | TERM, TERM, TERM, TERM, st.booleans()), max_size=25)


class Objectives(base.Fitness):  # type: ignore[misc]
    weights = (1.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Individual:
    fitness: Any
    pair: tuple[Record, Fitness]


def scored(points: list[tuple[float | None, float, float, float, bool]]) -> list[tuple[Record, Fitness]]:
    pairs = []
    for number, (robustness, accuracy, efficiency, scalar, gated) in enumerate(points, start=1):
        gates = ("min_quality",) if gated else ()
        record = Record(number, "candidate", 0, 0, GENOTYPE, "sample", (), number, "done")
        pairs.append((record, Fitness(robustness, accuracy, efficiency, scalar, gates, 0.1 if gated else 0.0)))
    return pairs


@given(POINTS)
def test_the_fronts_are_those_of_deap_in_the_same_order(points: list[Any]) -> None:
    pairs = scored(points)
    individuals = [Individual(Objectives(pair[1].objectives), pair) for pair in pairs if pair[1].eligible]
    expected = [by_scalar(one.pair for one in front) for front in tools.sortNondominated(individuals, len(individuals))]
    assert [[r.number for r in front] for front in by_front(pairs)] == [[r.number for r in front] for front in expected]


@given(POINTS)
def test_the_first_front_alone_is_that_of_all_fronts(points: list[Any]) -> None:
    pairs = scored(points)
    assert front_of(pairs) == [record for front in by_front(pairs)[:1] for record in front]


def test_of_equal_scalars_the_earlier_proposal_comes_first() -> None:
    pairs = scored([(0.5, 0.5, 0.5, 0.5, False), (0.5, 0.5, 0.5, 0.7, False), (0.5, 0.5, 0.5, 0.5, False)])
    assert [[record.number for record in front] for front in by_front(pairs[::-1])] == [[2, 1, 3]]
