from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from data.conftest import make_config

from rosearch.data import hub
from rosearch.data.hub import hub_reachable
from rosearch.data.loading import load_task
from rosearch.errors import BadInput, MissingResource


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset as the hub holds them: Parquet files that name the classes of their integer labels."""
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["negative", "positive"])}
    )
    folder = tmp_path / "dataset"
    folder.mkdir()
    sizes = {"train": 60, "validation": 20, "test": 10}
    for name, rows in sizes.items():
        labels = [-1] * rows if name == "test" else [row % 2 for row in range(rows)]
        texts = [f"{name} {row} {['bad', 'good'][row % 2]}" for row in range(rows)]
        data = datasets.Dataset.from_dict({"text": texts, "label": labels}, features=features)
        data.to_parquet(folder / f"{name}-00000-of-00001.parquet")
    return folder


def config(dataset: object, **changes: Any) -> Any:
    return make_config(hub={"dataset": str(dataset), "test": "validation"}, **changes)


def test_a_dataset_is_read_and_validation_carved_from_its_training_split(dataset: Path) -> None:
    task = load_task(config(dataset), seed=1)
    assert (len(task.train), len(task.validation), len(task.test)) == (52, 8, 20)
    for split in (task.train, task.validation, task.test):
        assert [int(text.endswith("good")) for (text,) in split.texts] == split.labels.tolist()


def test_integers_follow_the_names_that_the_dataset_gives_them(dataset: Path) -> None:
    task = load_task(config(dataset, labels=["positive", "negative"]), seed=1)
    assert [int(text.endswith("bad")) for (text,) in task.test.texts] == task.test.labels.tolist()


def test_class_names_that_are_not_ours_are_refused(dataset: Path) -> None:
    with pytest.raises(BadInput, match="the names of the dataset: negative, positive, got no, yes"):
        load_task(config(dataset, labels=["no", "yes"]), seed=1)


def test_an_unlabelled_split_is_refused(dataset: Path) -> None:
    changed = make_config(hub={"dataset": str(dataset), "test": "test"})
    with pytest.raises(BadInput, match="split test: column 'label': expected 0 to 1, got '-1' in 10 of 10 rows"):
        load_task(changed, seed=1)


def test_a_split_that_is_not_there_is_one_clear_line(dataset: Path) -> None:
    changed = make_config(hub={"dataset": str(dataset), "test": "dev"})
    with pytest.raises(MissingResource, match=r"split dev: .*--data-root FOLDER or -o task\.path=FOLDER") as caught:
        load_task(changed, seed=1)
    assert "\n" not in str(caught.value)


def test_without_a_network_the_message_comes_at_once_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import datasets
    from huggingface_hub import constants

    monkeypatch.setattr(hub, "hub_reachable", lambda: False)
    flags = (datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE)
    with pytest.raises(MissingResource) as caught:
        load_task(make_config(hub={"dataset": "nyu-mll/glue", "config": "sst2"}), seed=1)
    message = str(caught.value)
    assert message.startswith("dataset nyu-mll/glue (sst2), split train: it is not in the local cache")
    assert "--data-root" in message and "task.path" in message and "\n" not in message
    assert flags == (datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE)


def test_an_offline_flag_needs_no_network_to_be_believed() -> None:
    code = "from rosearch.data.hub import hub_reachable; print(hub_reachable())"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, timeout=60
    )
    assert done.stdout.strip() == "False"


def test_a_server_that_refuses_or_never_answers_is_not_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert hub_reachable() is False
    monkeypatch.setattr(hub, "_PATIENCE_S", 0.05)
    monkeypatch.setattr(hub, "_answers", lambda endpoint: time.sleep(1) or True)
    assert hub_reachable() is False
    monkeypatch.setattr(hub, "_answers", lambda endpoint: True)
    monkeypatch.setattr(hub, "_PATIENCE_S", 3.0)
    assert hub_reachable() is True
