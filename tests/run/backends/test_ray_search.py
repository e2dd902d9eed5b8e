"""A search on a real cluster of two nodes on this machine, one of which is killed in the middle."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from run.backends.clusters import two_nodes
from small_run import write_experiment

from rosearch import load_experiment, run_search
from rosearch.records.record import Record
from rosearch.run.observer import Nobody
from tests.equal_records import of_store

pytestmark = pytest.mark.ray
SMALL = {"evolution": {"candidates": 4, "population": 2, "elite": 1}, "finalists": {"count": 1}}


class KillsNode(Nobody):
    """Kills the second node once both have a candidate."""

    def __init__(self, cluster: Any) -> None:
        self.cluster, self.started, self.killed = cluster, 0, 0

    def started_one(self) -> None:
        if self.started == 2 and not self.killed:
            (second,) = self.cluster.worker_nodes
            self.killed += 1
            threading.Thread(target=self.cluster.remove_node, args=(second, False)).start()

    def stage(self, record: Record, name: str, done: int, total: int) -> None:
        self.started_one()

    def started(self, record: Record) -> None:  # type: ignore[override]
        ...


def test_a_search_whose_node_dies_has_the_records_of_a_local_one(tmp_path: Path) -> None:
    ...
