from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import fuzz
from tests.fuzz import SHORT, Fuzz


@pytest.mark.parametrize("kind", SHORT)
def test_mutated_inputs_end_in_no_traceback_no_hang_and_no_endless_message(kind: str, tmp_path: Path) -> None:
    figures = Fuzz(tmp_path / "fuzz").run({kind: SHORT[kind]})
    assert figures.failing == []
    assert figures.tracebacks == figures.hangs == figures.raw == 0
    assert figures.longest_message < fuzz.LONGEST
    assert sum(figures.exits.values()) >= SHORT[kind]


@pytest.mark.parametrize("kind", SHORT)
def test_an_undamaged_input_is_read_and_a_mutated_one_is_made_again(kind: str, tmp_path: Path) -> None:
    made = Fuzz(tmp_path / "fuzz")
    made.one(kind, -1)
    usual = {"genotypes": {"3": 1, "0": 1}}  # the command that reads them is given no task
    assert set(made.figures.exits) == set(usual.get(kind, {"0": 1}))
    contents = []
    for _ in range(2):
        made.one(kind, 5)
        contents.append({path.name: path.read_bytes() for path in made.place.glob("*") if path.is_file()})
    assert contents[0] == contents[1]


def test_the_program_prints_its_figures_and_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    none = [f"--{kind}=0" for kind in SHORT if kind != "genotypes"]
    assert fuzz.main(["--json", "--genotypes=2", *none]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["inputs"]["genotypes"] == 2 and figures["failing"] == []
    assert {"tracebacks", "hangs", "longest_message", "peak_mib"} <= set(figures)
