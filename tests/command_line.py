"""The program `rosearch` in this process: torch is imported once for all tests."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rosearch.cli import main


@dataclass(frozen=True)
class Printed:
    stdout: str
    stderr: str

    @property
    def data(self) -> Any:
        return json.loads(self.stdout)


def rosearch(*arguments: str | Path, cwd: Path, expect: int = 0) -> Printed:
    """Run a command in the folder `cwd`, and hold its exit code to `expect`."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(cwd)
        patch.delenv("ROSEARCH_RESOURCES", raising=False)
        patch.setattr(sys, "argv", ["rosearch", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    assert (ended.value.code or 0) == expect, out.getvalue() + err.getvalue()
    return Printed(out.getvalue(), err.getvalue())
