"""Memory is told by a list: no GPU is here."""

from __future__ import annotations

import logging

import pytest
import torch

from rosearch.run.gpu_room import GpuRoom

GIB = 1 << 30


class Memory:
    """The free memory of two GPUs, in GiB. The first question about a device takes one of them."""

    def __init__(self, *free: float) -> None:
        self.free, self.asked = [*free], set[int]()

    def __call__(self, device: torch.device) -> int:
        if device.index not in self.asked:
            self.asked.add(device.index)
            self.free[device.index] -= 1
        return int(self.free[device.index] * GIB)


def room(memory: Memory, most: int = 16) -> GpuRoom:
    devices = [torch.device("cuda", place) for place in range(len(memory.free))]
    return GpuRoom(devices, [f"GPU-{place}" for place in range(len(memory.free))], most, memory)


def test_workers_follow_from_the_most_memory_that_the_first_candidate_held(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "rosearch")
    memory = Memory(81, 41)
    found = room(memory)
    for held in (1, 4, 2):  # its worker may give some of it back
        memory.free[0] = 80 - held
        found.look()
    # 0.9 of 80 and of 40 GiB, in parts of 1.5 times 4 GiB.
    assert found.workers() == ("GPU-0", "GPU-1") * 6 + ("GPU-0",) * 6
    assert "the first candidate took 4096 MiB of a GPU: 18 workers on 2 GPUs" in caplog.text


def test_cores_limit_them_and_each_gpu_has_one_at_least() -> None:
    memory = Memory(81, 11)
    found = room(memory, most=2)
    memory.free[0] = 40
    found.look()
    assert found.workers() == ("GPU-0", "GPU-1")
    memory.free[0] = 79.9
    assert room(Memory(81, 11), most=2).workers() == ("GPU-0", "GPU-1")  # nothing was seen to be taken


def test_what_others_take_before_is_not_the_candidates() -> None:
    memory = Memory(31)
    found = room(memory)
    found.look()
    assert found.taken == 0
    memory.free[0] = 29
    found.look()
    assert found.workers() == ("GPU-0",) * 16
