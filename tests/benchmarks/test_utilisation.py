from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from evolution.landscapes import DAG

from tests.benchmarks import utilisation as benchmark
from tests.benchmarks.utilisation import MODES, Found, landscape, measure, parameters_of, rows, seconds_of, utilisation
from tests.equal_records import HERE, environment


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    """Eight workers with six candidates each, and a driver that takes no time."""
    folder = tmp_path_factory.mktemp("utilisation")
    return {mode: measure(mode, 8, 6, folder / mode, driver_clock=None) for mode in MODES.values()}


def test_the_workers_of_a_steady_search_wait_for_nobody_and_those_of_a_generation_for_its_slowest(
    found: dict[str, Found],
) -> None:
    assert found["steady"].utilisation == pytest.approx(1.0)
    assert found["generational"].utilisation < 0.9
    assert found["steady"].worker_hours < found["generational"].worker_hours
    assert all(0 < one.hypervolume < 1 for one in found.values())


def test_equal_seeds_give_equal_figures_where_the_driver_takes_no_time(found: dict[str, Found], tmp_path: Path) -> None:
    again = measure("steady", 8, 6, tmp_path, driver_clock=None)
    assert (again.utilisation, again.hypervolume, again.worker_hours) == (
        found["steady"].utilisation,
        found["steady"].hypervolume,
        found["steady"].worker_hours,
    )


def test_the_time_of_the_driver_counts_while_workers_wait_for_it(tmp_path: Path) -> None:
    ticks = iter(range(10**6))
    slow = measure("steady", 8, 3, tmp_path, driver_clock=lambda: 10.0 * next(ticks))
    assert slow.utilisation < 0.9


def test_utilisation_counts_from_the_first_to_the_last_start() -> None:
    assert utilisation([(0.0, 2.0), (0.0, 4.0), (4.0, 9.0)], workers=2) == (2 + 4) / 8
    assert utilisation([(3.0, 5.0)], workers=1) == 1.0


def test_larger_architectures_take_longer_and_the_landscape_is_a_function_of_the_genotype() -> None:
    rng = random.Random(1)
    drawn = sorted((DAG.sample(rng) for _ in range(200)), key=parameters_of)
    seconds = [seconds_of(genotype) for genotype in drawn]
    assert sum(seconds[100:]) > 1.5 * sum(seconds[:100])
    assert max(seconds) > 4 * sorted(seconds)[100]  # a long tail
    for genotype in drawn:
        assert landscape(genotype) == landscape(genotype)
        assert 0.5 < landscape(genotype).quality.value < 1


def test_the_command_prints_both_shares_of_the_largest_number_of_workers_and_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def here(mode: str, workers: int, each: int) -> Found:
        return measure(mode, workers, each, tmp_path / f"{mode}-{workers}")

    monkeypatch.setattr(benchmark, "_child", here)
    monkeypatch.setattr("sys.argv", ["utilisation", "--workers", "1,3", "--each", "2", "--json"])
    benchmark.main()
    data = json.loads(capsys.readouterr().out)
    assert [*data] == ["asynchronous_3", "generational_3", "table"] and [*data["table"]] == ["1", "3"]
    assert data["table"]["3"]["candidates"] == 6
    assert data["asynchronous_3"] == data["table"]["3"]["asynchronous"]["utilisation"]
    lines = [*rows(data["table"])]
    assert len(lines) == 5 and len({line.count("|") for line in lines}) == 1


def test_a_search_is_a_process_of_its_own() -> None:
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.utilisation",
        "--child",
        "steady",
        "--workers",
        "2",
        "--each",
        "2",
    ]
    done = subprocess.run(command, env=environment(HERE), cwd=HERE, check=True, stdout=subprocess.PIPE, text=True)
    assert Found(**json.loads(done.stdout)).worker_hours > 0
