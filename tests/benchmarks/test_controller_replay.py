from __future__ import annotations

import json
import random
from itertools import product
from math import log
from pathlib import Path

import pytest

from tests.benchmarks import controller_replay
from tests.benchmarks.controller_replay import compare, paired, read_outcomes

VALUES = {
    "layers": (3, 6, 12),
    "heads": (2, 4),
    "hidden": (384, 768),
    "ffn": (384, 1024, 3072),
    "activation": ("gelu", "relu"),
}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """72 encoders: loss falls and latency rises with size."""
    luck = random.Random(1)
    encoders = []
    for values in product(*VALUES.values()):
        row = dict(zip(VALUES, values, strict=True))
        layers, hidden, ffn = row["layers"], row["hidden"], row["ffn"]
        loss = 0.9 - 0.1 * log(layers) - 0.1 * log(hidden / 384) - 0.05 * log(ffn / 384) + luck.gauss(0, 0.01)
        latency = 1 + 1e-6 * layers * (4 * hidden**2 + 2 * hidden * ffn)
        encoders.append(row | {"held_out_loss": loss, "latency_ms": latency})
    path = tmp_path / "outcomes.json"
    path.write_text(json.dumps({"about": "synthetic", "teacher_latency_ms": 60.0, "encoders": encoders}))
    return path


def replayed(table: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    controller_replay.main([str(table), "--population", "6", "--candidates", "30", "--passes", "5", *options])
    return capsys.readouterr().out


def test_the_controller_is_ahead_of_random_search_where_there_is_something_to_learn(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--predictors", "boosting", "--seeds", "5", "--exploration-step", "0.3", "--json"]
    report = json.loads(replayed(table, capsys, *command))
    assert report["encoders"] == 72 and report["budgets"] == [6, 12, 18, 24, 30]
    found = report["against_random"]["boosting"]
    assert found["by_budget"][0] == {"gain": 0, "low": 0, "high": 0, "ahead": 0, "behind": 0, "p": 1}  # one episode
    assert found["over_all_budgets"]["gain"] > 0
    assert found["over_all_budgets"]["ahead"] > found["over_all_budgets"]["behind"]
    assert report["rank"]["boosting"] < report["rank"]["random"]
    assert report["tau"]["boosting"] > 0.3 and report["tau"]["random"] is None
    for curve in report["best"].values():
        means = [at["value"] for at in curve]
        assert means == sorted(means) and means[-1] <= report["optimum"]


def test_every_predictor_has_a_row_and_a_corrected_test(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = replayed(table, capsys, "--seeds", "2", "--candidates", "12")
    assert "Best reward so far" in text and "p (Holm)" in text
    for name in ("random", "lstm", "boosting", "gaussian_process"):
        assert name in text


def test_a_table_must_tell_the_whole_space(table: Path) -> None:
    assert len(read_outcomes(table).measured) == 72
    data = json.loads(table.read_text())
    table.write_text(json.dumps(data | {"encoders": data["encoders"][1:]}))
    with pytest.raises(ValueError, match="each of 72 encoders once, got 71 rows of 71"):
        read_outcomes(table)
    table.write_text(json.dumps(data | {"encoders": [*data["encoders"], data["encoders"][0]]}))
    with pytest.raises(ValueError, match="got 73 rows of 72"):
        read_outcomes(table)


def test_paired_tests_are_those_of_scipy_and_equal_pairs_tell_nothing() -> None:
    found = paired([0.1, 0.2, 0.3, 0.4, 0.5, 0.0])
    assert (found["ahead"], found["behind"], found["gain"]) == (5, 0, pytest.approx(0.25))
    assert found["p"] == pytest.approx(0.0625)  # 2 / 2^5, exact
    assert paired([0.0, 0.0])["p"] == 1.0


def test_p_values_are_corrected_for_the_number_of_predictors() -> None:
    def of(*best: float) -> list[controller_replay.Replay]:
        return [controller_replay.Replay([1], [value], 1, None) for value in best]

    ahead, level = of(1.1, 2.2, 3.3, 4.4, 5.5), of(1.1, 1.8, 3.1, 3.9, 5.0)
    report = compare({"random": of(1, 2, 3, 4, 5), "lstm": ahead, "boosting": level}, 9.0)
    tests = {name: found["over_all_budgets"] for name, found in report["against_random"].items()}
    assert tests["lstm"]["p_holm"] == pytest.approx(2 * tests["lstm"]["p"])
    assert tests["boosting"]["p_holm"] == tests["boosting"]["p"] > tests["lstm"]["p_holm"]
