"""The public surface: its names and signatures, where they live, what they load, and the usage that they open with."""

from __future__ import annotations

import doctest
import importlib
import inspect
import json
import pkgutil
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from compatibility.small_search import RECORDED
from small_run import SPACE, write_experiment
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import rosearch
from rosearch.attack import attack
from rosearch.errors import RunError

SIGNATURES = {
    "distil_student": "(experiment: 'Experiment', student: 'str | FoundStudent', to: 'str | Path', "
    "options: 'Options | None' = None, watcher: 'Watcher | None' = None) -> 'Distilled'",
    "load_experiment": "(path: 'str | Path', overrides: 'Iterable[str]' = (), "
    "data_root: 'str | Path | None' = None) -> 'Experiment'",
    "load_space": "(path: 'str | Path') -> 'Space'",
    "open_run": "(path: 'str | Path') -> 'OpenedRun'",
    "run_search": "(run: 'RunDirectory | Experiment', observer: 'Observer | None' = None, "
    "runs: 'str | Path' = 'runs', hours: 'float | None' = None, records: 'str | Path | None' = None) -> 'Results'",
}


class Runs(doctest.OutputChecker):
    """Output must be the one that stands there; where none does, the line must only run."""

    def check_output(self, want: str, got: str, flags: int) -> bool:
        return not want or super().check_output(want, got, flags)


def isolated(code: str) -> Any:
    """The JSON that code prints in a fresh process."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A copy of the recorded run: SQLite writes files beside what it reads."""
    return Path(shutil.copytree(RECORDED / "small-0001", tmp_path / "small-0001"))


def modules() -> list[str]:
    found = pkgutil.walk_packages(rosearch.__path__, "rosearch.")
    return [module.name for module in found if not module.name.endswith("__main__")]


def test_every_name_is_the_object_of_its_home_after_every_module_was_imported() -> None:
    names = modules()
    for name in names:
        importlib.import_module(name)
    for name in rosearch.__all__:
        found = getattr(rosearch, name)
        assert found.__name__ == name
        assert getattr(sys.modules[found.__module__], name) is found
        assert f"rosearch.{name}" not in names  # an imported module would take the place of a function of its name
    assert attack.__name__ == "attack" and importlib.import_module("rosearch.attack").attack is attack


def test_names_and_signatures_are_held(recorded: Path) -> None:
    assert {name: str(inspect.signature(getattr(rosearch, name))) for name in rosearch.__all__} == SIGNATURES
    opened = type(rosearch.open_run(recorded))
    public = {name for name in vars(opened) if not name.startswith("_")}
    assert public == {"candidate", "candidates", "front", "finalists", "features", "figures", "genotype", "student"}
    assert list(inspect.signature(opened.genotype).parameters) == ["self", "id"]
    assert list(inspect.signature(opened.student).parameters) == ["self", "id"]


def test_all_public_names_are_listed_and_an_unknown_one_names_them() -> None:
    assert rosearch.__all__ == sorted(SIGNATURES)
    assert set(rosearch.__all__) < set(dir(rosearch))
    with pytest.raises(AttributeError, match=r"no attribute 'serch'; it has distil_student, .*run_search"):
        rosearch.serch  # noqa: B018


def test_importing_the_package_loads_nothing_else() -> None:
    loaded = isolated(
        "import json, sys; before = set(sys.modules); import rosearch; print(json.dumps([*{*sys.modules} - before]))"
    )
    foreign = {name for name in loaded if name.split(".")[0] not in sys.stdlib_module_names}
    assert foreign == {"rosearch"}


def test_a_run_is_read_without_torch(recorded: Path) -> None:
    loaded = isolated(
        f"import json, sys, rosearch; run = rosearch.open_run({str(recorded)!r});"
        "frames = [run.candidates, run.front, run.finalists, run.features]; run.genotype(run.front.id[0]);"
        "print(json.dumps([name for name in sys.modules if '.' not in name]))"
    )
    assert "pandas" in loaded
    assert not {"torch", "transformers", "textattack", "matplotlib"} & set(loaded)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of the names in the docstrings, small enough to search in seconds; already searched once."""
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "experiments").mkdir()
    made = write_experiment(folder / "experiments", problem="classification", name="quickstart")
    (folder / "quickstart").write_text(made.read_text().replace("space.yaml", "experiments/space.yaml"))
    (folder / "robust_dag").write_text(yaml.safe_dump(SPACE))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        rosearch.run_search(rosearch.load_experiment("quickstart"))
    return folder


def usage(name: str) -> str:
    if name == "rosearch":
        return str(rosearch.__doc__)
    if name == "attack":
        return f"{attack.__doc__}\n{sys.modules[attack.__module__].__doc__}"
    return str(getattr(rosearch, name).__doc__)


@pytest.mark.parametrize("name", ["rosearch", "attack", *sorted(SIGNATURES)])
def test_the_usage_in_its_docstring_runs(name: str, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    given: dict[str, Any] = {"random": random}
    if name == "attack":
        teacher = workplace / "experiments" / "teacher"
        given["model"] = AutoModelForSequenceClassification.from_pretrained(teacher)
        given["tokenizer"] = AutoTokenizer.from_pretrained(teacher)
    examples = doctest.DocTestParser().get_doctest(usage(name), given, name, None, None)
    assert examples.examples
    complaints: list[str] = []
    doctest.DocTestRunner(checker=Runs(), verbose=False).run(examples, out=complaints.append)
    assert not complaints, "".join(complaints)


def test_the_frames_of_a_run_hold_its_records(workplace: Path) -> None:
    run = rosearch.open_run(workplace / "runs" / "quickstart-0001")
    assert len(run.candidates) == 7 and set(run.candidates.role) == {"candidate"}
    assert list(run.front.id) == [record.id for record in run.results.front]
    assert run.front.fitness.is_monotonic_decreasing
    assert list(run.finalists.replicate) == [record.replicate for record in run.results.of("finalist")]
    assert set(run.features.index) == {record.id for record in run.results.records}
    assert (run.features.depth >= 1).all()


def test_a_graph_and_a_model_of_a_record_are_of_its_architecture(workplace: Path) -> None:
    run = rosearch.open_run(workplace / "runs" / "quickstart-0001")
    best = run.front.id[0]
    graph, model = run.genotype(best[:8]), run.student(best)
    assert graph.number_of_nodes() - 1 == len(model.config.genotype["nodes"])
    assert graph.graph["width"] == model.config.genotype["width"]
    assert not model.training


def test_weights_that_were_not_kept_are_an_error_that_says_which_are(recorded: Path) -> None:
    run = rosearch.open_run(recorded)
    with pytest.raises(RunError, match=r"not kept.*keep_students"):
        run.student(run.front.id[0])
