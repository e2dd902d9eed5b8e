"""No GPU is here: torch is told to see some."""

from __future__ import annotations

import pytest
import torch

from rosearch.config.execution import ExecutionConfig
from rosearch.errors import MissingResource
from rosearch.run import devices
from rosearch.run.devices import crowded, place_workers


@pytest.fixture(params=[0, 2, 8])
def gpus(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    return see(request.param, monkeypatch)


def see(count: int, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(devices, "cores", lambda: 4)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return count


def test_one_device_is_for_all_workers_as_it_was(gpus: int) -> None:
    execution = ExecutionConfig(device="cpu", workers=3)
    places = place_workers(execution)
    assert (places.execution, places.visible, places.device) == (execution, (), "cpu")


def test_auto_is_every_gpu_that_torch_sees_or_the_cores_of_a_machine_without_one(gpus: int) -> None:
    places = place_workers(ExecutionConfig(devices="auto", threads=2))
    expected = (gpus, tuple(map(str, range(gpus))), "cuda") if gpus else (2, (), "cpu")
    assert (places.execution.workers, places.visible, places.device) == expected
    many = place_workers(ExecutionConfig(devices="auto", workers_per_device=3))
    assert many.execution.workers == 3 * (gpus or 1)


def test_the_first_workers_go_to_different_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    see(8, monkeypatch)
    places = place_workers(ExecutionConfig(devices=["cuda:2", "cuda:5"], workers_per_device=2))
    assert places.visible == ("2", "5", "2", "5")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4, 6,GPU-8a,1,0,MIG-3")
    assert place_workers(ExecutionConfig(devices=["cuda:2", "cuda:5"])).visible == ("GPU-8a", "MIG-3")


def test_auto_begins_with_a_worker_on_each_gpu_and_has_room_for_more_later(
    gpus: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (8 << 30, 16 << 30))
    places = place_workers(ExecutionConfig(devices="auto", workers_per_device="auto"))
    if not gpus:
        assert (places.execution.workers, places.room) == (4, None)
        return
    assert places.visible == tuple(map(str, range(gpus))) and places.room is not None
    assert places.room.most == max(1, 4 // gpus) and places.room.visible == places.visible


def test_all_gpus_that_are_not_there_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    see(2, monkeypatch)
    with pytest.raises(MissingResource) as caught:
        place_workers(ExecutionConfig(devices=["cuda:1", "cuda:2", "cuda:3"]))
    assert [line.partition(" is not")[0] for line in caught.value.lines] == [
        "execution.devices: cuda:2",
        "execution.devices: cuda:3",
    ]
    assert "-o execution.devices=auto, or" in str(caught.value)


def test_the_tasks_of_a_cluster_go_to_gpus_where_the_driver_has_one(gpus: int) -> None:
    kind = "cuda" if gpus else "cpu"
    places = place_workers(ExecutionConfig(backend="ray", workers=99))
    assert (places.execution.device, places.device, places.visible) == (kind, kind, ())
    assert crowded(places) == ""


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"workers": 4}, ""),
        ({"workers": 0, "threads": 4}, ""),
        ({"workers": 5}, "5 workers of 1 thread on 4 cores"),
        ({"workers": 2, "threads": 3}, "2 workers of 3 threads on 4 cores"),
        ({"devices": "auto", "workers_per_device": 9}, "9 workers of 1 thread on 4 cores"),
        ({"devices": "auto", "threads": 3}, ""),
    ],
)
def test_more_threads_than_cores_are_only_by_request_and_are_told(
    settings: dict[str, object], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    see(0, monkeypatch)
    told = crowded(place_workers(ExecutionConfig.model_validate(settings)))
    assert told.startswith(words) and bool(told) == bool(words)


def test_workers_of_gpus_crowd_no_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    see(8, monkeypatch)
    assert crowded(place_workers(ExecutionConfig(devices="auto"))) == ""
