from __future__ import annotations

from itertools import count
from types import SimpleNamespace

import pytest
from records.sample_records import FAILED, chain, measured, pending

from rosearch.errors import RunError
from rosearch.run.backends.backend import Job
from rosearch.run.backends.replay import ReplayBackend, recorded, recorded_seconds


def replay(workers: int, seconds: list[float], **settings: object) -> tuple[ReplayBackend, list[int]]:
    """Jobs 0, 1, ... of so many seconds each, and the order in which they were over."""
    backend = ReplayBackend(workers, lambda key: key, lambda result: seconds[result.key], **settings)
    jobs = [Job(key, print, key) for key in range(len(seconds))]
    return backend, [result.value for result in backend.run(jobs)]


def test_jobs_are_over_by_the_simulated_clock_and_the_first_free_worker_takes_the_next():
    backend, order = replay(2, [5.0, 1.0, 1.0, 4.0])
    assert order == [1, 2, 0, 3]
    assert backend.spans == {0: (0.0, 5.0), 1: (0.0, 1.0), 2: (1.0, 2.0), 3: (2.0, 6.0)}
    assert backend.now_s == 6.0


def test_equal_times_are_over_in_the_order_of_their_starts():
    assert replay(3, [1.0, 1.0, 1.0, 1.0])[1] == [0, 1, 2, 3]


def test_the_clock_goes_on_from_one_batch_to_the_next():
    backend, _ = replay(1, [2.0])
    list(backend.run([Job(0, print, 0)]))
    assert backend.now_s == 4.0


def test_workers_wait_for_a_driver_whose_time_counts():
    ticks = count()
    backend, order = replay(1, [1.0, 1.0], driver_clock=lambda: float(next(ticks)))
    assert order == [0, 1]
    begun, ended = backend.spans[0], backend.spans[1]
    assert begun == (1.0, 2.0)  # a tick until the first was sent
    assert ended[0] > begun[1] + 1.0  # a tick to record it and one to send the next


def test_recorded_outcomes_are_found_by_architecture_and_seed_and_last_as_long_as_they_did():
    done = pending(1, status="done", measurements=measured().measurements, seconds={"build": 0.25, "distil": 2.0})
    failed = pending(2, status="failed", failure=FAILED.failure, seconds=FAILED.seconds)
    answer = recorded([done, failed, pending(3)], "runs/a-0001")
    jobs = [Job(n, print, SimpleNamespace(genotype=chain(n), seed=n)) for n in (1, 2)]
    backend = ReplayBackend(1, answer)
    found = {result.key: result for result in backend.run(jobs)}
    assert found[1].value.measurements == done.measurements and recorded_seconds(found[1]) == 2.25
    assert found[2].value == FAILED and backend.now_s == 2.75


@pytest.mark.parametrize(("number", "seed"), [(3, 3), (4, 4), (1, 7)])
def test_a_candidate_without_a_recorded_outcome_ends_the_run_in_one_clear_line(number: int, seed: int):
    answer = recorded([pending(1, status="failed", failure=FAILED.failure), pending(3)], "runs/a-0001")
    jobs = [Job(1, print, SimpleNamespace(genotype=chain(number), seed=seed))]
    with pytest.raises(RunError, match=rf"^runs/a-0001: expected an outcome of the architecture .* with seed {seed},"):
        list(ReplayBackend(2, answer).run(jobs))


def test_there_is_at_least_one_worker():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        ReplayBackend(0)
