"""Errors carry what they say in parts, cross processes, and are collected."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Iterator

import pytest

import rosearch
from rosearch.errors import (
    BadInput,
    CandidateFailed,
    MissingResource,
    Problem,
    Problems,
    RosearchError,
    RunError,
    gather,
    one_line,
)

ONE, TWO = Problem("a.yaml", "task", "a name", "none"), Problem("b.yaml", "", "a file", "a folder", "name another")


def subclasses(kind: type[RosearchError]) -> Iterator[type[RosearchError]]:
    yield kind
    for one in kind.__subclasses__():
        yield from subclasses(one)


def example(kind: type[RosearchError]) -> RosearchError:
    made: dict[type[RosearchError], tuple[object, ...]] = {
        BadInput: ([ONE, TWO],),
        MissingResource: ("there is no folder x", "give a local one", "teacher.model"),
        CandidateFailed: ("nan", "the loss is not finite", "distil"),
    }
    return kind(*made.get(kind, ("it failed",)))


def test_every_error_of_the_package_comes_out_of_a_pickle_as_it_went_in() -> None:
    for module in pkgutil.walk_packages(rosearch.__path__, "rosearch."):
        if not module.name.startswith("rosearch.report.figures"):
            importlib.import_module(module.name)
    kinds = [kind for kind in subclasses(RosearchError) if not inspect.isabstract(kind)]
    assert {BadInput, MissingResource, CandidateFailed, RunError} <= set(kinds)
    for kind in kinds:
        error = example(kind)
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), vars(copy)) == (kind, str(error), vars(error))


def test_a_missing_resource_says_who_asks_what_is_absent_and_what_to_do() -> None:
    error = MissingResource("there is no folder x", "give a local one", "teacher.model")
    assert str(error) == "teacher.model: there is no folder x; give a local one"
    assert (error.where, error.what, error.advice) == ("teacher.model", "there is no folder x", "give a local one")
    assert str(MissingResource("figures need matplotlib")) == "figures need matplotlib"


def test_problems_of_all_checks_are_raised_together_and_once_each() -> None:
    problems = Problems()
    for found in (ONE, TWO, ONE):
        with problems:
            raise BadInput(found)
    problems.add(TWO)
    with pytest.raises(BadInput) as caught:
        problems.raise_found()
    assert caught.value.problems == (ONE, TWO)


def test_without_problems_nothing_is_raised() -> None:
    problems = Problems()
    with problems:
        pass
    problems.raise_found()
    assert problems.found == []


def test_errors_of_another_kind_are_not_collected() -> None:
    problems = Problems()
    with pytest.raises(MissingResource), problems:
        raise MissingResource("no network")
    with pytest.raises(KeyboardInterrupt), problems:
        raise KeyboardInterrupt


def test_gathered_checks_give_their_values() -> None:
    assert gather(lambda: 1, lambda: "two") == [1, "two"]


def test_gathered_checks_all_run_and_problems_come_before_other_errors() -> None:
    def fail(error: RosearchError) -> None:
        raise error

    with pytest.raises(BadInput) as caught:
        gather(lambda: fail(RunError("locked")), lambda: fail(BadInput(ONE)), lambda: fail(BadInput(TWO)))
    assert caught.value.problems == (ONE, TWO)
    with pytest.raises(RunError, match="locked"):
        gather(lambda: fail(RunError("locked")), lambda: fail(MissingResource("no network")))


def test_an_exception_fits_one_line() -> None:
    assert one_line(ValueError("two\n  lines")) == "two lines"
    assert one_line(ValueError()) == "ValueError"
    assert one_line(ValueError("x" * 500)) == "x" * 200
    assert one_line(ValueError("x" * 500), 10) == "x" * 10
    assert one_line(ValueError("x" * 500), None) == "x" * 500
