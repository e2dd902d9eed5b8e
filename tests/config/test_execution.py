from __future__ import annotations

import pytest

from rosearch.config.execution import ExecutionConfig
from rosearch.config.file import load_experiment
from rosearch.errors import BadInput


@pytest.mark.parametrize(
    ("given", "devices", "own", "at_a_time"),
    [
        ({"workers": 3, "device": "cuda:1"}, (), "cuda:1", 3),
        ({"workers": 0}, (), "auto", 1),
        ({"devices": "auto", "workers": 3}, ("auto",), "auto", None),
        ({"devices": "cuda:2"}, ("cuda:2",), "cuda:2", 1),
        ({"backend": "ray", "address": "auto", "workers_per_device": 2}, (), "auto", None),
        ({"devices": ["cuda:2", "cuda:0"], "workers_per_device": 3}, ("cuda:2", "cuda:0"), "cuda:2", 6),
    ],
)
def test_devices_are_one_or_several_and_the_driver_has_the_first(
    given: dict[str, object], devices: tuple[str, ...], own: str, at_a_time: int | None
) -> None:
    execution = ExecutionConfig.model_validate(given)
    assert (execution.devices, execution.own_device, execution.at_a_time) == (devices, own, at_a_time)
    assert ExecutionConfig.model_validate(execution.model_dump(mode="json")) == execution  # as a run's snapshot


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["devices=[cuda:0]", "device=cuda:1"], "execution.device: expected nothing, as execution.devices names"),
        (["devices=[cuda:0,cuda:0]"], "execution.devices: expected auto, or GPUs such as [cuda:0, cuda:1], each once"),
        (["devices=[cuda:0,cpu]"], "execution.devices: expected auto, or GPUs"),
        (["devices=[auto,cuda:0]"], "execution.devices: expected auto, or GPUs"),
        (["devices=auto", "workers=0"], "execution.workers: expected at least 1"),
        (["workers_per_device=2"], "execution.workers_per_device: expected execution.devices beside it"),
        (["address=auto"], "execution.address: expected execution.backend ray beside it, got auto"),
        (["backend=ray", "address=ray://node1:10001"], "execution.address: expected auto, or HOST:PORT"),
        (["backend=ray", "devices=auto"], "execution.devices: expected nothing, for execution.backend ray"),
        (["backend=ray", "device=cuda:1"], "execution.device: expected auto, cpu or cuda, for execution.backend ray"),
        (["backend=ray", "workers=0"], "execution.workers: expected at least 1, or execution.backend local"),
        (["devices=auto", "workers_per_device=0"], "execution.workers_per_device: expected a whole number"),
    ],
)
def test_what_contradicts_itself_is_one_line(overrides: list[str], line: str) -> None:
    with pytest.raises(BadInput) as caught:
        load_experiment("quickstart", [f"execution.{one}" for one in overrides])
    (found,) = caught.value.lines
    assert line in found


def test_a_worker_reads_a_section_of_one_device() -> None:
    several = ExecutionConfig.model_validate({"devices": ["cuda:0", "cuda:1"], "workers_per_device": 2, "threads": 3})
    alone = several.of_worker("cuda")
    assert (alone.own_device, alone.devices, alone.workers_per_device, alone.threads) == ("cuda", (), None, 3)
