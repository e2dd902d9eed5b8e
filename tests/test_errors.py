"""Errors carry what they say in parts, cross processes, and are collected."""

from __future__ import annotations

import errno
import importlib
import inspect
import json
import os
import pickle
import pkgutil
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

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
    is_out_of_memory,
    machine_fault,
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
    copied = shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'"), ("c", "d", "why")])
    assert one_line(copied) == "[Errno 28] No space left on device: 'b'"
    assert machine_fault(copied) == "[Errno 28] No space left on device: 'b': free some space"
    assert one_line(ValueError("x" * 500), 10) == "x" * 10
    assert one_line(ValueError("x" * 500), None) == "x" * 500


NUMBERS = ("ENOSPC", "EDQUOT", "EIO", "EROFS", "EMFILE", "ENFILE", "EFBIG", "ESTALE", "ENOLCK", "ENOMEM")
WAYS: dict[str, Callable[[int], Exception]] = {
    "system": lambda number: OSError(number, os.strerror(number), "/some/file"),
    "safetensors": lambda number: RuntimeError(f"I/O error: {os.strerror(number)} (os error {number})"),
    "older safetensors": lambda number: RuntimeError(f'IoError(Os {{ code: {number}, kind: Other, message: "no" }})'),
    "arrow": lambda number: RuntimeError(f"Error writing bytes to file. Detail: [errno {number}] no"),
    "torch": lambda number: RuntimeError(f"unable to open file </x> in read-write mode: {os.strerror(number)} (1)"),
}


def over(inner: Exception, how: str) -> Exception:
    """An error of ours over one of a library, as the three ways to raise it leave it."""
    try:
        try:
            raise inner
        except Exception as error:
            if how == "from":
                raise BadInput(ONE) from error
            if how == "from none":
                raise BadInput(ONE) from None
            raise KeyError("while it was handled")  # noqa: B904
    except Exception as error:
        return error


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("way", WAYS)
def test_a_fault_of_the_machine_is_known_by_whatever_name_and_over_whatever_it_is_raised(way: str, number: str) -> None:
    error = WAYS[way](getattr(errno, number))
    for one in (error, *(over(error, how) for how in ("from", "from none", "context"))):
        assert machine_fault(one) and "\n" not in machine_fault(one)
        assert is_out_of_memory(one) == (number == "ENOMEM")


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.OperationalError("database or disk is full"),
        sqlite3.OperationalError("disk I/O error"),
        RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"),
        RuntimeError("can't start new thread"),
        OSError("5000 requested and 12 written"),
    ],
    ids=str,
)
def test_a_text_without_a_number_is_known(error: Exception) -> None:
    assert machine_fault(error) and not is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("std::bad_alloc"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:128] DefaultCPUAllocator: can't allocate memory: you tried ..."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:80] data. DefaultCPUAllocator: not enough memory: you tried ..."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
    ids=lambda error: f"{type(error).__name__}: {error}"[:60],
)
def test_too_little_memory_is_known_by_whatever_name(error: Exception) -> None:
    assert is_out_of_memory(error) and machine_fault(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("odd shape"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "No space left on device"),
        PermissionError(errno.EACCES, "Permission denied"),
        BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
        RuntimeError("No such file or directory (os error 2)"),
        RunError("the last 2 candidates failed alike: out of memory"),
        OSError("something else"),
    ],
    ids=lambda error: f"{type(error).__name__}: {error}"[:60],
)
def test_another_error_is_not_the_machines(error: Exception) -> None:
    assert machine_fault(error) == "" and not is_out_of_memory(error)


@pytest.mark.skipif(sys.platform != "linux", reason="limits and /dev/full of Linux")
@pytest.mark.parametrize("way", ["full", "size", "files"])
def test_the_errors_of_real_writers_that_cannot_write_are_the_machines(way: str, tmp_path: Path) -> None:
    script = Path(__file__).with_name("failing_writers.py")
    done = subprocess.run([sys.executable, str(script), way, str(tmp_path)], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    if way == "files":
        del told["sqlite"]  # it says "unable to open database file" of any reason; a store raises RunError for it
    assert len(told) >= 6
    for name, (fault, of_memory, error) in told.items():
        assert fault and not fault.startswith("written") and not of_memory, (name, error)
