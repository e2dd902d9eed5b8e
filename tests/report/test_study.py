from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from command_line import rosearch
from report.made_run import make_run

from rosearch.errors import RunError
from rosearch.records.run_directory import RunDirectory
from rosearch.report.study import TERMS, _choices, _parameters, write_study
from rosearch.run.results import Results, load_results
from rosearch.space.genotype import Genotype


def test_a_parameter_has_every_value_of_the_space_from_the_first_trial_on(made: Results) -> None:
    chosen = [_parameters(record.genotype) for record in made.of("candidate")]
    choices = _choices(made, chosen)
    assert choices["width"] == [128, 192, 256, 320, 384, 448, 512] and max(choices["nodes"]) == 12  # of robust_dag
    assert choices["pooling"] == ["attention", "first", "mean"] and choices["rank"][0] == 32  # one that the space lacks
    assert all(
        set(one) >= set(choices) and all(one[name] in choices[name] for name in ("width", "rank")) for one in chosen
    )


def test_parameters_of_equal_architectures_are_equal(made: Results) -> None:
    genotype = made.records[0].genotype
    again = Genotype.from_graph(genotype.graph)
    assert _parameters(again) == _parameters(genotype) and sum(_parameters(genotype)[op] for op in ("conv", "glu")) >= 0


def test_where_nothing_is_over_there_is_no_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import rosearch.report.study as study

    monkeypatch.setattr(study, "require_optuna", lambda: None)
    empty = RunDirectory.create(tmp_path, make_run(tmp_path / "other", 1).experiment)
    with pytest.raises(RunError, match="no candidate is over yet"):
        write_study(load_results(empty), tmp_path / "study.db")
    assert not (tmp_path / "study.db").exists()


def study_of(results: Results, path: Path) -> Any:
    import optuna

    write_study(results, path)
    return optuna.load_study(study_name=results.run.path.name, storage=f"sqlite:///{path}")


@pytest.mark.track
def test_a_study_holds_what_the_records_hold(made: Results, tmp_path: Path) -> None:
    study = study_of(made, tmp_path / "study.db")
    trials = {trial.user_attrs["record"]: trial for trial in study.trials}
    candidates = {record.number: record for record in made.of("candidate")}
    assert trials.keys() == candidates.keys() and study.metric_names == list(TERMS)
    for number, record in candidates.items():
        trial, fitness = trials[number], made.fitness.get(number)
        assert json.loads(trial.user_attrs["genotype"]) == record.genotype.to_dict()
        if fitness is None:
            assert (trial.state.name, trial.values, trial.user_attrs["failure"]) == ("FAIL", None, "nan")
            continue
        assert trial.state.name == ("COMPLETE" if fitness.eligible else "PRUNED")
        assert trial.values == list(fitness.objectives) and trial.user_attrs["fitness"] == fitness.scalar
        assert trial.user_attrs.get("missed gates", "") == " ".join(fitness.gates)
        assert (trial.system_attrs["constraints"][0] > 0) == bool(fitness.gates)
        assert trial.duration.total_seconds() == sum(record.seconds.values())
    assert {trial.user_attrs["record"] for trial in study.best_trials} == {record.number for record in made.front}


@pytest.mark.track
def test_optuna_goes_on_with_a_study(made: Results, tmp_path: Path) -> None:
    study = study_of(made, tmp_path / "study.db")
    before = len(study.trials)
    study.add_trial(study.trials[0])  # refused, were the choices of a parameter others
    assert len(study.trials) == before + 1


@pytest.mark.track
def test_the_dashboard_shows_the_records_the_failures_and_the_front(made: Results, tmp_path: Path) -> None:
    write_study(made, tmp_path / "study.db")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = [sys.executable, "-c", "from optuna_dashboard._cli import main; main()", "--port", str(port)]
    with subprocess.Popen([*program, f"sqlite:///{tmp_path / 'study.db'}"], stderr=subprocess.DEVNULL) as dashboard:
        try:
            (listed,) = answered(port, "/api/studies")["study_summaries"]
            shown = answered(port, f"/api/studies/{listed['study_id']}")
        finally:
            dashboard.terminate()
    assert listed["study_name"] == made.run.path.name and shown["objective_names"] == list(TERMS)
    number = {trial["number"]: record_of(trial) for trial in shown["trials"]}
    states = {record_of(trial): trial["state"] for trial in shown["trials"]}
    told = {record.number: made.fitness.get(record.number) for record in made.of("candidate")}
    assert states == {
        one: "Fail" if fitness is None else "Complete" if fitness.eligible else "Pruned"
        for one, fitness in told.items()
    }
    for trial in shown["trials"]:
        if trial["state"] != "Fail":
            assert trial["values"] == list(made.fitness[record_of(trial)].objectives)
    assert {number[trial["number"]] for trial in shown["best_trials"]} == {record.number for record in made.front}
    assert {len(one["distribution"]["choices"]) for one in shown["union_search_space"] if one["name"] == "width"} == {7}


def record_of(trial: dict[str, Any]) -> int:
    return next(int(one["value"]) for one in trial["user_attrs"] if one["key"] == "record")


def answered(port: int, path: str) -> Any:
    """What the dashboard answers, once it does."""
    until = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
                return json.load(answer)
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.2)


@pytest.mark.track
def test_the_command_writes_one_file_and_nothing_beside_it(tmp_path: Path) -> None:
    results = make_run(tmp_path, 6)
    told = rosearch("export", results.run.path, "--format", "optuna", "--to", "a/study.db", "--json", cwd=tmp_path).data
    assert told == {"run": str(results.run.path), "format": "optuna", "file": "a/study.db"}
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["study.db"]  # no log beside it
