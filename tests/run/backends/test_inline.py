from __future__ import annotations

import os

import pytest
from run.backends import chores

from rosearch.run.backends.backend import Job
from rosearch.run.backends.inline import InlineBackend


def interrupt(_, progress):
    raise KeyboardInterrupt


def test_jobs_run_in_the_process_of_the_driver_in_the_order_given():
    results = list(InlineBackend().run([Job(key, chores.process_id, None) for key in (3, 1, 2)]))
    assert [(result.key, result.value) for result in results] == [(key, os.getpid()) for key in (3, 1, 2)]


def test_an_interrupt_is_the_drivers_and_not_a_result():
    with pytest.raises(KeyboardInterrupt):
        list(InlineBackend().run([Job(1, interrupt, None)]))
