"""Faults of processes, made in real ones."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from run.backends import broken_chores, chores

from rosearch.errors import RunError
from rosearch.run.backends.backend import Job, Result
from rosearch.run.backends.local import LocalBackend

HERE = Path(__file__).parent


def until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """True as soon as a condition holds; the limit only ends a test that has failed."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def is_free(path: Path) -> bool:
    """True if no process holds the lock on a file: its holder is dead (a zombie holds none)."""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


@contextmanager
def driver(way: str, folder: Path) -> Iterator[subprocess.Popen]:
    """A driver in a process group of its own, as a shell starts it, with two busy workers."""
    command = [sys.executable, str(HERE / "drivers.py"), way, str(folder)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    ) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("way", ["python", "c", "sleep"])
def test_workers_vanish_when_the_driver_is_killed(way, tmp_path):
    if way == "c" and not hasattr(fcntl, "F_SETSIG"):
        pytest.skip("only Linux ends a process whose threads get no turn")
    with driver(way, tmp_path) as process:
        assert not is_free(tmp_path / "1.lock")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert until(lambda: is_free(tmp_path / "1.lock") and is_free(tmp_path / "2.lock"))


def test_ctrl_c_reaches_the_driver_alone_and_ends_its_workers(tmp_path):
    with driver("c", tmp_path) as process:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the driver and its workers at once
        out, errors = process.communicate(timeout=20)
        assert (process.returncode, out, errors) == (130, "interrupted\n", "")
        assert is_free(tmp_path / "1.lock")
        assert is_free(tmp_path / "2.lock")


def test_a_killed_worker_loses_its_own_job_only_and_is_replaced():
    jobs = [Job(key, chores.kill_itself if key in (2, 5) else chores.square, key) for key in range(8)]
    with LocalBackend(2) as backend:
        results = {result.key: result for result in backend.run(jobs)}
        assert len(results) == 8
        for key, result in results.items():
            if key in (2, 5):
                assert (result.lost.kind, result.lost.stage) == ("worker_lost", "attack")
                assert result.lost.message == "the worker was killed by SIGKILL (out of memory?), the 4th time"
            else:
                assert result.value == key * key


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_whose_worker_is_killed_from_outside_is_tried_again(number, tmp_path):
    started, stages = [], []
    jobs = [Job(1, chores.die_at_first, (tmp_path / "tries", 3, number)), Job(2, chores.square, 2)]
    with LocalBackend(1) as backend:
        results = {r.key: r.value for r in backend.run(jobs, started.append, lambda *step: stages.append(step))}
    assert results == {1: "done", 2: 4}
    assert started == [1, 2] and stages.count((1, "attack", 1, 10)) == 4


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGSEGV, "worker_lost"), (signal.SIGBUS, "machine")])
def test_a_worker_that_crashes_is_not_tried_again(number, kind, tmp_path):
    with LocalBackend(1) as backend:
        (result,) = backend.run([Job(1, chores.die_at_first, (tmp_path / "tries", 1, number))])
    assert result.lost.kind == kind and number.name in result.lost.message
    assert (tmp_path / "tries").read_text() == "."


def test_what_a_terminal_sends_to_all_processes_is_the_drivers(tmp_path):
    numbers = [signal.SIGINT, signal.SIGHUP, signal.SIGTERM]
    with LocalBackend(1) as backend:
        (result,) = backend.run([Job(1, chores.signals_ignored, numbers)])
    assert result.value == [True, True, False]


def test_a_worker_imports_nothing_from_the_folder_where_the_user_stands(tmp_path):
    for name in ("random", "pickle", "socket", "struct", "selectors", "tempfile", "torch", "signal", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'a').write({name!r} + ' ')\n")
    program = HERE / "started_elsewhere.py"
    path = os.pathsep.join(["", *os.environ.get("PYTHONPATH", "").split(os.pathsep)])  # an empty part is that folder
    for way, variables in (("none", {}), ("empty part", {"PYTHONPATH": path})):
        (tmp_path / "imported").unlink(missing_ok=True)
        command = [sys.executable, str(program), str(tmp_path)]
        done = subprocess.run(command, cwd=HERE, env={**os.environ, **variables}, capture_output=True, text=True)
        assert done.stdout == "4 []\n", (way, done.stdout, done.stderr)
        assert not (tmp_path / "imported").exists(), (way, (tmp_path / "imported").read_text())


def test_a_worker_that_exits_is_lost_with_its_exit_code():
    with LocalBackend(1) as backend:
        (result,) = backend.run([Job(1, chores.crash, 7)])
    assert (result.lost.kind, result.lost.message) == ("worker_lost", "the worker exited with code 7")


def test_a_job_that_hangs_is_ended_and_the_others_go_on():
    started = []
    with LocalBackend(1, timeout_s=1.0) as backend:
        jobs = [Job(1, chores.sleep, 1000.0), Job(2, chores.sleep, 0.0)]
        results = {result.key: result for result in backend.run(jobs, started.append)}
    assert (results[1].lost.kind, results[1].lost.stage) == ("timeout", "nap")
    assert results[1].lost.message == "it took longer than 1 s"
    assert results[2].value == 0.0
    assert started == [1, 2]


