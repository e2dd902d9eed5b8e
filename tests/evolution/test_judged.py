from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import replace

import pytest
from evolution.landscapes import measurements

from rosearch.config.fitness import FitnessConfig
from rosearch.evolution.fitness import Fitness, Yardstick
from rosearch.evolution.front import by_front, by_scalar
from rosearch.evolution.judged import Judged
from rosearch.measurements import Measurements
from rosearch.records.record import Record
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node

GENOTYPE = Genotype(64, 32, "mean", (Node.of("glu"),))
YARDSTICK = Yardstick(FitnessConfig(), 0.9)


def recorded(number: int, found: Measurements | None) -> Record:
    status = "failed" if found is None else "done"
    return Record(number, "candidate", 0, 0, GENOTYPE, "sample", (), number, status, found)


@pytest.fixture
def records() -> list[Record]:
    """Records of all roles and states, of which the yardstick has written down the fitness."""
    rng, made = random.Random(4), []
    for number in range(1, 60):
        found = measurements(0.5 + 0.4 * rng.random(), rng.random(), rng.random(), 2 + 20 * rng.random())
        role = "baseline" if number < 4 else "finalist" if number > 55 else "candidate"
        record = replace(recorded(number, found), role=role, judged=YARDSTICK.write(YARDSTICK.score(found)))
        made.append(record if number % 7 else replace(recorded(number, None), role=role))
    return made


def plain(records: list[Record]) -> dict[int, Fitness]:
    return {r.number: YARDSTICK.score(r.measurements) for r in records if r.measurements is not None}


def ranks(found: Judged) -> Mapping[str, list[int]]:
    best = [] if found.best is None else [found.best]
    lists = {"best": best, "front": found.front(), "highest": found.highest(), "three": found.highest(3)}
    return {name: [record.number for record in one] for name, one in lists.items()}


def expected(records: list[Record]) -> Mapping[str, list[int]]:
    fitness = plain(records)
    pairs = [(r, fitness[r.number]) for r in records if r.number in fitness and r.role == "candidate"]
    highest = [r.number for r, _ in sorted(pairs, key=lambda pair: -pair[1].scalar)]
    best, front = [r.number for r in by_scalar(pairs)][:1], [r.number for r in by_front(pairs)[0]]
    return {"best": best, "front": front, "highest": highest, "three": highest[:3]}


def test_columns_rank_as_a_look_at_each_record_does(records: list[Record]) -> None:
    found = Judged(YARDSTICK, records)
    assert dict(found) == plain(records) and len(found) == len(plain(records))
    assert ranks(found) == expected(records)
    assert any(not one.eligible for one in found.values()) and len(found.front()) > 1


@pytest.mark.parametrize(
    "written",
    ["", "[]", "null", "{", f'["{YARDSTICK.key}"]', f'["{YARDSTICK.key}", 1, 2, 3, 9e999, "", 0]']
    + [json.dumps([YARDSTICK.key, *wrong]) for wrong in ([1, 1, "1", 1, "", 0], [1, 1, 1, 1, 4, 0], [1] * 7)],
)
def test_what_is_not_written_or_of_another_shape_follows_from_the_measurements(
    records: list[Record], written: str
) -> None:
    changed = [replace(r, judged=written) if r.number == 20 else r for r in records]
    assert dict(Judged(YARDSTICK, changed)) == plain(records)
    assert ranks(Judged(YARDSTICK, changed)) == expected(records)
    assert YARDSTICK.judge(changed[19]) == plain(records)[20]


def test_what_another_yardstick_has_written_is_not_read(records: list[Record]) -> None:
    for other in (replace(YARDSTICK, teacher_quality=0.4), replace(YARDSTICK, teacher_latency_ms=3.0)):
        judged = Judged(other, records)
        assert all(judged[r.number] == other.score(r.measurements) for r in records if r.measurements is not None)


def test_without_a_teacher_nothing_is_judged(records: list[Record]) -> None:
    found = Judged(None, records)
    assert (len(found), found.best, found.front(), found.highest()) == (0, None, [], [])
    with pytest.raises(KeyError):
        found[1]
