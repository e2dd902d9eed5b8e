"""A search on a real cluster of two nodes on this machine, one of which is killed in the middle."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from run.backends.clusters import two_nodes
from run.test_steady import require_explained
from small_run import Quiet, outcomes, write_experiment

from rosearch import load_experiment, run_search
from rosearch.files import file_hash
from rosearch.records.record import Record
from rosearch.run.results import Results

pytestmark = pytest.mark.ray


class KillsNode(Quiet):
    """Kills the second node while both have a candidate."""

    def __init__(self, cluster: Any) -> None:
        super().__init__()
        self.cluster, self.begun = cluster, 0

    def started(self, record: Record) -> None:
        self.begun += 1
        if self.begun == 2:
            (second,) = self.cluster.worker_nodes
            threading.Thread(target=self.cluster.remove_node, args=(second, False)).start()


def weights(results: Results) -> dict[str, str]:
    folder = results.run.path / "students"
    return {path.parent.name: file_hash(path) for path in folder.glob("*/model.safetensors")}


@pytest.mark.parametrize("inherit", ["none", "parent"])
def test_a_search_whose_node_dies_has_the_records_and_weights_of_a_local_one(
    inherit: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "rosearch")
    path = write_experiment(
        tmp_path / "small",
        "classification",
        distillation={"max_steps": 300, "epochs": 100, "inherit": inherit},
        evolution={"candidates": 4, "population": 2, "elite": 1},
        finalists={"count": 1},
    )
    local = run_search(load_experiment(path, ["execution.workers=2"]), Quiet(), tmp_path / "local")
    with two_nodes() as cluster:
        on_ray = ["execution.workers=2", "execution.backend=ray", f"execution.address={cluster.address}"]
        observer = KillsNode(cluster)
        clustered = run_search(load_experiment(path, on_ray), observer, tmp_path / "ray")
        assert len(cluster.worker_nodes) == 0  # the second is dead
    again = [line for line in caplog.messages if "runs again: the node of the worker was lost" in line]
    assert len(again) == 1
    assert outcomes(clustered.records) == outcomes(local.records)
    assert weights(clustered) == weights(local) and len(weights(local)) == 5
    assert observer.begun == len(observer.done) == 5
    assert capfd.readouterr().out == ""
    with capfd.disabled():
        print(f"\n{len(clustered.records)} records and {len(weights(local))} weights equal; {again[0]}")


def test_a_steady_search_goes_on_where_a_node_dies_and_its_order_explains_what_was_proposed(tmp_path: Path) -> None:
    steady = {"mode": "steady", "candidates": 8, "population": 4}
    path = write_experiment(tmp_path / "small", evolution=steady, finalists={"count": 1})
    with two_nodes() as cluster:
        on_ray = ["execution.workers=2", "execution.backend=ray", f"execution.address={cluster.address}"]
        found = run_search(load_experiment(path, on_ray), KillsNode(cluster), tmp_path / "ray")
    assert found.finished and [record.status for record in found.records] == ["done"] * 9
    require_explained(found)
