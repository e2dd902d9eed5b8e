"""Every place at which this process changes a disk, told before and after it does.

>>> install(lambda moment: print(moment.label, moment.side))

A site is an operation (a file opened for writing, a rename, a removal, a sync, a folder made, a library's writer, a
statement or commit of SQLite) and the functions of rosearch that asked for it. `install` changes the process for good:
call it in one that is about to end.
"""

from __future__ import annotations

import builtins
import io
import os
import re
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from sqlalchemy.engine.default import DefaultDialect
from transformers import PreTrainedModel, PreTrainedTokenizerBase

import rosearch

PACKAGE = str(Path(rosearch.__file__).parent)
DEPTH = 3  # functions of rosearch that name a site
CHANGES = re.compile(r"\s*(INSERT|UPDATE|DELETE|CREATE|ALTER|PRAGMA wal_checkpoint)", re.IGNORECASE)


@dataclass(frozen=True)
class Moment:
    """Before or after the `nth` time (from 1) that a site changes the disk."""

    label: str
    nth: int
    side: Literal["before", "after"]
    database: bool = False


Act = Callable[[Moment], None]


def install(act: Act) -> None:
    """Calls `act` around every change of the disk that rosearch asks for."""
    counts: Counter[str] = Counter()
    inside = [False]  # what a library's writer does in its turn is a part of it

    @contextmanager
    def around(operation: str, database: bool = False) -> Iterator[None]:
        place = "" if inside[0] else _place()
        if not place:
            yield
            return
        label = f"{operation} in {place}"
        counts[label] += 1
        number = counts[label]
        act(Moment(label, number, "before", database))
        inside[0] = True
        try:
            yield
        finally:
            inside[0] = False
        act(Moment(label, number, "after", database))

    for name in ("replace", "rename", "unlink", "remove", "mkdir", "rmdir", "fsync", "chmod"):
        _wrap(os, name, around)
    for owner, name in ((PreTrainedModel, "save_pretrained"), (PreTrainedTokenizerBase, "save_pretrained")):
        _wrap(owner, name, around)
    _wrap(np, "save", around)
    _wrap(torch, "save", around)
    _wrap_open(around)
    _wrap_database(around)


def _place() -> str:
    """The innermost functions of rosearch that are at work, innermost first; "" where there are none."""
    found: list[str] = []
    frame = sys._getframe(1)
    while frame is not None and len(found) < DEPTH:
        code = frame.f_code
        if code.co_filename.startswith(PACKAGE):
            found.append(f"{Path(code.co_filename).stem}.{code.co_name}")
        frame = frame.f_back  # type: ignore[assignment]
    return " < ".join(found)


def _wrap(owner: Any, name: str, around: Any) -> None:
    plain = getattr(owner, name)

    def told(*arguments: Any, **named: Any) -> Any:
        with around(name):
            return plain(*arguments, **named)

    setattr(owner, name, told)


def _wrap_open(around: Any) -> None:
    plain, plain_os = io.open, os.open

    def told(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if not set(mode) & set("wax+"):
            return plain(file, mode, *arguments, **named)
        with around("open"):
            return plain(file, mode, *arguments, **named)

    def told_os(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        if not flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
            return plain_os(path, flags, *arguments, **named)
        with around("os.open"):
            return plain_os(path, flags, *arguments, **named)

    io.open = builtins.open = told  # type: ignore[assignment]
    os.open = told_os


def _wrap_database(around: Any) -> None:
    execute, commit = DefaultDialect.do_execute, DefaultDialect.do_commit
    many = DefaultDialect.do_executemany

    def told(dialect: Any, cursor: Any, statement: str, *arguments: Any) -> Any:
        found = CHANGES.match(statement)
        if found is None:
            return execute(dialect, cursor, statement, *arguments)
        with around(found[1], database=True):
            return execute(dialect, cursor, statement, *arguments)

    def told_many(dialect: Any, cursor: Any, statement: str, *arguments: Any) -> Any:
        with around("INSERT many", database=True):
            return many(dialect, cursor, statement, *arguments)

    def told_commit(dialect: Any, connection: Any) -> Any:
        with around("COMMIT", database=True):
            return commit(dialect, connection)

    DefaultDialect.do_execute = told  # type: ignore[method-assign, assignment]
    DefaultDialect.do_executemany = told_many  # type: ignore[method-assign, assignment]
    DefaultDialect.do_commit = told_commit  # type: ignore[method-assign]


def fault(number: int, moment: Moment) -> Exception:
    """The error that a writer raises where the machine fails: of the system, or of SQLite."""
    if moment.database:
        words = "database or disk is full" if number == 28 else "disk I/O error"
        return sqlite3.OperationalError(words)
    return OSError(number, os.strerror(number))
