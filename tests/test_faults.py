"""The short form of `python -m tests.faults`: a sample of its kills, failing disks, and all other faults.

It is a step of its own in CI: half a minute of processes that wait for each other.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.write_sites import Moment, fault

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_no_fault_loses_doubles_or_changes_a_record_or_goes_unsaid() -> None:
    command = [sys.executable, "-m", "tests.faults", "--short", "--kills", "10", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert {name: found[name] for name in ("lost", "doubled", "unequal", "silent")} == dict.fromkeys(
        ("lost", "doubled", "unequal", "silent"), 0
    )
    # A moment that a slow machine never reaches is told as missed, and is no kill.
    assert found["kills"] >= 5 and found["kills"] + found["missed"] >= 10
    assert found["faults"] == sum(found["by_kind"].values()) and found["faults"] + found["missed"] >= 20
    assert found["sites"] > 40  # the listing saw the disk being changed


def test_the_errors_that_are_injected_are_those_of_the_machine() -> None:
    assert str(fault(28, Moment("COMMIT in store", 1, "before", database=True))) == "database or disk is full"
    assert str(fault(5, Moment("open in files", 1, "before"))) == "[Errno 5] Input/output error"
