"""The contract that every backend keeps."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from run.backends import chores
from run.backends.clusters import two_nodes

from rosearch.config.experiment import ExecutionConfig
from rosearch.run.backends import BACKENDS, Given, make_backend
from rosearch.run.backends.backend import Backend, Job, Result
from rosearch.run.backends.inline import InlineBackend
from rosearch.run.backends.local import LocalBackend
from rosearch.run.backends.replay import ReplayBackend


def settings(name: str, address: str | None) -> ExecutionConfig:
    return ExecutionConfig(backend="ray", address=address) if name == "ray" else ExecutionConfig(workers=2)


def make(name: str, address: str | None = None) -> Backend:
    """`replay`, which no experiment names, calls the jobs themselves; each takes a second of its clock."""
    if name == "replay":
        return ReplayBackend(2, seconds=lambda result: 1.0)
    return BACKENDS[name](settings(name, address), Given())


@pytest.fixture(scope="module", params=["inline", "local", "replay", pytest.param("ray", marks=pytest.mark.ray)])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    with ExitStack() as stack:
        address = stack.enter_context(two_nodes()).address if request.param == "ray" else None
        yield stack.enter_context(make(request.param, address))


def only(results: Iterator[Result]) -> Result:
    (result,) = results
    return result


def test_the_registry_is_what_the_configuration_chooses_from():
    assert sorted(BACKENDS) == ["inline", "local", "ray"]  # the contract runs over all of them
    assert isinstance(make_backend(ExecutionConfig(workers=0)), InlineBackend)
    local = make_backend(ExecutionConfig(workers=3, threads=2, timeout_minutes=0.5))
    assert isinstance(local, LocalBackend)
    assert (local.workers, local.threads, local.timeout_s) == (3, 2, 30.0)


def test_every_job_gives_one_result_under_its_key(backend):
    jobs = [Job(100 - number, chores.square, number) for number in range(20)]
    results = list(backend.run(jobs))
    assert sorted(result.key for result in results) == sorted(job.key for job in jobs)
    assert {result.key: result.value for result in results} == {100 - n: n * n for n in range(20)}
    assert all(result.lost is None for result in results)


def test_no_jobs_give_no_results(backend):
    assert list(backend.run([])) == []


def test_start_comes_before_progress_and_progress_before_the_result(backend):
    seen = []
    jobs = [Job(key, chores.count, 300) for key in (1, 2, 3)]

    def start(key: int) -> None:
        seen.append((key, "start"))

    for result in backend.run(jobs, start, lambda *step: seen.append(step)):
        seen.append((result.key, "result"))
    for key in (1, 2, 3):
        of_key = [event[1:] for event in seen if event[0] == key]
        assert of_key[0] == ("start",)
        assert of_key[-1] == ("result",)
        steps = of_key[1:-1]
        assert ("first", 300, 300) in steps
        assert steps[-1] == ("second", 300, 300)
        assert steps == sorted(steps)


def test_an_exception_is_a_lost_job_that_says_what_where_and_in_which_stage(backend):
    result = only(backend.run([Job(1, chores.fail, "two\nlines \ud800")]))
    assert result.value is None
    assert result.lost.kind == "exception"
    assert result.lost.message.startswith("ValueError: two lines ? (chores.py:")
    assert result.lost.stage == "distil"


@pytest.mark.parametrize(
    ("number", "kind"), [("ENOSPC", "machine"), ("EMFILE", "machine"), ("ENOMEM", "oom"), ("ENOENT", "exception")]
)
def test_a_fault_of_the_machine_is_told_from_one_of_the_job(backend, number, kind):
    lost = only(backend.run([Job(1, chores.run_out, getattr(errno, number))])).lost
    assert (lost.kind, lost.stage) == (kind, "save")


def test_an_enormous_message_is_cut(backend):
    assert len(only(backend.run([Job(1, chores.fail, "x" * 10**6)])).lost.message) < 3000


@pytest.mark.parametrize(
    ("function", "argument", "words"),
    [
        (chores.leave, 2, "SystemExit: 2"),
        (chores.fail_shyly, None, "ShyError"),
        (chores.return_unpicklable, None, "this cannot travel"),
        (chores.return_unreadable, None, "it breaks on arrival"),
        (chores.square, chores.Unpicklable(), "this cannot travel"),
        (chores.square, chores.Unreadable(), "it breaks on arrival"),
        (lambda argument, progress: None, None, "<lambda>"),
    ],
    ids=["exit", "unprintable", "value_out", "value_in", "argument_out", "argument_in", "lambda"],
)
def test_what_cannot_be_run_or_sent_is_lost_alone(backend, function, argument, words):
    results = {r.key: r for r in backend.run([Job(1, function, argument), Job(2, chores.square, 3)])}
    assert results[1].lost.kind == "exception"
    assert words in results[1].lost.message
    assert "\n" not in results[1].lost.message
    assert results[2] == Result(2, 9)


def test_a_job_does_not_share_memory_with_the_driver(backend):
    numbers = [1, 2]
    assert only(backend.run([Job(1, chores.extend, numbers)])).value == [1, 2, 0]
    assert numbers == [1, 2]


def test_leaving_the_iteration_early_does_not_disturb_the_next_batch(backend):
    results = backend.run([Job(key, chores.count, 50) for key in range(8)])
    next(results)
    results.close()
    assert {r.key: r.value for r in backend.run([Job(key, chores.square, key) for key in (50, 51)])} == {
        50: 2500,
        51: 2601,
    }


@pytest.mark.parametrize("callback", ["on_start", "on_progress"])
def test_an_error_in_a_callback_reaches_the_driver_and_does_not_disturb_the_next_batch(backend, callback):
    with pytest.raises(ZeroDivisionError):
        list(backend.run([Job(1, chores.count, 10)], **{callback: lambda *_: 1 // 0}))
    assert only(backend.run([Job(9, chores.square, 9)])).value == 81


@pytest.mark.parametrize("name", [*sorted(BACKENDS), "replay"])
def test_closing_twice_or_unused_is_harmless(name):
    backend = make(name)
    backend.close()
    backend.close()


def test_no_job_starts_once_there_are_to_be_no_more_and_those_under_way_are_finished(backend):
    started = []
    jobs = [Job(number, chores.square, number) for number in range(30)]
    results = list(backend.run(jobs, started.append, more=lambda: len(started) < 3))
    assert 3 <= len(started) <= 5
    assert sorted(result.key for result in results) == sorted(started)
    assert [result.value for result in backend.run([Job(1, chores.square, 5)])] == [25]


def test_a_job_is_made_when_a_worker_is_free_for_it_of_all_that_came_before(backend):
    came, made = [], []

    def next_job() -> Job | None:
        if len(made) == 12:
            return None
        made.append(len(came))
        return Job(len(made), chores.square, len(made))

    for result in backend.run(next_job):
        came.append(result.key)
    assert sorted(came) == [*range(1, 13)]
    workers = made.count(0)  # each has one before the first result
    assert 1 <= workers <= 4
    assert made[workers:] == [*range(1, 13 - workers)]  # and from then on the next after each


def test_a_function_that_has_no_job_now_is_asked_again_after_each_result(backend):
    came, made = [], []

    def next_job() -> Job | None:
        if len(made) == 2 or (made and not came):  # the second follows from the first
            return None
        made.append(len(made) + 1)
        return Job(made[-1], chores.square, made[-1])

    for result in backend.run(next_job):
        came.append(result.key)
    assert came == made == [1, 2]


def test_a_job_that_cannot_be_sent_leaves_its_place_to_the_next(backend):
    jobs = iter([Job(1, chores.square, chores.Unpicklable()), Job(2, chores.square, 2), Job(3, chores.square, 3)])
    results = {result.key: result for result in backend.run(lambda: next(jobs, None))}
    assert sorted(results) == [1, 2, 3] and results[1].lost is not None and results[3].value == 9
