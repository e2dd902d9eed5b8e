"""What MLflow's own client finds of a real search."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from run.tracking.real_search import rows_of, tracked_search

from rosearch.run.tracking import Tracked
from rosearch.run.tracking.mlflow import metric_name
from rosearch.run.tracking.row import Row


def test_a_name_keeps_what_mlflow_takes() -> None:
    assert metric_name("seconds/attack mine:build(2)@5%") == "seconds/attack mine_build_2__5_"
    assert metric_name("candidate/under_attack/textfooler-minilm") == "candidate/under_attack/textfooler-minilm"


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.track
@pytest.mark.filterwarnings("ignore")
def test_mlflow_shows_the_records_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    results = tracked_search(tmp_path / "there", "mlflow", monkeypatch)
    folder = results.run.path / "tracking" / "mlflow"
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("small")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.status, run.info.run_name) == ("FINISHED", results.run.path.name)
    rows = rows_of(results)
    names = {name for row in rows for name in row.figures}
    history = [
        (name, one.step, one.value) for name in names for one in client.get_metric_history(run.info.run_id, name)
    ]
    assert sorted(history) == sorted((name, row.number, value) for row in rows for name, value in row.figures.items())
    for row in rows:
        file = client.download_artifacts(run.info.run_id, f"records/{row.number}.json", str(tmp_path))
        assert Path(file).read_text() == row.text
    assert run.data.params.keys() == Tracked.of("mlflow", results.run, results.experiment).parameters.keys()
    assert run.data.params["evolution.candidates"] == "7"
    assert {one.path for one in client.list_artifacts(run.info.run_id)} == {
        "records",
        "experiment.yaml",
        "search_space.yaml",
    }
    assert not (tmp_path / "mlruns").exists() and not (tmp_path / "mlflow.db").exists()


@pytest.mark.track
@pytest.mark.filterwarnings("ignore")
def test_a_store_of_the_users_own_gets_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    from rosearch.run.tracking.mlflow import MLflow

    uri = f"sqlite:///{tmp_path / 'shared.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "everybody's")
    row = Row(7, "candidate", {"candidate/seconds/attack m:f(1)": 2.5}, {}, json.dumps({"nodes": "n" * 20_000}))
    told = Tracked(tmp_path / "run-0001", "small", tmp_path / "own", "word", {"a": "x" * 7000, "b": ""}, ())
    for there in (told, replace(told, run=tmp_path / "moved" / "run-0001", parameters={"a": "other", "c": 1})):
        tracker = MLflow(there)
        if 7 not in tracker.known():
            tracker.write(row)
        tracker.close(ended=False)
    client = MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("everybody's").experiment_id])
    assert run.info.status == "KILLED" and run.data.tags["rosearch.run"] == str(tmp_path / "moved" / "run-0001")
    assert run.data.params == {"a": "(7,000 characters: see experiment.yaml)", "b": "", "c": "1"}
    (metric,) = client.get_metric_history(run.info.run_id, "candidate/seconds/attack m_f_1_")
    assert (metric.value, metric.step) == (2.5, 7)
    text = Path(client.download_artifacts(run.info.run_id, "records/7.json", str(tmp_path))).read_text()
    assert len(json.loads(text)["genotype"]["nodes"]) == 20_000
