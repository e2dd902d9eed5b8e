"""A search within hard limits: what is too large is never trained, and a limit that leaves nothing is told."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from small_run import Quiet, write_encoder_experiment, write_experiment

from rosearch.config.file import load_experiment
from rosearch.errors import BadInput, MissingResource, RunError
from rosearch.records.run_directory import RunDirectory
from rosearch.records.store import Store
from rosearch.run.check import check_experiment, check_resources, look_at
from rosearch.run.results import Results
from rosearch.run.teacher import prepare_run
from rosearch.search import cache_folder, run_search


class Listening(Quiet):
    """An observer that remembers notes as well."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def search(path: Path, most: int, observer: Quiet | None = None, **changes: Any) -> Results:
    experiment = load_experiment(path, (f"fitness.max_parameters={most}", *(f"{k}={v}" for k, v in changes.items())))
    return run_search(RunDirectory.create(path.parent / "runs", experiment), observer or Quiet())


def sizes(results: Results) -> list[int]:
    return [record.measurements.efficiency.parameters for record in results.records if record.measurements]


@pytest.mark.parametrize("write", [write_experiment, write_encoder_experiment])
def test_students_are_counted_before_they_are_built_as_they_are_measured(write: Any, tmp_path: Path) -> None:
    found = search(write(tmp_path, fitness={"reward": None}), 10**9)
    with Store.open(found.run.store) as store:
        _, limit = prepare_run(found.run, store, cache_folder(found.run), Quiet())
    assert limit is not None
    assert [limit.parameters(record.genotype) for record in found.records] == sizes(found)


def test_no_student_above_the_limit_is_trained_but_for_baselines_which_it_gates(tmp_path: Path) -> None:
    path, observer = write_experiment(tmp_path, baselines=["bert_mini"]), Listening()
    found = search(path, 6000, observer, **{"evolution.warm_start": "[autodistil]"})
    (baseline,) = found.of("baseline")
    assert len(found.of("candidate")) == 7 and found.fitness[baseline.number].gates == ("max_parameters",)
    assert max(size for size in sizes(found) if size != sizes(found)[0]) <= 6000
    (note,) = observer.notes
    assert note.startswith("warm_start:autodistil is left out") and "above fitness.max_parameters" in note


def test_a_limit_below_every_student_of_the_space_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"fitness\.max_parameters: expected room for a student.*got 100"):
        search(write_experiment(tmp_path), 100)


@pytest.mark.parametrize(("space", "table"), [("robust_dag", 64 * 30522), ("robust_input", 0)])
def test_a_limit_below_the_bound_of_the_space_is_told_before_the_teacher_is_measured(space: str, table: int) -> None:
    with pytest.raises(BadInput, match=f"no student of {space} is smaller") as caught:
        look_at("quickstart", [f"search_space={space}", "fitness.max_parameters=1"])
    (problem,) = caught.value.problems
    bound = int(problem.expected.removeprefix("at least ").partition(":")[0].replace(",", ""))
    assert bound > table  # the smallest; an encoding of words may leave next to none of it
    look_at("quickstart", [f"search_space={space}", f"fitness.max_parameters={bound}"])
    with pytest.raises(BadInput):
        look_at("quickstart", [f"search_space={space}", f"fitness.max_parameters={bound - 1}"])


def test_a_search_on_ray_needs_ray_and_is_told_so_beside_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None if name == "ray" else real(name, *more))
    with pytest.raises(MissingResource, match=r'ray is not installed; pip install "rosearch\[ray\]"'):
        look_at("quickstart", ["execution.backend=ray"])
    with pytest.raises(BadInput, match="baselines") as caught:
        look_at("quickstart", ["execution.backend=ray", "baselines=[adabrt]"])
    assert "ray is not installed" in "\n".join(caught.value.lines)


def test_an_attack_of_the_users_own_is_checked_measured_in_workers_and_may_not_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "own_attacks_of_a_search.py"
    module.write_text(
        "def build(model):\n    import textattack\n    return textattack.attack_recipes.Pruthi2019.build(model)\n"
    )
    monkeypatch.chdir(tmp_path)
    name = "own_attacks_of_a_search:build"
    suites = {"search": {"rows": 4, "attacks": [name]}, "report": {"rows": 4, "attacks": ["deepwordbug"]}}
    small = {"candidates": 2, "population": 2, "elite": 1}
    path = write_experiment(
        tmp_path, "classification", evaluation={"robustness": suites}, evolution=small, execution={"workers": 1}
    )
    missing = load_experiment(path, ("evaluation.robustness.search.attacks=['own_attacks_of_a_search:other']",))
    with pytest.raises(BadInput, match="expected a function other in"):
        check_resources(missing)
    loaded = load_experiment(path)
    check_experiment(loaded, str(path))
    assert name in check_resources(loaded)["attacks"]
    found = run_search(RunDirectory.create(tmp_path / "runs", loaded), Quiet())
    for record in found.of("candidate"):
        assert record.measurements is not None and record.measurements.robustness is not None
        assert record.measurements.robustness.attack == name
        assert "a function of yours, source " in record.measurements.robustness.differs
    module.write_text(module.read_text() + "# changed\n")
    with pytest.raises(RunError, match="the attacks changed since the run began"):
        run_search(found.run, Quiet())


def test_a_source_of_the_users_own_gives_equal_records_with_any_workers_and_may_not_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "own_edits_of_a_search.py"
    code = "return [' '.join(random.Random(seed).sample(text.split(), len(text.split()))) for text in texts]"
    module.write_text(f"import random\n\n\ndef mixed(texts, share, seed):\n    {code}\n")
    monkeypatch.chdir(tmp_path)
    method = {"method": "robust_kd", "robust_kd": {"sources": ["own_edits_of_a_search:mixed"], "ramp": 0.0}}

    def run(name: str, workers: int, **changes: Any) -> Results:
        (tmp_path / name).mkdir()
        small = {"candidates": 2, "population": 2, "elite": 1}
        settings = {"evolution": small, "execution": {"workers": workers}, "distillation": {**method, **changes}}
        loaded = load_experiment(write_experiment(tmp_path / name, **settings))
        check_resources(loaded)
        return run_search(RunDirectory.create(tmp_path / name / "runs", loaded), Quiet())

    first, second = run("first", 0), run("second", 2)
    losses = [
        [record.measurements.training for record in found.records if record.measurements] for found in (first, second)
    ]
    assert len(losses[0]) == 2
    assert [one.final_loss for one in losses[0]] == [one.final_loss for one in losses[1]]
    module.write_text(module.read_text() + "# changed\n")
    with pytest.raises(RunError, match="the functions of the training changed since the run began"):
        run_search(first.run, Quiet())
