from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_run import WORDS, Quiet, write_experiment, write_teacher

from rosearch.attack.inputs import find_classifier, read_rows
from rosearch.config.experiment import Experiment
from rosearch.config.file import load_experiment
from rosearch.config.plain_data import read_yaml
from rosearch.data.columns import COLUMNS_BY_NAME
from rosearch.errors import BadInput
from rosearch.materials.derivation import derive
from rosearch.search import run_search


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment whose task gives neither labels nor length: 199 texts of 9 words or fewer, one of 25."""
    folder = tmp_path_factory.mktemp("made")
    write_experiment(folder, "classification")
    rng = random.Random(2)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(3, 9))) for _ in range(199)] + [" ".join(WORDS + WORDS[:5])]
    rows = [f"{text}\t{['positive', 'negative'][number % 2]}" for number, text in enumerate(texts)]
    (folder / "rows.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n")
    return folder


def load(folder: Path, **task: Any) -> Experiment:
    source = {"files": {"train": str(folder / "rows.tsv")}, "name": "t", "text": ["text"]}
    wanted = json.dumps({**source, **task})
    return load_experiment(folder / "experiment.yaml", [f"task={wanted}"])


def unnamed_teacher(folder: Path, names: list[str]) -> str:
    write_teacher(folder, names)
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {place: f"LABEL_{place}" for place in range(len(names))}
    config["label2id"] = {f"LABEL_{place}": place for place in range(len(names))}
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def test_labels_are_the_teachers_and_the_length_is_what_99_in_100_texts_keep_within(made: Path) -> None:
    experiment, told = derive(load(made))
    assert experiment.task is not None
    assert experiment.task.labels == ["negative", "positive"]  # in the order of its outputs
    assert experiment.task.max_length == 16
    assert told[0] == "labels negative, positive: those of the teacher"
    assert "max_length 16: 99 in 100 of 150 training texts have at most 1" in told[1]
    assert derive(load(made)) == derive(load(made)) and derive(experiment) == (experiment, ())


def test_labels_are_those_of_the_rows_where_the_teacher_names_none(made: Path, tmp_path: Path) -> None:
    teacher = unnamed_teacher(tmp_path / "teacher", ["a", "b"])
    experiment = load(made).model_copy(update={"teacher": load(made).teacher.model_copy(update={"model": teacher})})
    completed, told = derive(experiment)
    assert completed.task is not None and completed.task.labels == ["negative", "positive"]
    assert told[0] == "labels negative, positive: those in the column 'label'"


def test_a_length_is_at_most_what_the_teacher_reads(made: Path, tmp_path: Path) -> None:
    numbered = "".join(f"{'a ' * number}{' '.join(WORDS * 2)}\t{number % 2}\n" for number in range(90))
    (tmp_path / "rows.tsv").write_text("text\tlabel\n" + numbered)
    experiment, told = derive(load(made, files={"train": str(tmp_path / "rows.tsv")}))
    assert experiment.task is not None and experiment.task.max_length == 32
    assert told[1].endswith("of which the teacher reads 32")


def test_what_is_given_is_kept(made: Path) -> None:
    experiment = load(made, labels=["positive", "negative"], max_length=24)
    assert derive(experiment) == (experiment, ())
    experiment, told = derive(load(made, labels=["positive", "negative"]))
    assert experiment.task is not None and experiment.task.labels == ["positive", "negative"] and len(told) == 1


def test_spellings_are_counted_once_the_labels_are_known(made: Path) -> None:
    files = {"train": str(made / "rows.tsv"), "label_values": ["a", "b", "c"]}
    with pytest.raises(BadInput, match=r"label_values: expected a spelling for each of 2 labels"):
        derive(load(made, files=files))


def test_a_label_that_is_none_of_the_teachers_is_told(made: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.tsv").write_text("text\tlabel\n" + "".join(f"text {row}\tspam\n" for row in range(40)))
    with pytest.raises(BadInput, match="expected negative, positive, or their integers 0 to 1, got 'spam' in 40 of 40"):
        derive(load(made, files={"train": str(tmp_path / "rows.tsv")}))


def test_a_search_from_python_notes_what_was_derived_and_keeps_it(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, evolution={"candidates": 2, "population": 2})
    quiet = Quiet()
    notes: list[str] = []
    quiet.note = notes.append  # type: ignore[method-assign]
    results = run_search(load_experiment(path, ["task.max_length=null"]), quiet, tmp_path / "runs")
    assert [note.partition(":")[0] for note in notes] == ["max_length 16"]
    assert results.experiment.task is not None and results.experiment.task.max_length == 16


def test_an_attack_on_the_rows_of_an_experiment_derives_the_same(made: Path) -> None:
    data = read_yaml(made / "experiment.yaml")
    del data["task"]["labels"], data["task"]["max_length"]
    (made / "bare.yaml").write_text(yaml.safe_dump(data))
    rows = read_rows(made / "bare.yaml", "test", COLUMNS_BY_NAME, None, find_classifier(str(made / "teacher")))
    assert (rows.names, rows.max_length) == (("negative", "positive"), 16)
