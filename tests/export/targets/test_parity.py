"""Every part that a student may have answers in every format as it does in torch, at twelve sizes of its inputs.

The parts are those of the registries. Most run with the slow tests; a student of all parts is in the default suite.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from export.classifiers import FAMILIES, Problem, as_good, exported_model, exported_student
from export.saved_student import GENOTYPE
from student.small_students import OPERATION_CASES

from rosearch.export.facts import read_facts
from rosearch.export.formats import FORMATS, Measured
from rosearch.export.runners import open_runner
from rosearch.export.targets import parity
from rosearch.models.engines import ENGINES, EXACT
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node
from rosearch.student.lexicon import LEXICONS
from rosearch.student.modeling_rosearch import POOLINGS
from rosearch.student.operations import MERGES, OPERATIONS

ROWS = [("a very good film",), ("bad " * 40,), ("text",)]
MARKS: dict[str, Any] = {"openvino": pytest.mark.openvino}
QUICK = ("onnx", "torch_export")  # in the default suite; the others are made of the ONNX file


def with_characters(genotype: Genotype, characters: str) -> Genotype:
    return genotype.with_(source=tuple({**genotype.source_setting, "characters": characters}.items()))


def chain(op: str) -> Genotype:
    """An operation with every value of its settings, one after the other."""
    cases = [settings for name, settings in OPERATION_CASES if name == op]
    return Genotype(16, 8, "mean", tuple(Node.of(op, (place,), **one) for place, one in enumerate(cases)))


def merged(merge: str) -> Genotype:
    nodes = (
        Node.of("ffn", ratio=1.0, activation="gelu"),
        Node.of("glu", (0, 1), merge),
        Node.of("glu", (0, 1, 2), merge),
    )
    return Genotype(16, 8, "first", nodes)


ALL = with_characters(GENOTYPE, "ngrams")  # every operation and merge, attention pooling, characters
PARTS: dict[str, Genotype] = {
    **{op: chain(op) for op in OPERATIONS},
    **{f"merge {merge}": merged(merge) for merge in MERGES},
    **{f"pooling {pooling}": replace(merged("add"), pooling=pooling) for pooling in POOLINGS},
    **{f"characters {name}": with_characters(merged("add"), name) for name in LEXICONS},
}


def cases() -> Iterator[Any]:
    for name, (part, genotype) in product(FORMATS, PARTS.items()):
        yield pytest.param(name, genotype, marks=MARKS.get(name, pytest.mark.slow), id=f"{name}-{part}")
    for name in FORMATS:
        yield pytest.param(
            name, ALL, marks=MARKS.get(name, () if name in QUICK else pytest.mark.slow), id=f"{name}-all"
        )


def slow_rows(names: Iterable[str]) -> Iterator[Any]:
    """Formats among the slow tests, but for those that are run by a mark of their own."""
    for name in sorted(names):
        yield pytest.param(name, marks=MARKS.get(name, pytest.mark.slow))


@pytest.mark.parametrize(("name", "genotype"), [*cases()])
def test_every_part_of_a_student_answers_as_torch_does_at_every_size(
    name: str, genotype: Genotype, tmp_path: Path
) -> None:
    answers_as_torch(name, exported_student(tmp_path, genotype))


@pytest.mark.parametrize("name", [*slow_rows(FORMATS)])
@pytest.mark.parametrize("family", FAMILIES)
def test_layers_of_each_family_answer_as_torch_does(name: str, family: str, tmp_path: Path) -> None:
    answers_as_torch(name, exported_model(tmp_path, family))


@pytest.mark.parametrize("name", [*slow_rows(FORMATS.keys() - {"transformersjs"})])  # which refuses a regression
def test_a_regression_gives_its_score(name: str, tmp_path: Path) -> None:
    answers_as_torch(name, exported_student(tmp_path, merged("add"), "regression"))


def answers_as_torch(name: str, folder: Path) -> None:
    """Writes a format and asks it as a user does."""
    written = FORMATS[name].export(folder, Measured(as_good))
    assert written.path == folder / ENGINES[name].file and written.path.is_file()
    facts = read_facts(folder)
    expected = open_runner(folder, "hf", facts).logits(ROWS)
    got = open_runner(folder, name, facts).logits(ROWS)
    if ENGINES[name].apart == EXACT:
        assert written.apart < 1e-5
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-5)
    elif name == "fp16":
        np.testing.assert_allclose(got, expected, rtol=2e-2, atol=1e-2)
    else:  # quantised: its own gates hold it; a text answers as it does alone
        alone = np.concatenate([open_runner(folder, name, facts).logits([row]) for row in ROWS])
        np.testing.assert_array_equal(got, alone)
        assert np.abs(got - expected).max() < 0.5


def test_the_registries_are_in_the_suite_whole() -> None:
    assert {node.op for part in PARTS.values() for node in part.nodes} >= {*OPERATIONS}
    assert {node.op for node in ALL.nodes} == {*OPERATIONS, "identity"}
    assert {node.merge for node in ALL.nodes if len(node.inputs) > 1} == {*MERGES}
    assert {part.pooling for part in PARTS.values()} == {*POOLINGS}
    assert {*get_args(Problem)} == {"classification", "regression"}


def test_the_gate_holds_twelve_sizes_from_one_token_to_the_longest_text() -> None:
    model = FAMILIES["bert"]()
    sizes = [tuple(inputs[0].shape) for inputs in parity.samples(model, 24)]
    assert len({*sizes}) == 12 and {(1, 1), (1, 24), (32, 1), (32, 24)} < {*sizes}