def test_a_stopped_driver_does_not_count_against_a_jobs_time(monkeypatch):
    clock = time.monotonic
    offset = 0.0
    monkeypatch.setattr("rosearch.run.backends.local_worker.time.monotonic", lambda: clock() + offset)

    def jump(*step: object) -> None:
        nonlocal offset
        offset += 10_000.0  # between two looks at the clock, as after Ctrl-Z or a night's sleep

    with LocalBackend(1, timeout_s=60.0) as backend:
        (result,) = backend.run([Job(1, chores.sleep, 1.2)], on_progress=jump)
    assert offset > 0
    assert result.value == 1.2


def test_workers_stay_for_many_jobs_and_batches():
    with LocalBackend(1) as backend:
        jobs = [Job(key, chores.process_id, None) for key in (1, 2)]
        pids = {result.value for _ in range(3) for result in backend.run(jobs)}
    assert len(pids) == 1
    assert os.getpid() not in pids


def test_a_worker_killed_between_batches_is_replaced_and_nothing_is_lost():
    with LocalBackend(1) as backend:
        (first,) = backend.run([Job(1, chores.process_id, None)])
        os.kill(first.value, signal.SIGKILL)
        (second,) = backend.run([Job(2, chores.process_id, None)])
    assert second.lost is None
    assert second.value != first.value


class Room:
    """Has room for two more once it has looked at the first job."""

    looks = 0

    def look(self) -> None:
        self.looks += 1

    def workers(self) -> tuple[str, ...]:
        return ("5", "6", "5")


def test_workers_join_once_the_first_job_has_shown_what_it_takes():
    room = Room()
    jobs = [Job(key, chores.seen_and_pid, 0.2) for key in range(6)]
    with LocalBackend(1, visible=("5",), room=room) as backend:
        seen = [result.value[0] for result in backend.run(jobs, on_progress=lambda *told: None)]
        assert backend.workers == 3 and len(backend._workers) == 3
    assert seen[0] == "5" and {*seen} <= {"5", "6"} and room.looks >= 1


def test_no_more_workers_start_than_there_are_jobs():
    with LocalBackend(8) as backend:
        assert [r.value for r in backend.run([Job(1, chores.square, 3)])] == [9]
        assert len(backend._workers) == 1


def test_a_thread_that_a_job_left_behind_disturbs_nobody():
    with LocalBackend(1) as backend:
        jobs = [Job(1, chores.chatter_after, None), Job(2, chores.sleep, 0.6)]
        assert {r.key: r.value for r in backend.run(jobs)} == {1: "done", 2: 0.6}


def test_closing_ends_workers_in_the_middle_of_their_work(tmp_path):
    backend = LocalBackend(1)
    held = []
    results = backend.run(
        [Job(1, chores.hold, (tmp_path / "1.lock", "c")), Job(2, chores.square, 1)],
        on_progress=lambda *step: (held.append(step), 1 / 0),
    )
    with pytest.raises(ZeroDivisionError):
        next(results)
    backend.close()
    assert held
    assert is_free(tmp_path / "1.lock")


def test_the_environment_is_set_for_workers_and_left_alone_for_the_driver(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "17")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    names = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKENIZERS_PARALLELISM"]
    with LocalBackend(1, threads=3) as backend:
        (result,) = backend.run([Job(1, chores.environment, names)])
    assert result.value == ["3", "3", "3", "false"]
    assert os.environ["OMP_NUM_THREADS"] == "17"
    assert "MKL_NUM_THREADS" not in os.environ


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("raise", "ImportError: no library of that name"),
        ("crash", "exited with code 3"),
        ("hang", "not ready, and did nothing for 1 s"),
    ],
)
def test_workers_that_cannot_start_end_the_run_with_one_clear_line(way, words, monkeypatch):
    monkeypatch.setenv("CHORES_BREAK", way)
    started = []
    with (
        LocalBackend(1, start_limit_s=1.0 if way == "hang" else 300.0) as backend,
        pytest.raises(RunError, match="workers cannot start: 3 in a row") as caught,
    ):
        list(backend.run([Job(1, broken_chores.echo, 1)], started.append))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert started == []  # a job is not to blame, nor recorded as begun, when its worker never came up


def test_a_worker_that_starts_slowly_is_waited_for_while_it_does_something(monkeypatch):
    monkeypatch.setenv("CHORES_BREAK", "toil")
    with LocalBackend(1, start_limit_s=1.0) as backend:
        assert list(backend.run([Job(1, broken_chores.echo, 5)])) == [Result(1, 5)]


def test_a_worker_that_fails_to_start_once_costs_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("CHORES_BREAK", "crash")
    monkeypatch.setenv("CHORES_BREAK_ONCE", str(tmp_path / "broken"))
    started = []
    with LocalBackend(1) as backend:
        (result,) = backend.run([Job(1, broken_chores.echo, 5)], started.append)
    assert (tmp_path / "broken").exists()
    assert (result.value, started) == (5, [1])


def test_a_script_without_a_main_guard_gets_a_clear_line_and_not_a_chain_of_processes():
    command = [sys.executable, str(HERE / "unguarded_driver.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout.startswith("workers cannot start: 3 in a row")


def test_fast_progress_is_thinned_on_its_way():
    steps = []
    with LocalBackend(1) as backend:
        (result,) = backend.run([Job(1, chores.count, 20_000)], on_progress=lambda *step: steps.append(step))
    assert result.value == 20_000
    assert {(1, "first", 20_000, 20_000), (1, "second", 20_000, 20_000)} <= set(steps)
    assert len(steps) < 10_000


def test_no_workers_at_all_are_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        LocalBackend(0)
