from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks import attack_groups


def model(name: str, pruthi: str, worst: str) -> dict[str, object]:
    return {"model": name, "attacks": [{"attack": "pruthi", "outcomes": pruthi}], "worst": {"outcomes": worst}}


def test_a_group_is_the_mean_of_its_models_and_gains_are_of_the_same_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [
        model("a", "mbbq", "mbbb"),
        model("b", "mbbb", "mbbb"),
        model("c", "ssbs", "sbbb"),
        model("d", "sbbs", "sbbb"),
    ]
    path = tmp_path / "attacked.json"
    path.write_text(json.dumps({"models": models}))
    attack_groups.main([str(path), "--group", "kd=a,b", "--group", "robust_kd=c,d"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| | pruthi | worst case |"
    assert lines[2] == "| `kd` | 12.5 [0.0, 25.0] | 0.0 [0.0, 0.0] |"
    assert lines[3] == "| `robust_kd` | 62.5 [50.0, 75.0] | 25.0 [25.0, 25.0] |"
    assert lines[4].startswith("| `robust_kd` over `kd` | +50.0 points") and "+25.0 points" in lines[4]
