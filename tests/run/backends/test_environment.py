"""No GPU is here: the workers of these tests tell the environment that CUDA would read."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from run.backends import chores

from rosearch.run.backends.backend import Job
from rosearch.run.backends.environment import VISIBLE, interrupts_held_back, started_in, visible_gpus, worker_variables
from rosearch.run.backends.local import LocalBackend


@pytest.mark.parametrize(
    ("outer", "expected"),
    [(None, ["0", "3"]), ("7,6,5,4", ["7", "4"]), ("GPU-a, GPU-b ,MIG-c,GPU-d/1", ["GPU-a", "GPU-d/1"])],
)
def test_a_gpu_is_named_as_the_driver_was_shown_it(outer: str | None, expected: list[str]) -> None:
    assert visible_gpus(["cuda:0", "cuda:3"], outer) == expected


def test_the_variables_hold_inside_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "0,1")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with started_in(worker_variables(2, "1")):
        assert (os.environ[VISIBLE], os.environ["OMP_NUM_THREADS"]) == ("1", "2")
    assert (os.environ[VISIBLE], os.environ.get("OMP_NUM_THREADS")) == ("0,1", None)
    assert VISIBLE not in worker_variables(2)


def test_a_signal_that_comes_inside_is_heard_afterwards() -> None:
    heard = []
    before = signal.signal(signal.SIGHUP, lambda *_: heard.append("after"))
    try:
        with interrupts_held_back():
            signal.pthread_kill(threading.get_ident(), signal.SIGHUP)
            heard.append("inside")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert heard == ["inside", "after"]


def test_each_worker_sees_its_own_gpu_from_its_first_moment_and_a_dead_one_leaves_it_to_the_next() -> None:
    with LocalBackend(4, visible=["0", "1", "0", "1"]) as backend:
        jobs = [Job(key, chores.seen_and_pid, 0.3) for key in range(4)]
        first = {result.value for result in backend.run(jobs)}
        victim = next(pid for gpu, pid in first if gpu == "1")
        os.kill(victim, signal.SIGKILL)
        again = {result.value for result in backend.run(jobs)}
        given = {worker.process.pid: worker.visible for worker in backend._workers}
    assert sorted(given.values()) == ["0", "0", "1", "1"] and victim not in given
    assert all(given[pid] == gpu for gpu, pid in again) and all(given.get(pid, "1") == gpu for gpu, pid in first)


def test_a_gpu_is_named_for_each_worker_or_for_none() -> None:
    with pytest.raises(ValueError, match="a GPU for each of 3 workers, got 2"):
        LocalBackend(3, visible=["0", "1"])
