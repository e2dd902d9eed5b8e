"""Real Ray clusters on this machine, with little memory, for the tests marked `ray`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STORE = 80 << 20  # bytes; by default it is a third of the memory


@contextmanager
def two_nodes(cpus: int = 1) -> Iterator[Any]:
    """A cluster of two nodes; `remove_node(node, allow_graceful=False)` kills one, `worker_nodes` holds the second."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": cpus, "object_store_memory": STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        cluster.add_node(num_cpus=cpus, object_store_memory=STORE)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.shutdown()
