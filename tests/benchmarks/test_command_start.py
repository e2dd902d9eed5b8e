from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import command_start


@pytest.mark.parametrize(
    ("name", "code"), [("libraries", 0), ("bare", 0), ("help", 0), ("wrong path", 3), ("wrong key", 3)]
)
def test_each_command_that_is_timed_ends_as_it_is_called(name: str, code: int, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, *command_start.COMMANDS[name]], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)


def test_processor_time_is_that_of_the_process(tmp_path: Path) -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    assert command_start.milliseconds(("-c", busy), tmp_path) >= 300
