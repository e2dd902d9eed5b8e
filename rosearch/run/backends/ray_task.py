"""A job in a process of its own on a node of a Ray cluster: the node's side of `RayBackend`.

The task is a generator: what it yields reaches the driver at once and in order, and where the process or its node dies
the driver's next item is the error.
"""

from __future__ import annotations

import pickle
import queue
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rosearch.files import content_key, file_hash
from rosearch.run.backends.backend import call, describe
from rosearch.run.backends.worker import thinned

REPORT_S = 1.0  # between two progress messages of a job: a cluster has many
_PACKAGE = Path(__file__).parents[2]


@dataclass(frozen=True)
class Order:
    """A job on its way to a node, and how the driver knows that the node is fit for it."""

    key: int
    function: bytes  # pickled by reference
    argument: bytes  # pickled
    code: Mapping[str, str]  # `code_here()` of the driver
    shared: Mapping[str, str]  # files that every node must see, each with the hash of its content
    path: tuple[str, ...]  # where the driver imports from
    killed: int = 0  # processes that died while they had it


@cache
def code_here() -> dict[str, str]:
    """Digest or version of all code that records follow from, by its name."""
    sources = sorted(_PACKAGE.rglob("*.py"))
    parts = (f"{path.relative_to(_PACKAGE).as_posix()} {file_hash(path)}" for path in sources)
    return {"rosearch": content_key(parts)[:12], **{name: _version(name) for name in ("torch", "transformers")}}


def unfit(order: Order) -> str:
    """In words, why this node cannot do what the driver would; "" where it can."""
    ours = code_here()
    for name, theirs in order.code.items():
        if ours.get(name) != theirs:
            return f"{_here()} has {name} {ours.get(name)}, the driver {theirs}: install the same on all nodes"
    for path, digest in order.shared.items():
        try:
            seen = file_hash(Path(path))
        except OSError:
            seen = ""
        if seen != digest:
            folder = Path(path).parent
            return f"{_here()} does not see the driver's {folder}: keep runs where all nodes see them, under one path"
    return ""


def live(order: Order) -> Iterator[tuple[Any, ...]]:
    """The messages of a job: `unfit` or `unusable` with the reason, or `started`, then `progress`, at last `done`."""
    if why := unfit(order):
        yield "unfit", why
        return
    sys.path += [entry for entry in order.path if entry not in sys.path and Path(entry).exists()]
    try:
        function = pickle.loads(order.function)  # imports its module
    except BaseException as error:
        yield "unusable", f"{_here()}: {describe(error)}"
        return
    yield "started", _here()
    said: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()

    def work() -> None:
        value, lost = call(function, order.argument, thinned(lambda *message: said.put(message), REPORT_S))
        said.put(("done", value, lost))

    threading.Thread(target=work, daemon=True).start()
    while (message := said.get())[0] != "done":
        yield message
    yield message


def _here() -> str:
    return f"node {socket.gethostname()}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
