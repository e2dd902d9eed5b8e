"""A Ray cluster as rosearch uses it: joined or started, asked for its room, left.

Ray is an extra (`pip install "rosearch[ray]"`) and is imported where it is first used.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rosearch.errors import MissingResource, RunError, one_line

_OWN_STORE = 200 << 20  # bytes of the object store of an instance of ours: only small results go through it
_KNOCK_S = 10.0  # until an address that does not answer is given up
_log = logging.getLogger(__name__)


def require_cluster(address: str | None) -> None:
    """Raises `MissingResource` where Ray is not installed, or where nobody listens at an address HOST:PORT."""
    if importlib.util.find_spec("ray") is None:
        raise MissingResource("ray is not installed", 'pip install "rosearch[ray]"', "execution.backend")
    if address not in (None, "auto"):
        _knock(str(address))


def join(address: str | None) -> bool:
    """Joins the cluster at an address (`auto`: that of this machine), or starts an instance here where there is none.

    False where this process had joined one before: then that one is used, and is not ours to leave. Raises
    `MissingResource` without Ray or without anybody at the address, `RunError` where no cluster can be joined.
    """
    require_cluster(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # an instance that we start calls nobody
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else a warning at every start
    import ray

    if ray.is_initialized():
        return False
    own: dict[str, Any] = {"include_dashboard": False, "object_store_memory": _OWN_STORE} if address is None else {}
    try:
        with _our_signals():
            ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = "no Ray instance can be started here" if address is None else f"no Ray cluster at {address}"
        raise RunError(f"execution.address: {where}: {one_line(error)}") from error
    _keep_off_standard_output()
    return True


def _knock(address: str) -> None:
    """Raises `MissingResource` where nobody listens: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _KNOCK_S).close()
    except (OSError, OverflowError) as error:  # the latter for a port that no machine has
        told = f"no Ray cluster answers at {address} ({one_line(error)})"
        raise MissingResource(told, "begin one there: `ray start --head`", "execution.address") from None


def leave() -> None:
    """Leaves the cluster; an instance that we started ends, with all its processes."""
    import ray

    with _our_signals():
        ray.shutdown()


def room(cpus: int, gpus: float) -> int:
    """The tasks of that size that the nodes which are alive can run at a time, were nothing else there."""
    import ray

    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(_room(node.get("CPU", 0.0), cpus, node.get("GPU", 0.0), gpus) for node in alive)


def nodes_in_words() -> str:
    """The nodes that are alive, each with what it has."""
    import ray

    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return ", ".join(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in alive) or "no node"


def _room(cpu: float, cpus: int, gpu: float, gpus: float) -> int:
    by_cpu = int(cpu // cpus)
    return by_cpu if not gpus else min(by_cpu, int(gpu * round(1 / gpus)))  # a GPU takes whole fractions of itself


@contextmanager
def _our_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself; ours is handled by the command line."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _keep_off_standard_output() -> None:
    """Ray prints the errors of its nodes on standard output, whatever it was told; they go to the log.

    Ray has no setting for it, so its function is replaced; where a version lacks it, nothing is.
    """
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda data, *_, **__: _log.debug("%s", data)
