"""A search that begins with the front of an earlier run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import rosearch
from small_run import SPACE, Quiet, outcomes, write_experiment

from rosearch.config.file import load_experiment
from rosearch.errors import BadInput, RunError
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.run.check import check_experiment
from rosearch.run.founders import founders_of, noted_founders
from rosearch.run.results import Results, load_results
from rosearch.search import run_search
from rosearch.space.loading import load_space


class Listening(Quiet):
    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("earlier")
    return run_search(RunDirectory.create(folder / "runs", load_experiment(write_experiment(folder))), Quiet())


def experiment(folder: Path, entry: object, **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    return write_experiment(folder, seed=8, **{**changes, "evolution": {"warm_start": [str(entry)]}})


def test_its_first_generation_are_the_best_of_that_front_and_their_records_say_so(
    earlier: Results, tmp_path: Path
) -> None:
    loaded = load_experiment(experiment(tmp_path, f"run:{earlier.run.path}"))
    found = run_search(RunDirectory.create(tmp_path / "runs", loaded), Quiet())
    first = [record for record in found.of("candidate") if record.generation == 0]
    front = earlier.front[:3]
    assert [record.id for record in first][: len(front)] == [record.id for record in front]
    assert [record.origin for record in first][: len(front)] == [
        f"warm_start:small-0001#{record.number}" for record in front
    ]
    assert len(found.of("candidate")) == 7


def test_it_goes_on_to_the_same_records_where_the_earlier_run_is_gone(earlier: Results, tmp_path: Path) -> None:
    shutil.copytree(earlier.run.path, tmp_path / "old")
    loaded = load_experiment(experiment(tmp_path, "run:old"))  # beside the experiment
    whole = run_search(RunDirectory.create(tmp_path / "runs", loaded), Quiet())
    run = RunDirectory.create(tmp_path / "runs", loaded)
    with Store.open(run.store) as store:
        noted_founders(store, loaded, load_space(run.search_space), Quiet())
    shutil.rmtree(tmp_path / "old")
    assert outcomes(run_search(run, Quiet()).records) == outcomes(whole.records)


def test_what_the_space_does_not_hold_or_there_is_no_room_for_is_said_and_left_out(
    earlier: Results, tmp_path: Path
) -> None:
    path = experiment(tmp_path, f"run:{earlier.run.path}")
    operations = {name: values for name, values in SPACE["operations"].items() if name != "ffn"}  # type: ignore[attr-defined]
    (tmp_path / "space.yaml").write_text(yaml.safe_dump({**SPACE, "operations": operations}))
    loaded, observer = load_experiment(path), Listening()
    (founders,) = founders_of(loaded, load_space(loaded.search_space)).values()
    with_ffn = {f"#{r.number}" for r in earlier.front if any(node.op == "ffn" for node in r.genotype.nodes)}
    assert len(founders.proposals) == len(earlier.front) - len(with_ffn) > 0
    assert {told.split(" (")[0] for told in founders.left_out} == with_ffn and "ffn" in founders.left_out[0]
    run = RunDirectory.create(tmp_path / "runs", loaded)
    with Store.open(run.store) as store:
        noted_founders(store, loaded, load_space(run.search_space), observer)
    assert observer.notes == [f"evolution.warm_start: {founders}"]


def test_a_front_larger_than_a_generation_is_cut_and_the_rest_is_said(earlier: Results, tmp_path: Path) -> None:
    path, room = experiment(tmp_path, f"run:{earlier.run.path}"), len(earlier.front)
    named = f"evolution.warm_start=[bert_mini, 'run:{earlier.run.path}']"
    sizes = (f"evolution.population={room}", f"evolution.candidates={room}")
    loaded, observer = load_experiment(path, (named, *sizes)), Listening()
    found = run_search(RunDirectory.create(tmp_path / "runs", loaded), observer)
    assert [record.id for record in found.of("candidate")][1:] == [record.id for record in earlier.front[:-1]]
    (note,) = observer.notes
    last = earlier.front[-1].number
    assert note == f"left out, as the first generation has no room for them: warm_start:small-0001#{last}"


def test_what_is_no_run_or_has_nothing_for_this_space_is_one_line_of_the_check(
    earlier: Results, tmp_path: Path
) -> None:
    loaded = load_experiment(experiment(tmp_path, f"run:{tmp_path}"))
    with pytest.raises(BadInput, match=r"e\.yaml: evolution\.warm_start\.0: expected run:FOLDER of a run, got"):
        check_experiment(loaded, "e.yaml")
    path = experiment(tmp_path / "other", f"run:{earlier.run.path}")
    (tmp_path / "other" / "space.yaml").write_text(yaml.safe_dump({**SPACE, "widths": [32]}))
    with pytest.raises(BadInput, match=r"architectures of the space small on its front, got .*width"):
        check_experiment(load_experiment(path), "e.yaml")


def test_the_check_says_what_is_taken(earlier: Results, tmp_path: Path) -> None:
    path = experiment(tmp_path, f"run:{earlier.run.path}")
    printed = rosearch("check", path, cwd=tmp_path).stdout
    assert f"warm start: {len(earlier.front)} architectures of the front of small-0001" in printed


@pytest.mark.parametrize("data", [[1], {"run:x": {"run": "x"}}, {"run:x": {"run": "x", "taken": [3], "left_out": []}}])
def test_founders_of_another_shape_are_a_damaged_run(data: object, tmp_path: Path) -> None:
    loaded = load_experiment(write_experiment(tmp_path))
    run = RunDirectory.create(tmp_path / "runs", loaded)
    with Store.open(run.store) as store:
        store.set_meta("warm_start", data)
        with pytest.raises(RunError, match="warm_start"):
            noted_founders(store, loaded, load_space(run.search_space), Quiet())
    assert load_results(run).records == ()
