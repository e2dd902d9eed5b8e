"""Faults of processes and nodes, made in real clusters on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from run.backends import chores
from run.backends.clusters import two_nodes
from run.backends.test_local import is_free, until

from rosearch.errors import MissingResource, RunError
from rosearch.run.backends import ray_backend
from rosearch.run.backends.backend import Job
from rosearch.run.backends.ray_backend import RayBackend

pytestmark = pytest.mark.ray
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with two_nodes() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def backend(cluster: Any) -> Iterator[RayBackend]:
    with RayBackend(cluster.address, threads=1, timeout_s=60.0) as backend:
        yield backend


def test_each_job_has_a_process_of_its_own_that_begins_with_its_threads(backend: RayBackend) -> None:
    jobs = [Job(key, chores.seen_and_pid, 0.0) for key in range(3)]
    assert len({result.value[1] for result in backend.run(jobs)}) == 3
    names = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "TOKENIZERS_PARALLELISM"]
    (result,) = backend.run([Job(1, chores.environment, names)])
    assert result.value == ["1", "1", "false"]


def test_a_job_whose_process_is_killed_is_tried_again_three_times(backend: RayBackend, tmp_path: Path) -> None:
    started, stages = [], []
    jobs = [
        Job(1, chores.die_at_first, (tmp_path / "tries", 3, signal.SIGKILL)),
        Job(2, chores.kill_itself_later, None),
        Job(3, chores.square, 3),
    ]
    results = {r.key: r for r in backend.run(jobs, started.append, lambda *step: stages.append(step))}
    assert (results[1].value, results[3].value) == ("done", 9)
    lost = results[2].lost
    assert (lost.kind, lost.stage) == ("worker_lost", "attack")
    assert lost.message == "the worker was killed or crashed, the 4th time"
    assert sorted(started) == [1, 2, 3] and stages.count((2, "attack", 1, 10)) == 4
    assert (tmp_path / "tries").read_text() == "...."


def test_a_job_that_hangs_is_ended_with_its_process_and_the_others_go_on(cluster: Any, tmp_path: Path) -> None:
    with RayBackend(cluster.address, timeout_s=1.5) as backend:
        jobs = [Job(1, chores.hold, (tmp_path / "1.lock", "sleep")), Job(2, chores.sleep, 0.0)]
        results = {result.key: result for result in backend.run(jobs)}
        assert (results[1].lost.kind, results[1].lost.stage) == ("timeout", "held")
        assert results[1].lost.message == "it took longer than 1.5 s"
        assert results[2].value == 0.0
        assert until(lambda: is_free(tmp_path / "1.lock"))
        (deaf,) = backend.run([Job(1, chores.hold, (tmp_path / "2.lock", "c"))])  # no thread of it gets a turn
        assert deaf.lost.kind == "timeout"
        assert until(lambda: is_free(tmp_path / "2.lock"))


@pytest.mark.parametrize(("asked", "words"), [({"threads": 64}, "has 64 CPUs"), ({"gpus": 0.5}, "and 0.5 of a GPU")])
def test_a_task_that_no_node_can_take_ends_in_one_line(cluster: Any, asked: dict[str, Any], words: str) -> None:
    with RayBackend(cluster.address, **asked, patience_s=1.0) as backend, pytest.raises(RunError) as caught:
        list(backend.run([Job(1, chores.square, 1)]))
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).endswith("it has 1 CPUs and 0 GPUs, 1 CPUs and 0 GPUs")


def test_a_node_with_other_code_or_without_the_drivers_folder_is_refused(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "driver"
    seen.write_text("pid 1")
    with RayBackend(cluster.address, shared=[seen]) as backend:
        assert [result.value for result in backend.run([Job(1, chores.square, 2)])] == [4]
        monkeypatch.setattr(ray_backend, "file_hash", lambda path: "of another file")
        with pytest.raises(RunError, match="does not see the driver's"):
            list(backend.run([Job(1, chores.square, 2)]))
        monkeypatch.setattr(ray_backend, "code_here", lambda: {"rosearch": "newer"})
        with pytest.raises(RunError, match=r"has rosearch \w+, the driver newer: install the same on all nodes"):
            list(backend.run([Job(1, chores.square, 2)]))


def test_workers_that_cannot_start_end_the_run_with_one_clear_line(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "drivers_alone", (module := ModuleType("drivers_alone")))
    module.square = FunctionType(chores.square.__code__, {"__name__": "drivers_alone"}, "square")  # type: ignore[attr-defined]
    with RayBackend(cluster.address) as backend, pytest.raises(RunError, match="6 in a row ended before") as caught:
        list(backend.run([Job(1, module.square, 1)]))
    assert "No module named 'drivers_alone'" in str(caught.value) and "\n" not in str(caught.value)


def test_no_cluster_at_an_address_is_one_line() -> None:
    with (
        RayBackend("127.0.0.1:1") as backend,
        pytest.raises(MissingResource, match=r"no Ray cluster answers at 127\.0\.0\.1:1") as caught,
    ):
        list(backend.run([Job(1, chores.square, 1)]))
    assert "\n" not in str(caught.value)


def test_the_job_of_a_node_that_dies_runs_again_elsewhere_and_is_begun_once() -> None:
    started: list[int] = []
    with two_nodes() as cluster, RayBackend(cluster.address, timeout_s=60.0) as backend:

        def begin(key: int) -> None:
            started.append(key)
            if len(started) == 2:  # one on each node
                (second,) = cluster.worker_nodes
                threading.Thread(target=cluster.remove_node, args=(second, False)).start()

        jobs = [Job(key, chores.sleep, 3.0) for key in (1, 2)]
        results = list(backend.run(jobs, begin))
    assert sorted((result.key, result.value) for result in results) == [(1, 3.0), (2, 3.0)]
    assert sorted(started) == [1, 2]


# A driver with an instance of its own


@contextmanager
def driver(way: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(HERE / "ray_driver.py"), way, str(folder)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ray_processes() -> dict[int, str]:
    """All processes of Ray on this machine, by their first words."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if "/ray/" in command or command.startswith("ray::"):
            found[int(path.parent.name)] = command.split()[0]
    return found


def test_a_driver_that_is_interrupted_leaves_no_process(tmp_path: Path) -> None:
    before = ray_processes().keys()
    with driver("hold", tmp_path) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        assert ray_processes().keys() > before
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        out, errors = process.communicate(timeout=60)
        assert (process.returncode, out, errors) == (130, "interrupted\n", "")
        assert until(lambda: is_free(tmp_path / "1.lock") and ray_processes().keys() <= before)


def test_a_driver_that_is_killed_leaves_no_worker_and_no_node(tmp_path: Path) -> None:
    """Two small agents of Ray may outlive a node that was not reaped; they hold no core and no GPU."""
    before = ray_processes().keys()

    def left() -> dict[int, str]:
        return {number: name for number, name in ray_processes().items() if number not in before}

    with driver("hold", tmp_path) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert until(lambda: is_free(tmp_path / "1.lock") and all("Agent" in name for name in left().values()))
    for number in left():
        os.kill(number, signal.SIGKILL)


def test_ray_says_nothing_on_standard_output_not_even_where_workers_crash(tmp_path: Path) -> None:
    with driver("crash", tmp_path) as process:
        out, errors = process.communicate(timeout=120)
    assert (out, errors, process.returncode) == ("[(1, False), (2, True)]\n", "", 0)
