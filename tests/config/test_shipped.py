from __future__ import annotations

from pathlib import Path

import pytest

from rosearch import load_experiment, load_space
from rosearch.config.shipped import EXPERIMENTS, SPACES, Shelf
from rosearch.errors import BadInput, RunError

ROOT = Path(__file__).parents[2]
COLUMNS = 80 - 5  # letters of a name and its line that a terminal of 80 columns has room for

shelves = pytest.mark.parametrize("shelf", [EXPERIMENTS, SPACES], ids=lambda shelf: shelf.folder)


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A working directory with nothing in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problem(path: str, *overrides: str) -> str:
    with pytest.raises(BadInput) as caught:
        load_space(load_experiment(path, overrides).search_space)
    return str(caught.value)


@shelves
def test_every_file_of_a_folder_has_a_name_and_a_line_about_it(shelf: Shelf) -> None:
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / shelf.folder).rglob("*.yaml")}
    assert {f"{shelf.folder}/{one.name}.yaml" for one in shelf.entries()} == files
    longest = max(map(len, shelf.names()))
    for one in shelf.entries():
        assert 20 < len(one.about) <= COLUMNS - longest and one.about[-1] in ".?", one
        assert one.file.read_text().startswith(f"# {one.about}\n")


def test_an_experiment_is_named_from_anywhere_and_names_its_space() -> None:
    for one in EXPERIMENTS.entries():
        experiment = load_experiment(one.name)
        assert experiment == load_experiment(one.file)
        assert load_space(experiment.search_space).name in SPACES.names()
        assert experiment.search_space.parent == SPACES.root  # no path leads out of a copy's folder


def test_a_space_is_named_in_a_file_in_an_override_and_in_python(elsewhere: Path) -> None:
    mine = EXPERIMENTS.copy("quickstart")
    assert load_experiment(mine, ["search_space=tiny"]).search_space == SPACES.root / "tiny.yaml"
    assert load_experiment("quickstart", ["search_space=tiny"]).search_space == SPACES.root / "tiny.yaml"
    assert load_space("tiny").name == "tiny"


def test_a_file_that_exists_wins_over_a_name(elsewhere: Path) -> None:
    (elsewhere / "deep").mkdir()
    EXPERIMENTS.copy("cola", elsewhere / "deep" / "mine.yaml")
    (elsewhere / "deep" / "robust_dag").write_text((SPACES.root / "tiny.yaml").read_text())
    (elsewhere / "sst2").write_text((EXPERIMENTS.root / "rte.yaml").read_text())
    assert load_experiment("deep/mine.yaml").search_space == elsewhere / "deep" / "robust_dag"
    assert load_experiment("sst2").name == "rte"
    (elsewhere / "mrpc").mkdir()  # a folder is no experiment
    assert load_experiment("mrpc").name == "mrpc"


def test_paths_beside_a_name_are_those_of_the_user(elsewhere: Path) -> None:
    (elsewhere / "spaces").mkdir()
    SPACES.copy("tiny", elsewhere / "spaces")
    found = load_experiment("quickstart", ["search_space=spaces/tiny.yaml"])
    assert found.search_space == elsewhere / "spaces" / "tiny.yaml"


def test_a_wrong_name_is_told_with_the_one_that_is_meant() -> None:
    lists = "got no such file. Did you mean"
    assert problem("quikstart") == (
        "quikstart: expected a file, or a name that `rosearch experiments` lists, "
        f"{lists} quickstart, an experiment that comes with rosearch?"
    )
    assert f"experiments/mrpc.yaml: expected a YAML file, {lists} mrpc," in problem("experiments/mrpc.yaml")
    assert f"{lists} robustness/study_sst2," in problem("study_sst2")
    assert f"{lists} robust_dag, a search space" in problem("rte", "search_space=robust_dagg")
    assert f"{lists} robust_input, a search space" in problem("rte", "search_space=../spaces/robust_input.yaml")
    assert problem("xyz").endswith("a name that `rosearch experiments` lists, got no such file")


@pytest.mark.parametrize("text", ["", ".", "..", "../experiments/sst2", "/quickstart", "a\0b", "x" * 5000, "README"])
def test_no_other_text_is_a_name(text: str) -> None:
    assert not EXPERIMENTS.has(text)
    assert EXPERIMENTS.find(text) == Path(text)
    with pytest.raises(BadInput):
        load_experiment(text)


def test_problems_of_a_named_experiment_name_it_as_the_user_did() -> None:
    overrides = ["evolution.population=2", "evolution.elite=2"]  # a rule between keys names one that the file has
    assert problem("sst2", "evolution.population=4").startswith("sst2:56: evolution.elite: expected fewer than")
    assert problem("quickstart", *overrides).startswith("command line: -o evolution.elite: expected fewer than")


def test_a_copy_is_the_file_and_loads_where_it_lies(elsewhere: Path) -> None:
    (elsewhere / "folder").mkdir()
    assert EXPERIMENTS.copy("robustness/sst2") == Path("sst2.yaml")
    assert EXPERIMENTS.copy("sst2", Path("folder")) == Path("folder/sst2.yaml")
    assert EXPERIMENTS.copy("sst2", Path("new/mine.yml")) == Path("new/mine.yml")
    assert Path("sst2.yaml").read_bytes() == (ROOT / "experiments/robustness/sst2.yaml").read_bytes()
    assert load_experiment("sst2.yaml").search_space == SPACES.root / "robust_training.yaml"
    assert load_experiment("folder/sst2.yaml") == load_experiment("new/mine.yml") == load_experiment("sst2")


def test_a_copy_replaces_nothing_unless_told(elsewhere: Path) -> None:
    (elsewhere / "tiny.yaml").write_text("mine")
    with pytest.raises(RunError, match=r"tiny\.yaml: exists already; .* --overwrite"):
        SPACES.copy("tiny")
    assert (elsewhere / "tiny.yaml").read_text() == "mine"
    SPACES.copy("tiny", overwrite=True)
    assert load_space("tiny.yaml").name == "tiny"


def test_a_copy_wants_a_name_of_the_list_and_a_suffix(elsewhere: Path) -> None:
    with pytest.raises(
        BadInput, match=r"--copy: expected a name that `rosearch spaces` lists, got 'tinny'.*mean tiny,"
    ):
        SPACES.copy("tinny")
    with pytest.raises(BadInput, match=r"--to: expected a folder, or a file that ends in \.yaml, got 'tiny'"):
        SPACES.copy("tiny", Path("tiny"))
    assert not list(elsewhere.iterdir())


def test_an_installed_package_has_the_folders_inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("rosearch.config.shipped._PACKAGE", tmp_path / "rosearch")
    (tmp_path / "search_spaces").mkdir()
    assert SPACES.root == tmp_path / "search_spaces"
    (tmp_path / "rosearch" / "search_spaces").mkdir(parents=True)
    assert SPACES.root == tmp_path / "rosearch" / "search_spaces"
