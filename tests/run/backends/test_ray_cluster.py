from __future__ import annotations

import signal
import sys
from types import ModuleType

import pytest

from rosearch.errors import MissingResource
from rosearch.run.backends import ray_cluster


def test_without_ray_the_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingResource) as caught:
        ray_cluster.join(None)
    assert str(caught.value) == 'execution.backend: ray is not installed; pip install "rosearch[ray]"'


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:99999"])
def test_an_address_at_which_nobody_listens_is_told_before_ray_is_loaded(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingResource, match=f"execution.address: no Ray cluster answers at {address} ") as caught:
        ray_cluster.join(address)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("cpus", "gpus", "expected"), [(1, 0.0, 19), (4, 0.0, 4), (8, 0.0, 2), (1, 1.0, 3), (2, 0.5, 5), (1, 1 / 3, 8)]
)
def test_the_room_of_a_cluster_is_that_of_its_living_nodes(
    cpus: int, gpus: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [
        {"Alive": True, "Resources": {"CPU": 8.0, "GPU": 2.0}},
        {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
        {"Alive": True, "Resources": {"CPU": 1.0}},
        {"Alive": True, "Resources": {"GPU": 1.0}},
        {"Alive": True, "Resources": {"CPU": 8.0}},
        {"Alive": True, "Resources": {"CPU": 2.0, "GPU": 1.0}},
    ]
    fake = ModuleType("ray")
    fake.nodes = lambda: nodes  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", fake)
    assert ray_cluster.room(cpus, gpus) == expected
    assert ray_cluster.nodes_in_words().startswith("8 CPUs and 2 GPUs, 1 CPUs and 0 GPUs")


@pytest.mark.ray
def test_an_instance_of_ours_is_left_and_leaves_signals_as_they_were() -> None:
    import ray

    handler = signal.getsignal(signal.SIGTERM)
    assert ray_cluster.join(None)
    try:
        assert not ray_cluster.join(None)  # whoever joined first leaves
        assert signal.getsignal(signal.SIGTERM) is handler
        assert ray.cluster_resources()["object_store_memory"] <= 200 << 20
    finally:
        ray_cluster.leave()
    assert not ray.is_initialized()
